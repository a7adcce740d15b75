"""Metadata is the only thing beside messages that crosses, and it crosses alike on every transport."""

from collections.abc import AsyncIterator
from contextvars import ContextVar

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2
from structlog.testing import capture_logs

from services.common import errors
from services.common.logs import request_id_var
from services.common.rpc.handlers import Context
from services.common.rpc.metadata import caller_var
from tests.support.rpc_echo import EchoStub, RpcBench, health_stub, text

ambient: ContextVar[str] = ContextVar("ambient", default="nothing")


async def request_id(request: StringValue, context: Context) -> StringValue:
    return text(request_id_var.get())


async def test_metadata_goes_both_ways(bench: RpcBench) -> None:
    seen: list[tuple[str, str | bytes]] = []

    async def answers(request: StringValue, context: Context) -> StringValue:
        seen.extend((key, value) for key, value in context.invocation_metadata() or ())
        await context.send_initial_metadata((("x-first", "1"), ("x-raw-bin", b"\x00\xff")))
        context.set_trailing_metadata((("x-last", "2"), ("x-last", "3")))
        return request

    call = (await bench.stub(unary=answers)).unary(text("x"), metadata=(("x-own", "value"), ("x-own-bin", b"\x01\xfe")))
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    assert {("x-own", "value"), ("x-own-bin", b"\x01\xfe"), ("x-openmanager-caller", "test")} <= set(seen)
    assert (initial["x-first"], initial["x-raw-bin"]) == ("1", b"\x00\xff")
    assert trailing.get_all("x-last") == ["2", "3"]


async def test_metadata_may_be_given_as_an_object(bench: RpcBench) -> None:
    async def reads(request: StringValue, context: Context) -> StringValue:
        return text(dict(context.invocation_metadata() or ())["x-own"])  # type: ignore[arg-type]

    stub = await bench.stub(unary=reads)
    assert (await stub.unary(text("x"), metadata=grpc.aio.Metadata(("x-own", "value")))).value == "value"


async def test_a_stream_gives_its_initial_metadata_before_its_end(bench: RpcBench) -> None:
    async def streams(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata((("x-cursor", "42"),))
        context.set_trailing_metadata((("x-sum", "1"),))
        yield request

    call = (await bench.stub(server_stream=streams)).server_stream(text("x"))
    assert (await call.initial_metadata())["x-cursor"] == "42"
    assert not call.done() or await call.code() is grpc.StatusCode.OK
    assert [response.value async for response in call] == ["x"]
    assert (await call.trailing_metadata())["x-sum"] == "1"


async def test_a_servicers_trailing_metadata_is_kept_when_it_raises(bench: RpcBench) -> None:
    async def raises(request: StringValue, context: Context) -> StringValue:
        context.set_trailing_metadata((("x-hint", "again"),))
        raise errors.ConflictError("changed meanwhile")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub(unary=raises)).unary(text("x"))
    assert failed.value.trailing_metadata()["x-hint"] == "again"
    assert errors.from_rpc_error(failed.value).reason == "CONFLICT"


@pytest.mark.parametrize("metadata", [(("X-Upper", "v"),), (("x own", "v"),), (("x-own", "줄"),), (("x-own", "a\nb"),)])
async def test_metadata_that_a_socket_cannot_carry_is_refused(bench: RpcBench, metadata: tuple[tuple[str, str]]) -> None:
    stub = await bench.stub()
    with pytest.raises((ValueError, TypeError, UnicodeError, grpc.aio.BaseError, grpc.aio.AioRpcError)):
        await stub.unary(text("x"), metadata=metadata)


async def test_context_variables_of_the_caller_stay_with_the_caller(bench: RpcBench) -> None:
    async def reads(request: StringValue, context: Context) -> StringValue:
        seen = ambient.get()
        ambient.set("the servicer's")
        return text(seen)

    ambient.set("the caller's")
    stub = await bench.stub(unary=reads)
    assert (await stub.unary(text("x"))).value == "nothing"
    assert ambient.get() == "the caller's"


