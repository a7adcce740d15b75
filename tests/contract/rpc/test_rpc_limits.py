"""Sizes and back pressure: a message or a reader that is out of proportion harms nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from services.common.rpc.handlers import Context
from services.common.rpc.streams import cancelling
from tests.support.rpc_echo import RpcBench, read_until_failure, text
from tests.support.waiting import until

MEBI = 1024 * 1024


async def same(request: StringValue, context: Context) -> StringValue:
    return request


async def inflate(request: StringValue, context: Context) -> StringValue:
    return text("x" * int(request.value))


async def inflate_stream(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
    yield text("small")
    yield text("x" * int(request.value))


async def test_a_message_of_five_mebibytes_passes(bench: RpcBench) -> None:
    big = "x" * (5 * MEBI)  # gRPC's own default would refuse it
    assert (await (await bench.stub(unary=same)).unary(text(big))).value == big


async def test_a_request_over_the_cap_is_refused(bench: RpcBench) -> None:
    stub = await bench.stub(unary=same, max_message_bytes=MEBI)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.unary(text("x" * (MEBI + 1)))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await stub.unary(text("next"))).value == "next"


async def test_a_response_over_the_cap_is_refused(bench: RpcBench) -> None:
    stub = await bench.stub(unary=inflate, max_message_bytes=MEBI)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.unary(text(str(MEBI + 1)))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len((await stub.unary(text("5"))).value) == 5


async def test_a_streamed_response_over_the_cap_ends_the_stream(bench: RpcBench) -> None:
    stub = await bench.stub(server_stream=inflate_stream, max_message_bytes=MEBI)
    got, failure = await read_until_failure(stub.server_stream(text(str(MEBI + 1))))
    assert got == ["small"]
    assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_slow_reader_holds_the_writer_back(bench: RpcBench) -> None:
    written = 0

    async def pours(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        nonlocal written
        for _ in range(1_000):
            yield text("x" * 100_000)
            written += 1

    with cancelling((await bench.stub(server_stream=pours)).server_stream(text("x"))) as call:
        await call.read()
        await _until_steady(lambda: written)
        assert written < 200, "a reader that does not read must not fill the memory"
        for _ in range(written + 1):
            await call.read()
        assert written > 1


async def test_a_slow_servicer_holds_its_caller_back(bench: RpcBench) -> None:
    go_on = asyncio.Event()
    sent = 0

    async def waits(requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        await go_on.wait()
        return text(str(len([request async for request in requests])))

    async def pours() -> AsyncIterator[StringValue]:
        nonlocal sent
        for _ in range(300):
            yield text("x" * 100_000)
            sent += 1

    call = (await bench.stub(client_stream=waits)).client_stream(pours())
    await _until_steady(lambda: sent)
    assert sent < 200
    go_on.set()
    assert (await call).value == "300"


async def test_a_full_stream_delays_no_other_call(bench: RpcBench) -> None:
    async def pours(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        while True:
            yield text("x" * 10_000)

    stub = await bench.stub(server_stream=pours)
    with cancelling(stub.server_stream(text("x"))) as call:
        await call.read()
        async with asyncio.timeout(5):
            assert (await stub.unary(text("a"))).value == "echo a"


async def _until_steady(value: Callable[[], int]) -> None:
    """Wait until a number has stopped growing: nothing tells that a writer is held back but that it writes no more."""
    before = -1

    async def steady() -> bool:
        nonlocal before
        last, before = before, value()
        return last == before

    await until(steady)
