"""Listening, health and stopping are the same on every transport."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common import errors
from services.common.rpc.address import Address, Transport, parse_address
from services.common.rpc.connect import connect
from services.common.rpc.handlers import Context
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.telemetry import Telemetry
from tests.support.rpc_echo import SERVICE, EchoStub, RpcBench, health_stub, text

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", SERVICE, "openmanager.common.v1.TelemetryService"])
async def test_health_says_serving_only_while_ready(bench: RpcBench, service: str) -> None:
    server = await bench.serve()
    health = health_stub(bench.connect(server.address))
    request = health_pb2.HealthCheckRequest(service=service)
    assert (await health.Check(request)).status == NOT_SERVING
    await server.set_ready(True)
    assert (await health.Check(request)).status == SERVING
    await server.set_ready(False)
    assert (await health.Check(request)).status == NOT_SERVING


async def test_health_of_a_service_that_is_not_there(bench: RpcBench) -> None:
    health = health_stub(bench.connect((await bench.serve()).address))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await health.Check(health_pb2.HealthCheckRequest(service="test.v1.Nothing"))
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_stopping_server_says_not_serving_first(bench: RpcBench) -> None:
    server = await bench.serve()
    await server.set_ready(True)
    watch = health_stub(bench.connect(server.address)).Watch(health_pb2.HealthCheckRequest())
    first = await watch.read()
    assert isinstance(first, health_pb2.HealthCheckResponse)
    assert first.status == SERVING
    stop = asyncio.create_task(server.stop(5.0))
    second = await watch.read()
    assert isinstance(second, health_pb2.HealthCheckResponse)
    assert second.status == NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await watch.read()
    assert errors.from_rpc_error(ended.value).reason == "STOPPING"
    await stop


async def test_stopping_ends_streams_at_once_and_tells_their_readers(bench: RpcBench) -> None:
    async def watches(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        yield text("first")
        await asyncio.Event().wait()

    server = await bench.serve(server_stream=watches)
    call = EchoStub(bench.connect(server.address)).server_stream(text("x"))
    await call.read()
    async with asyncio.timeout(10):
        await server.stop(60.0)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call.read()
    error = errors.from_rpc_error(ended.value)
    assert isinstance(error, errors.UnavailableError)
    assert error.reason == "STOPPING"


async def test_stopping_gives_calls_their_grace(bench: RpcBench) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: StringValue, context: Context) -> StringValue:
        entered.set()
        await go_on.wait()
        return text("done")

    server = await bench.serve(unary=slow)
    call = EchoStub(bench.connect(server.address)).unary(text("x"))
    await entered.wait()
    stop = asyncio.create_task(server.stop(30.0))
    await asyncio.sleep(0)
    go_on.set()
    assert (await call).value == "done"
    await stop


async def test_stopping_cancels_calls_after_the_grace(bench: RpcBench) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def hangs(request: StringValue, context: Context) -> StringValue:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return request

    server = await bench.serve(unary=hangs)
    call = EchoStub(bench.connect(server.address)).unary(text("x"))
    await entered.wait()
    await server.stop(0.1)
    async with asyncio.timeout(5):
        await left.wait()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert failed.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def test_stopping_twice_changes_nothing(bench: RpcBench) -> None:
    server = await bench.serve()
    await server.stop(0)
    await server.stop(0)
    assert await server.wait_for_termination(0) is False


async def test_an_address_in_use_is_refused_with_what_to_do(bench: RpcBench) -> None:
    server = await bench.serve()
    with pytest.raises(errors.RefusedError, match=r"another address|its own name") as refused:
        await bench.serve(address=server.address)
    assert refused.value.reason == "ADDRESS_IN_USE"
    assert server.address in refused.value.message
    assert (await EchoStub(bench.connect(server.address)).unary(text("x"))).value == "echo x"


async def test_an_address_is_free_again_after_the_stop(bench: RpcBench) -> None:
    server = await bench.serve()
    await server.stop(0)
    await bench.serve(address=server.address)
    assert (await EchoStub(bench.connect(server.address)).unary(text("x"))).value == "echo x"


async def test_a_peer_that_comes_back_is_found_again(bench: RpcBench) -> None:
    server = await bench.serve()
    stub = EchoStub(bench.connect(server.address))
    await stub.unary(text("x"))
    await server.stop(0)
    await bench.serve(address=server.address)
    assert (await stub.unary(text("x"), wait_for_ready=True)).value == "echo x"


async def test_a_closed_channel_makes_no_calls(bench: RpcBench) -> None:
    channel = bench.connect((await bench.serve()).address)
    stub = EchoStub(channel)
    await stub.unary(text("x"))
    await channel.close()
    with pytest.raises(grpc.aio.UsageError):
        await stub.unary(text("x"))


async def test_closing_a_channel_cancels_its_calls(bench: RpcBench) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def hangs(request: StringValue, context: Context) -> StringValue:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return request

    channel = bench.connect((await bench.serve(unary=hangs)).address)
    call = EchoStub(channel).unary(text("x"))
    await entered.wait()
    await channel.close()
    assert await call.code() is grpc.StatusCode.CANCELLED
    async with asyncio.timeout(5):
        await left.wait()


async def test_a_channel_tells_when_its_server_is_there(bench: RpcBench) -> None:
    channel = bench.connect((await bench.serve()).address)
    async with asyncio.timeout(10):
        await channel.channel_ready()
    assert channel.get_state() is grpc.ChannelConnectivity.READY


async def test_sockets_offer_reflection(tmp_path: Path) -> None:
    bench = RpcBench("tcp", tmp_path)
    channel = bench.connect((await bench.serve()).address)
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    make_stub: Any = reflection_pb2_grpc.ServerReflectionStub
    answers = make_stub(channel).ServerReflectionInfo(requests)
    names = {service.name async for answer in answers for service in answer.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health", "openmanager.common.v1.TelemetryService"} <= names
    await bench.close()


async def test_a_unix_socket_is_for_its_owner_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    bench = RpcBench("unix", tmp_path)
    server = await bench.serve()
    path = Path(server.address.removeprefix("unix:"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await bench.close()
    assert not path.exists()


async def test_a_unix_socket_that_a_crash_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    bench = RpcBench("unix", tmp_path)
    server = await bench.serve(address=f"unix:{path}")
    assert (await EchoStub(bench.connect(server.address)).unary(text("x"))).value == "echo x"
    await bench.close()


async def test_a_file_is_not_taken_for_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(errors.RefusedError, match="no socket"):
        await RpcBench("unix", tmp_path).serve(address=f"unix:{path}")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:0", "ADDRESS_UNUSABLE"),  # TEST-NET-1 (RFC 5737) is nobody's
        ("unix:/no/such/folder/x.sock", "ADDRESS_UNUSABLE"),
        ("unix:/tmp/" + "x" * 120, "ADDRESS_UNUSABLE"),
    ],
)
async def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path, address: str, reason: str) -> None:
    with pytest.raises(errors.RefusedError) as refused:
        await RpcBench("tcp", tmp_path).serve(address=address)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda: parse_address("nowhere"), "INVALID_ADDRESS"),
        (lambda: parse_address("host:99999"), "INVALID_ADDRESS"),
        (lambda: parse_address(":80"), "INVALID_ADDRESS"),
        (lambda: parse_address("unix:"), "INVALID_ADDRESS"),
        (lambda: connect("inproc:x", caller="test"), "INVALID_ADDRESS"),
        (lambda: connect("host:1", caller="two words"), "INVALID_CALLER"),
    ],
)
def test_a_malformed_address_is_told(use: Callable[[], object], what: str) -> None:
    with pytest.raises(errors.InvalidArgumentError) as wrong:
        use()
    assert wrong.value.reason == what


@pytest.mark.parametrize("written", ["127.0.0.1:50051", "localhost:0", "[::1]:50051", "unix:/run/x.sock", "inproc:metrics"])
def test_an_address_is_written_as_it_is_read(written: str) -> None:
    assert str(parse_address(written)) == written


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert parse_address("[::1]:5") == Address(Transport.TCP, "::1", 5)


async def test_two_networks_know_nothing_of_each_other(tmp_path: Path) -> None:
    first, second = RpcBench("inproc", tmp_path), RpcBench("inproc", tmp_path)
    server = await first.serve(address="inproc:same")
    await second.serve(address="inproc:same")
    stranger = connect(server.address, caller="test", network=InprocNetwork())
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await EchoStub(stranger).unary(text("x"))
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    await first.close()
    await second.close()


async def test_binding_goes_through_start_alone() -> None:
    server = RpcServer("x", telemetry=Telemetry("x"))
    with pytest.raises(grpc.aio.UsageError):
        server.add_insecure_port("127.0.0.1:0")
    with pytest.raises(errors.RefusedError):
        await server.start("inproc:x")