async def test_a_request_id_is_passed_on_from_call_to_call(bench: RpcBench) -> None:
    far = await bench.stub(unary=request_id)

    async def forwards(request: StringValue, context: Context) -> StringValue:
        assert request_id_var.get() == "request-1"
        return await far.unary(request)

    near = await bench.stub(unary=forwards)
    request_id_var.set("request-1")
    assert (await near.unary(text("x"))).value == "request-1"


async def test_each_call_without_a_request_id_gets_one(bench: RpcBench) -> None:
    made = iter(["made-1", "made-2"])
    stub = await bench.stub(unary=request_id, new_id=lambda: next(made))
    assert [(await stub.unary(text("x"))).value for _ in range(2)] == ["made-1", "made-2"]


@pytest.mark.parametrize("hostile", ["a b", "x" * 129, "줄", "a\nb"])
async def test_a_request_id_that_is_none_is_not_passed_on(bench: RpcBench, hostile: str) -> None:
    stub = await bench.stub(unary=request_id, new_id=lambda: "made")
    request_id_var.set(hostile)
    assert (await stub.unary(text("x"))).value == "made"


async def test_a_hostile_peers_request_id_is_replaced(bench: RpcBench) -> None:
    stub = await bench.stub(unary=request_id, new_id=lambda: "made")
    assert (await stub.unary(text("x"), metadata=(("x-request-id", "two words"),))).value == "made"


async def test_streams_have_the_request_id_from_their_first_to_their_last_line(bench: RpcBench) -> None:
    ids: list[str] = []

    async def streams(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        try:
            yield request
            ids.append(request_id_var.get())
        finally:
            ids.append(request_id_var.get())

    request_id_var.set("request-9")
    call = (await bench.stub(server_stream=streams)).server_stream(text("x"))
    assert [response.value async for response in call] == ["x"]
    assert ids == ["request-9", "request-9"]


async def test_a_servicer_knows_its_caller(bench: RpcBench) -> None:
    async def caller(request: StringValue, context: Context) -> StringValue:
        return text(caller_var.get())

    server = await bench.serve(unary=caller)
    assert (await EchoStub(bench.connect(server.address, caller="ai_agent")).unary(text("x"))).value == "ai_agent"


async def test_a_caller_with_the_token_is_let_in(bench: RpcBench) -> None:
    server = await bench.serve(token="secret")
    stub = EchoStub(bench.connect(server.address, token="secret"))
    assert (await stub.unary(text("x"))).value == "echo x"
    assert [response.value async for response in stub.server_stream(text("1"))] == ["0"]


@pytest.mark.parametrize(("token", "reason"), [(None, "SERVICE_TOKEN_MISSING"), ("secreT", "SERVICE_TOKEN_WRONG")])
async def test_a_caller_without_the_token_is_not(bench: RpcBench, token: str | None, reason: str) -> None:
    reached = []

    async def unary(request: StringValue, context: Context) -> StringValue:
        reached.append(request)
        return request

    server = await bench.serve(token="secret", unary=unary)
    stub = EchoStub(bench.connect(server.address, token=token))
    with capture_logs(), pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.unary(text("x"))
    error = errors.from_rpc_error(failed.value)
    assert isinstance(error, errors.UnauthenticatedError)
    assert error.reason == reason
    assert "secret" not in error.message
    with capture_logs(), pytest.raises(grpc.aio.AioRpcError):
        await stub.server_stream(text("1")).read()
    assert reached == []


async def test_health_needs_no_token(bench: RpcBench) -> None:
    server = await bench.serve(token="secret")
    health = health_stub(bench.connect(server.address))
    await health.Check(health_pb2.HealthCheckRequest())


async def test_a_servicer_knows_its_peer(bench: RpcBench) -> None:
    async def peer(request: StringValue, context: Context) -> StringValue:
        return text(context.peer())

    kind = {"tcp": "ipv4:", "unix": "unix:", "inproc": "inproc:"}[bench.transport]
    assert (await (await bench.stub(unary=peer)).unary(text("x"))).value.startswith(kind)
