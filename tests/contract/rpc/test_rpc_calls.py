"""The four kinds of call mean the same on every transport."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from openmanager.common.v1 import telemetry_pb2, telemetry_pb2_grpc
from services.common.rpc.handlers import Context
from services.common.telemetry import Telemetry
from tests.support.rpc_echo import EchoStub, RpcBench, text


async def letters() -> AsyncIterator[StringValue]:
    for letter in "abc":
        yield text(letter)


async def values(responses: AsyncIterator[StringValue]) -> list[str]:
    return [response.value async for response in responses]


async def test_unary(bench: RpcBench) -> None:
    stub = await bench.stub()
    call = stub.unary(text("hello"))
    assert (await call).value == "echo hello"
    assert await call.code() is grpc.StatusCode.OK
    assert call.done()
    assert not call.cancelled()
    assert not call.cancel()


async def test_a_call_may_be_awaited_twice(bench: RpcBench) -> None:
    call = (await bench.stub()).unary(text("x"))
    assert await call == await call


async def test_a_generated_stub_reaches_a_generated_servicer(bench: RpcBench) -> None:
    telemetry = Telemetry("echo")
    telemetry.counter("tries", "Tries.").inc(3)
    server = await bench.serve(telemetry=telemetry)
    stub = telemetry_pb2_grpc.TelemetryServiceStub(bench.connect(server.address))
    page = (await stub.ExportMetrics(telemetry_pb2.ExportMetricsRequest())).exposition.decode()
    assert "openmanager_tries_total 3.0" in page


async def test_server_stream(bench: RpcBench) -> None:
    call = (await bench.stub()).server_stream(text("3"))
    assert await values(aiter(call)) == ["0", "1", "2"]
    assert await call.code() is grpc.StatusCode.OK


async def test_server_stream_without_messages(bench: RpcBench) -> None:
    assert await values(aiter((await bench.stub()).server_stream(text("0")))) == []


async def test_server_stream_read_one_by_one(bench: RpcBench) -> None:
    call = (await bench.stub()).server_stream(text("2"))
    first, second = await call.read(), await call.read()
    assert isinstance(first, StringValue)
    assert isinstance(second, StringValue)
    assert (first.value, second.value) == ("0", "1")
    assert await call.read() is grpc.aio.EOF
    assert await call.read() is grpc.aio.EOF


async def test_server_stream_written_to_the_context(bench: RpcBench) -> None:
    async def writes(request: StringValue, context: Context) -> None:
        for letter in request.value:
            await context.write(text(letter))

    stub = await bench.stub(server_stream=writes)
    assert await values(aiter(stub.server_stream(text("ab")))) == ["a", "b"]


async def test_client_stream_from_an_async_iterator(bench: RpcBench) -> None:
    assert (await (await bench.stub()).client_stream(letters())).value == "a+b+c"


async def test_client_stream_from_an_iterator(bench: RpcBench) -> None:
    requests: Iterator[StringValue] = iter([text("a"), text("b")])
    assert (await (await bench.stub()).client_stream(requests)).value == "a+b"


async def test_client_stream_without_messages(bench: RpcBench) -> None:
    assert (await (await bench.stub()).client_stream(iter([]))).value == ""


async def test_client_stream_by_write(bench: RpcBench) -> None:
    call = (await bench.stub()).client_stream()
    await call.write(text("a"))
    await call.write(text("b"))
    await call.done_writing()
    assert (await call).value == "a+b"


async def test_writing_after_done_writing_is_a_mistake(bench: RpcBench) -> None:
    call = (await bench.stub()).client_stream()
    await call.done_writing()
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(text("late"))


async def test_an_iterator_of_requests_cannot_be_mixed_with_write(bench: RpcBench) -> None:
    call = (await bench.stub()).client_stream(letters())
    with pytest.raises(grpc.aio.UsageError):
        await call.write(text("x"))
    assert (await call).value == "a+b+c"


async def test_both_ways_in_step(bench: RpcBench) -> None:
    call = (await bench.stub()).both()
    for letter in "abc":
        await call.write(text(letter))
        response = await call.read()
        assert isinstance(response, StringValue)
        assert response.value == f"echo {letter}"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_both_ways_from_an_iterator(bench: RpcBench) -> None:
    call = (await bench.stub()).both(letters())
    assert await values(aiter(call)) == ["echo a", "echo b", "echo c"]


async def test_both_ways_with_the_servicer_reading_by_itself(bench: RpcBench) -> None:
    async def reads(requests: object, context: Context) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(text(request.value * 2))

    stub = await bench.stub(both=reads)
    assert await values(aiter(stub.both(letters()))) == ["aa", "bb", "cc"]


async def test_a_server_may_end_before_it_has_read_everything(bench: RpcBench) -> None:
    async def first_only(requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield request
            return

    call = (await bench.stub(both=first_only)).both()
    await call.write(text("a"))
    assert await values(aiter(call)) == ["a"]
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(text("b"))


async def test_a_hundred_calls_at_once_get_their_own_answers(bench: RpcBench) -> None:
    waiting = 0
    everyone = asyncio.Event()

    async def meets(request: StringValue, context: Context) -> StringValue:
        nonlocal waiting
        waiting += 1
        if waiting == 100:
            everyone.set()
        await everyone.wait()
        return request

    stub = await bench.stub(unary=meets)
    answers = await asyncio.gather(*(stub.unary(text(str(number))) for number in range(100)))
    assert [answer.value for answer in answers] == [str(number) for number in range(100)]


async def test_messages_are_copies(bench: RpcBench) -> None:
    kept: list[StringValue] = []

    async def keeps(request: StringValue, context: Context) -> StringValue:
        kept.append(request)
        answer = text("answer")
        kept.append(answer)
        return answer

    stub = await bench.stub(unary=keeps)
    request = text("asked")
    response = await stub.unary(request)
    request.value = "changed by the caller"
    kept[1].value = "changed by the servicer"
    assert kept[0].value == "asked"
    assert response.value == "answer"


async def test_a_done_callback_gets_the_call(bench: RpcBench) -> None:
    seen: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    call = (await bench.stub()).unary(text("x"))
    call.add_done_callback(seen.set_result)
    await call
    async with asyncio.timeout(5):
        assert await seen is call


async def test_two_servers_are_told_apart(bench: RpcBench) -> None:
    async def other(request: StringValue, context: Context) -> StringValue:
        return text("other")

    first, second = await bench.stub(), await bench.stub(unary=other)
    assert (await first.unary(text("a"))).value == "echo a"
    assert (await second.unary(text("a"))).value == "other"


async def test_one_server_may_listen_at_several_addresses(bench: RpcBench) -> None:
    server = await bench.serve()
    await server.start("127.0.0.1:0")
    for address in server.addresses:
        assert (await EchoStub(bench.connect(address)).unary(text("a"))).value == "echo a"
