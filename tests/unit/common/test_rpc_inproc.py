"""What in-process calls promise beyond a socket's; what they share with one is in tests/contract/rpc."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from structlog.testing import capture_logs

from services.common.rpc.handlers import Context
from services.common.rpc.inproc.message_queue import WINDOW_BYTES, MessageQueue
from tests.support.rpc_echo import RpcBench, text


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[RpcBench]:
    bench = RpcBench("inproc", tmp_path)
    yield bench
    await bench.close()


async def test_a_stream_that_nobody_holds_any_more_is_cancelled(bench: RpcBench) -> None:
    left = asyncio.Event()

    async def endless(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        try:
            while True:
                yield text("tick")
        finally:
            left.set()

    stub = await bench.stub(server_stream=endless)

    async def first_only() -> None:
        async for _ in stub.server_stream(text("x")):
            return

    await first_only()
    gc.collect()
    async with asyncio.timeout(5):
        await left.wait()


async def test_an_iterator_of_requests_that_raises_is_told_in_the_log(bench: RpcBench) -> None:
    async def breaks() -> AsyncIterator[StringValue]:
        yield text("a")
        raise LookupError("no more")

    stub = await bench.stub()
    with capture_logs() as lines, pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.client_stream(breaks())
    assert failed.value.code() is grpc.StatusCode.CANCELLED
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["requests_failed"]


async def test_a_call_that_failed_at_once_has_no_connection(bench: RpcBench) -> None:
    channel = bench.connect("inproc:nobody")
    call = channel.unary_unary("/x/Y", StringValue.SerializeToString, StringValue.FromString)(text("x"))
    with pytest.raises(grpc.aio.AioRpcError):
        await call.wait_for_connection()


async def test_a_server_that_comes_changes_the_channels_state(bench: RpcBench) -> None:
    channel = bench.connect("inproc:late")
    assert channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE
    change = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.TRANSIENT_FAILURE))
    await bench.serve(address="inproc:late")
    async with asyncio.timeout(5):
        await change
    assert channel.get_state() is grpc.ChannelConnectivity.READY
    await channel.close()
    assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_closing_a_channel_may_give_calls_a_grace(bench: RpcBench) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: StringValue, context: Context) -> StringValue:
        entered.set()
        await go_on.wait()
        return request

    server = await bench.serve(unary=slow)
    channel = bench.connect(server.address)
    call = channel.unary_unary("/test.v1.EchoService/Unary", StringValue.SerializeToString, StringValue.FromString)(text("x"))
    await entered.wait()
    closing = asyncio.create_task(channel.close(30.0))
    await asyncio.sleep(0)
    go_on.set()
    assert (await call).value == "x"
    await closing


async def test_a_queue_holds_a_writer_until_there_is_room() -> None:
    queue = MessageQueue(asyncio.get_running_loop())
    assert await queue.put(b"x" * WINDOW_BYTES)
    waiting = asyncio.create_task(queue.put(b"second"))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await queue.get() == b"x" * WINDOW_BYTES
    assert await waiting
    queue.close()
    assert await queue.get() == b"second"
    assert await queue.get() is None


async def test_a_queue_lets_waiters_go_when_it_is_discarded() -> None:
    queue = MessageQueue(asyncio.get_running_loop())
    await queue.put(b"x" * WINDOW_BYTES)
    writer = asyncio.create_task(queue.put(b"never read"))
    await asyncio.sleep(0)
    queue.discard()
    assert await writer is False
    assert await queue.get() is None
    assert queue.closed


async def test_a_reader_that_gives_up_leaves_the_message_to_the_next() -> None:
    queue = MessageQueue(asyncio.get_running_loop())
    gone = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    await queue.put(b"kept")
    assert await queue.get() == b"kept"
