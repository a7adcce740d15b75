"""A service of all four kinds of method whose behaviour each test writes itself, on any transport."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2_grpc

from services.common.rpc.connect import connect
from services.common.rpc.handlers import Context
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.telemetry import Telemetry

SERVICE = "test.v1.EchoService"

Unary = Callable[[StringValue, Context], Awaitable[StringValue]]
ServerStream = Callable[[StringValue, Context], AsyncIterator[StringValue]]
ClientStream = Callable[[AsyncIterator[StringValue], Context], Awaitable[StringValue]]
Both = Callable[[AsyncIterator[StringValue], Context], AsyncIterator[StringValue]]


def text(value: str) -> StringValue:
    return StringValue(value=value)


async def echo(request: StringValue, context: Context) -> StringValue:
    return text(f"echo {request.value}")


async def count(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
    for number in range(int(request.value)):
        yield text(str(number))


async def join(requests: AsyncIterator[StringValue], context: Context) -> StringValue:
    return text("+".join([request.value async for request in requests]))


async def echo_each(requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield text(f"echo {request.value}")


async def read_until_failure(call: AsyncIterable[StringValue]) -> tuple[list[str], grpc.aio.AioRpcError]:
    """What a stream gave before it failed, and its failure."""
    got = []
    try:
        async for response in call:
            got.append(response.value)  # noqa: PERF401 - what came before the failure counts
    except grpc.aio.AioRpcError as error:
        return got, error
    raise AssertionError(f"the stream ended well after {got}")


def health_stub(channel: grpc.aio.Channel) -> Any:
    """A stub for health checks, whose published types do not know its methods."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return stub


class EchoStub:
    """What a generated stub would be."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        write, read = StringValue.SerializeToString, StringValue.FromString
        self.unary = channel.unary_unary(f"/{SERVICE}/Unary", write, read)
        self.server_stream = channel.unary_stream(f"/{SERVICE}/ServerStream", write, read)
        self.client_stream = channel.stream_unary(f"/{SERVICE}/ClientStream", write, read)
        self.both = channel.stream_stream(f"/{SERVICE}/Both", write, read)
        self.missing = channel.unary_unary(f"/{SERVICE}/Missing", write, read)


class RpcBench:
    """Starts servers on one transport and connects to them."""

    def __init__(self, transport: str, folder: Path) -> None:
        self.transport = transport
        self.folder = folder
        self.network = InprocNetwork()
        self._servers: list[RpcServer] = []
        self._channels: list[grpc.aio.Channel] = []

    def new_address(self) -> str:
        number = len(self._servers)
        return {"tcp": "127.0.0.1:0", "unix": f"unix:{self.folder}/{number}.sock", "inproc": f"inproc:echo{number}"}[self.transport]

    async def serve(
        self,
        *,
        unary: Unary = echo,
        server_stream: ServerStream = count,
        client_stream: ClientStream = join,
        both: Both = echo_each,
        address: str | None = None,
        **options: Any,
    ) -> RpcServer:
        options.setdefault("telemetry", Telemetry("echo"))
        server = RpcServer("echo", network=self.network, **options)
        read, write = StringValue.FromString, StringValue.SerializeToString
        behaviors: list[Any] = [unary, server_stream, client_stream, both]
        methods = {
            "Unary": grpc.unary_unary_rpc_method_handler(behaviors[0], read, write),
            "ServerStream": grpc.unary_stream_rpc_method_handler(behaviors[1], read, write),
            "ClientStream": grpc.stream_unary_rpc_method_handler(behaviors[2], read, write),
            "Both": grpc.stream_stream_rpc_method_handler(behaviors[3], read, write),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
        server.add_registered_method_handlers(SERVICE, methods)
        address = address or self.new_address()
        self._servers.append(server)
        await server.start(address)
        return server

    def connect(self, address: str, caller: str = "test", **options: Any) -> grpc.aio.Channel:
        channel = connect(address, caller=caller, network=self.network, **options)
        self._channels.append(channel)
        return channel

    async def stub(self, **options: Any) -> EchoStub:
        """Serve with these options and connect plainly."""
        server = await self.serve(**options)
        return EchoStub(self.connect(server.address))

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        for server in self._servers:
            await server.stop(0)
