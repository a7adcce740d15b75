"""One server for a service's servicers, at any number of addresses of any transport."""

import asyncio
import contextvars
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.errors import RefusedError
from services.common.ids import IdSource, new_id
from services.common.rpc.address import Address, Transport, parse_address
from services.common.rpc.handlers import Handler
from services.common.rpc.inproc.endpoint import InprocEndpoint
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.interceptors.chain import build_chain
from services.common.rpc.interceptors.deadline import DEFAULT_CAP_SECONDS
from services.common.rpc.interceptors.drain import DrainInterceptor
from services.common.rpc.listen import check_tcp, prepare_unix
from services.common.rpc.telemetry_servicer import add_telemetry
from services.common.telemetry import Telemetry

DEFAULT_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
MAX_METADATA_BYTES: Final = 32 * 1024
"""What a call's metadata may hold, its error details among them; gRPC's own default is 8 KiB."""


class RpcServer(grpc.aio.Server):
    """Collects servicers from the generated `add_XServicer_to_server` functions and serves them.

    Every call passes the same interceptors whatever its transport. Health (grpc.health.v1), the service's own metrics and, on
    sockets, reflection are served with it. Health says NOT_SERVING until `set_ready(True)`.

    Args:
        name: name of the service, for log lines.
        telemetry: where calls are counted, and what ExportMetrics gives.
        token: secret that callers must show; None admits everyone.
        max_message_bytes: greatest message in either direction.
        network: where `inproc:` addresses are registered; needed for those alone.
        cap_seconds: most time that a call with one response gets.
        new_id: source of request ids for callers that send none.
    """

    def __init__(
        self,
        name: str,
        *,
        telemetry: Telemetry,
        token: str | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        network: InprocNetwork | None = None,
        cap_seconds: float = DEFAULT_CAP_SECONDS,
        new_id: IdSource = new_id,
    ) -> None:
        self.name = name
        self._max_message_bytes = max_message_bytes
        self._network = network
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._registered: dict[str, Mapping[str, Handler]] = {}
        self._drain = DrainInterceptor()
        self._interceptors = build_chain(telemetry, token=token, new_id=new_id, drain=self._drain, cap_seconds=cap_seconds)
        self._servers: list[grpc.aio.Server] = []
        self._endpoints: dict[str, InprocEndpoint] = {}
        self._sockets: list[Path] = []
        self._addresses: list[str] = []
        self._stopped = asyncio.Event()
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self)
        add_telemetry(telemetry, self)

    @property
    def address(self) -> str:
        """The first address that the server listens at, with the port that port 0 became."""
        return self._addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that the server listens at."""
        return tuple(self._addresses)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Serve these handlers; before the first `start`."""
        self._handlers.extend(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Serve these methods; before the first `start`."""
        self._registered[service_name] = method_handlers

    def add_insecure_port(self, address: str) -> int:
        """Refused: `start` takes the address, because binding can fail in ways that a port number cannot tell."""
        raise grpc.aio.UsageError(f"call start({address!r})")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Refused: services talk plainly on loopback, and through a mesh or tunnel elsewhere."""
        raise grpc.aio.UsageError(f"call start({address!r})")

    async def start(self, *addresses: str) -> None:
        """Listen at these addresses: `host:port` (0 picks a free port), `unix:path` or `inproc:name`.

        Raises:
            InvalidArgumentError: when an address is malformed.
            RefusedError: with reason ADDRESS_IN_USE, ADDRESS_FORBIDDEN or ADDRESS_UNUSABLE.
        """
        if not self._addresses:
            await self.set_ready(False)
        for text in addresses:
            address = parse_address(text)
            match address.transport:
                case Transport.INPROC:
                    self._start_inproc(address)
                case Transport.UNIX:
                    await self._start_unix(address)
                case Transport.TCP:
                    await self._start_tcp(address)

    async def set_ready(self, ready: bool) -> None:
        """Tell health checks whether requests may come, for the whole server and for each of its services."""
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *self._registered):
            await self._health.set(service, status)

    async def stop(self, grace: float | None = None) -> None:
        """Say NOT_SERVING, end streams, give other calls `grace` seconds, then cancel them. Safe to call twice."""
        await self._health.enter_graceful_shutdown()
        self._drain.drain()
        for name in self._endpoints:
            if self._network is not None:
                self._network.unregister(name)
        await asyncio.gather(
            *(server.stop(grace) for server in self._servers),
            *(endpoint.stop(grace) for endpoint in self._endpoints.values()),
        )
        for path in self._sockets:
            path.unlink(missing_ok=True)
        self._servers.clear()
        self._endpoints.clear()
        self._sockets.clear()
        self._stopped.set()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the interface of grpc.aio
        """Wait until the server has stopped; True when `timeout` seconds passed before."""
        try:
            async with asyncio.timeout(timeout):
                await self._stopped.wait()
        except TimeoutError:
            return True
        return False

    def _start_inproc(self, address: Address) -> None:
        if self._network is None:
            raise RefusedError(f"{address} needs a server with an InprocNetwork", reason="ADDRESS_UNUSABLE")
        endpoint = InprocEndpoint(self._handlers, self._interceptors, self._max_message_bytes)
        self._network.register(address.host, endpoint)
        self._endpoints[address.host] = endpoint
        self._addresses.append(str(address))

    async def _start_unix(self, address: Address) -> None:
        await asyncio.to_thread(prepare_unix, address)
        server = self._socket_server()
        previous = os.umask(0o077)  # nobody else may connect, not even between the bind and the chmod
        try:
            _bind(server, address)
        finally:
            os.umask(previous)
        path = Path(address.host)
        os.chmod(path, 0o600)
        self._sockets.append(path)
        await self._serve(server, str(address))

    async def _start_tcp(self, address: Address) -> None:
        await check_tcp(address)
        server = self._socket_server()
        port = _bind(server, address)
        await self._serve(server, str(Address(Transport.TCP, address.host, port)))

    def _socket_server(self) -> grpc.aio.Server:
        options: Sequence[tuple[str, int]] = (
            ("grpc.so_reuseport", 0),  # with it a second process would take half of the calls unnoticed
            ("grpc.max_receive_message_length", self._max_message_bytes),
            ("grpc.max_send_message_length", self._max_message_bytes),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # admits the keepalive of `connect` on quiet streams
        )
        server = grpc.aio.server(interceptors=self._interceptors, options=options)
        server.add_generic_rpc_handlers(self._handlers)
        for service, methods in self._registered.items():
            server.add_registered_method_handlers(service, methods)
        reflection.enable_server_reflection((*self._registered, reflection.SERVICE_NAME), server)
        return server

    async def _serve(self, server: grpc.aio.Server, address: str) -> None:
        # In an empty context, for gRPC runs every call in a copy of it.
        await asyncio.create_task(server.start(), context=contextvars.Context())
        self._servers.append(server)
        self._addresses.append(address)


def _bind(server: grpc.aio.Server, address: Address) -> int:
    try:
        return server.add_insecure_port(str(address))
    except RuntimeError as error:  # taken between the check and now, or a cause that the check does not know
        raise RefusedError(f"cannot listen at {address}; set another address", reason="ADDRESS_IN_USE") from error
