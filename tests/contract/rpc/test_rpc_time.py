"""Deadlines, cancellation and early ends mean the same on every transport."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from services.common import errors
from services.common.rpc.handlers import Context
from services.common.rpc.streams import cancelling
from tests.support.rpc_echo import EchoStub, RpcBench, read_until_failure, text

SOON = 5.0


class Watched:
    """A servicer that hangs and tells what becomes of it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.left = asyncio.Event()
        self.cancelled = False
        self.remaining: float | None = None

    async def unary(self, request: StringValue, context: Context) -> StringValue:
        self.remaining = context.time_remaining()
        await self._hang()
        return request

    async def stream(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        self.remaining = context.time_remaining()
        yield text("first")
        await self._hang()

    async def endless(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        self.entered.set()
        try:
            while True:
                yield text("tick")
        finally:
            self.left.set()

    async def collect(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        """Ends only when its requests do."""
        self.entered.set()
        try:
            async for _ in requests:
                pass
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.left.set()
        return text("all read")

    async def _hang(self) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.left.set()

    async def has_left(self) -> None:
        async with asyncio.timeout(SOON):
            await self.left.wait()

    async def has_entered(self) -> None:
        async with asyncio.timeout(SOON):
            await self.entered.wait()


async def test_a_deadline_ends_the_call_on_both_sides(bench: RpcBench) -> None:
    servicer = Watched()
    call = (await bench.stub(unary=servicer.unary)).unary(text("x"), timeout=0.3)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert isinstance(errors.from_rpc_error(failed.value), errors.DeadlineExceededError)
    await servicer.has_left()
    assert servicer.cancelled


async def test_both_sides_see_the_time_that_remains(bench: RpcBench) -> None:
    servicer = Watched()
    call = (await bench.stub(unary=servicer.unary)).unary(text("x"), timeout=30.0)
    await servicer.has_entered()
    assert servicer.remaining is not None
    assert 20.0 < servicer.remaining < 31.0  # the wire rounds it up
    remaining = call.time_remaining()
    assert remaining is not None
    assert 20.0 < remaining <= 30.0
    call.cancel()


async def test_unary_calls_get_the_default_deadline_and_streams_none(bench: RpcBench) -> None:
    servicer = Watched()
    server = await bench.serve(unary=servicer.unary, server_stream=servicer.stream)
    stub = EchoStub(bench.connect(server.address, default_timeout_seconds=7.0))
    call = stub.unary(text("x"))
    await servicer.has_entered()
    assert servicer.remaining is not None
    assert 5.0 < servicer.remaining < 8.0
    call.cancel()
    stream = stub.server_stream(text("x"))
    await stream.read()
    assert servicer.remaining is None
    assert stream.time_remaining() is None
    stream.cancel()


async def test_a_deadline_that_has_passed_fails_at_once(bench: RpcBench) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub()).unary(text("x"), timeout=-1.0)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_obeys_the_deadline_it_was_given(bench: RpcBench) -> None:
    servicer = Watched()
    call = (await bench.stub(server_stream=servicer.stream)).server_stream(text("x"), timeout=0.3)
    got, failure = await read_until_failure(call)
    assert got == ["first"]
    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await servicer.has_left()
    assert servicer.cancelled


@pytest.mark.parametrize("timeout_seconds", [None, 30.0])
async def test_the_server_caps_calls_without_a_near_deadline(bench: RpcBench, timeout_seconds: float | None) -> None:
    servicer = Watched()
    server = await bench.serve(unary=servicer.unary, cap_seconds=0.2)
    stub = EchoStub(bench.connect(server.address))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.unary(text("x"), timeout=timeout_seconds)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "0.2 s" in (failed.value.details() or "")
    assert servicer.cancelled


async def test_a_timeout_within_a_servicer_is_not_taken_for_the_cap(bench: RpcBench) -> None:
    async def times_out(request: StringValue, context: Context) -> StringValue:
        raise TimeoutError

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub(unary=times_out)).unary(text("x"), timeout=100.0)
    assert failed.value.code() is grpc.StatusCode.INTERNAL


async def test_cancelling_the_call_cancels_the_servicer(bench: RpcBench) -> None:
    servicer = Watched()
    call = (await bench.stub(unary=servicer.unary)).unary(text("x"))
    await servicer.has_entered()
    assert call.cancel()
    await servicer.has_left()
    assert servicer.cancelled
    assert call.cancelled()
    assert await call.code() is grpc.StatusCode.CANCELLED
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_cancelling_the_waiting_task_cancels_the_servicer(bench: RpcBench) -> None:
    servicer = Watched()
    stub = await bench.stub(unary=servicer.unary)

    async def ask() -> StringValue:
        return await stub.unary(text("x"))

    task = asyncio.create_task(ask())
    await servicer.has_entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await servicer.has_left()
    assert servicer.cancelled


async def test_cancelling_one_of_two_who_wait_for_a_call(bench: RpcBench) -> None:
    servicer = Watched()
    call = (await bench.stub(unary=servicer.unary)).unary(text("x"))
    other = asyncio.create_task(call.code())
    first = asyncio.create_task(_await(call))
    await servicer.has_entered()
    first.cancel()
    assert await other is grpc.StatusCode.CANCELLED


async def _await(call: grpc.aio.UnaryUnaryCall[Any, StringValue]) -> StringValue:
    return await call


async def test_cancelling_the_task_that_reads_a_stream(bench: RpcBench) -> None:
    servicer = Watched()
    stub = await bench.stub(server_stream=servicer.stream)

    async def read_all() -> None:
        with cancelling(stub.server_stream(text("x"))) as call:
            async for _ in call:
                pass

    task = asyncio.create_task(read_all())
    await servicer.has_entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await servicer.has_left()
    assert servicer.cancelled


async def test_leaving_a_stream_early_runs_the_servicers_finally(bench: RpcBench) -> None:
    servicer = Watched()
    with cancelling((await bench.stub(server_stream=servicer.endless)).server_stream(text("x"))) as call:
        async for response in call:
            assert response.value == "tick"
            break
    await servicer.has_left()
    assert call.cancelled()


async def test_reading_a_stream_to_its_end_within_cancelling_ends_well(bench: RpcBench) -> None:
    with cancelling((await bench.stub()).server_stream(text("2"))) as call:
        assert [response.value async for response in call] == ["0", "1"]
    assert await call.code() is grpc.StatusCode.OK


async def test_a_caller_that_leaves_ends_its_stream_of_requests(bench: RpcBench) -> None:
    servicer = Watched()
    call = (await bench.stub(client_stream=servicer.collect)).client_stream()
    await call.write(text("a"))
    await servicer.has_entered()
    call.cancel()
    await servicer.has_left()
    # Over a socket grpc.aio may tell the servicer the end of the requests before it cancels it; in process it never does.
    assert servicer.cancelled or bench.transport != "inproc"


async def test_an_iterator_of_requests_that_raises_cancels_the_call(bench: RpcBench) -> None:
    servicer = Watched()

    async def breaks() -> AsyncIterator[StringValue]:
        yield text("a")
        await servicer.has_entered()
        raise LookupError("no more")

    call = (await bench.stub(client_stream=servicer.collect)).client_stream(breaks())
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await call
    await servicer.has_left()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_the_servicers_context_knows_of_the_end(bench: RpcBench) -> None:
    ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def told(request: StringValue, context: Context) -> StringValue:
        assert not context.done()
        assert not context.cancelled()
        note: Any = lambda ctx: ended.set_result(ctx.done())  # noqa: E731 - the stubs want a name for its argument
        context.add_done_callback(note)
        return request

    await (await bench.stub(unary=told)).unary(text("x"))
    async with asyncio.timeout(SOON):
        assert await ended is True


async def test_a_call_may_wait_for_its_server(bench: RpcBench) -> None:
    server = await bench.serve()
    address = server.address
    await server.stop(0)
    call = EchoStub(bench.connect(address)).unary(text("x"), wait_for_ready=True, timeout=20.0)
    assert not call.done()
    await bench.serve(address=address)
    assert (await call).value == "echo x"


async def test_a_call_waits_for_its_server_until_its_deadline(bench: RpcBench) -> None:
    server = await bench.serve()
    await server.stop(0)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await EchoStub(bench.connect(server.address)).unary(text("x"), wait_for_ready=True, timeout=0.2)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
