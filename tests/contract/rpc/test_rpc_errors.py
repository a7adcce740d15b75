"""Failures arrive with the same code, reason and text on every transport."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue
from structlog.testing import capture_logs

from openmanager.common.v1 import telemetry_pb2, telemetry_pb2_grpc
from services.common import errors
from services.common.logs import request_id_var
from services.common.rpc.handlers import Context
from services.common.rpc.server import RpcServer
from services.common.telemetry import Telemetry
from tests.support.rpc_echo import EchoStub, RpcBench, read_until_failure, text


def raising(error: Exception) -> "RaisingServicer":
    return RaisingServicer(error)


class RaisingServicer:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def unary(self, request: StringValue, context: Context) -> StringValue:
        raise self.error

    async def stream(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        yield text("first")
        raise self.error


async def failure_of(stub: EchoStub) -> errors.OpenManagerError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.unary(text("x"))
    return errors.from_rpc_error(failed.value)


async def test_an_error_keeps_code_reason_text_and_fields(bench: RpcBench) -> None:
    fields = [errors.FieldError("start", "lies after end"), errors.FieldError("step", "is 0")]
    raised = errors.InvalidArgumentError("시작이 끝보다 늦습니다", reason="BAD_RANGE", fields=fields)
    got = await failure_of(await bench.stub(unary=raising(raised).unary))
    assert isinstance(got, errors.InvalidArgumentError)
    assert (got.message, got.reason, got.fields) == ("시작이 끝보다 늦습니다", "BAD_RANGE", tuple(fields))


async def test_retry_after_arrives(bench: RpcBench) -> None:
    raised = errors.ResourceExhaustedError("too many", retry_after_seconds=2.5)
    got = await failure_of(await bench.stub(unary=raising(raised).unary))
    assert got.retry_after_seconds == 2.5


@pytest.mark.parametrize("kind", errors.OpenManagerError.__subclasses__())
async def test_every_kind_of_error_arrives_as_itself(bench: RpcBench, kind: type[errors.OpenManagerError]) -> None:
    if kind.__module__ != errors.__name__:
        pytest.skip("an error of one service")
    got = await failure_of(await bench.stub(unary=raising(kind("told")).unary))
    assert type(got) is kind
    assert (got.message, got.reason) == ("told", kind.default_reason)


async def test_a_stream_fails_after_the_messages_it_sent(bench: RpcBench) -> None:
    stub = await bench.stub(server_stream=raising(errors.NotFoundError("gone", reason="SERVER_GONE")).stream)
    call = stub.server_stream(text("x"))
    got, failure = await read_until_failure(call)
    assert got == ["first"]
    assert errors.from_rpc_error(failure).reason == "SERVER_GONE"
    assert await call.code() is grpc.StatusCode.NOT_FOUND
    assert await call.details() == "gone"


async def test_a_crash_shows_the_request_id_and_nothing_of_its_cause(bench: RpcBench) -> None:
    stub = await bench.stub(unary=raising(ZeroDivisionError("secret of the implementation")).unary)
    request_id_var.set("request-7")
    with capture_logs() as lines:
        got = await failure_of(stub)
    assert type(got) is errors.InternalError
    assert got.message == "internal error; see the log line with request id request-7"
    crashes = [line for line in lines if line["event"] == "rpc_crashed"]
    assert len(crashes) == 1
    assert crashes[0]["method"] == "test.v1.EchoService/Unary"
    assert isinstance(crashes[0]["exc_info"], ZeroDivisionError)


async def test_a_crash_within_a_stream(bench: RpcBench) -> None:
    stub = await bench.stub(server_stream=raising(KeyError("x")).stream)
    with capture_logs():
        _, failure = await read_until_failure(stub.server_stream(text("x")))
    assert failure.code() is grpc.StatusCode.INTERNAL


async def test_a_servicer_may_abort_by_itself(bench: RpcBench) -> None:
    after: list[str] = []

    async def aborts(request: StringValue, context: Context) -> StringValue:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "past the end", (("key", "value"),))
        after.append("not reached")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub(unary=aborts)).unary(text("x"))
    assert failed.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert failed.value.details() == "past the end"
    assert ("key", "value") in tuple(failed.value.trailing_metadata())
    assert after == []


async def test_a_servicer_that_swallows_its_abort_cannot_answer_any_more(bench: RpcBench) -> None:
    async def swallows(request: StringValue, context: Context) -> StringValue:
        with contextlib.suppress(grpc.aio.AbortError):
            await context.abort(grpc.StatusCode.ABORTED, "no")
        return text("yes")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub(unary=swallows)).unary(text("x"))
    assert failed.value.code() is grpc.StatusCode.ABORTED


async def test_a_servicer_may_set_a_status_and_return(bench: RpcBench) -> None:
    async def sets(request: StringValue, context: Context) -> StringValue:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("half of it is gone")
        return text("not sent")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub(unary=sets)).unary(text("x"))
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.DATA_LOSS, "half of it is gone")


async def test_a_method_that_nobody_serves(bench: RpcBench) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await bench.stub()).missing(text("x"))
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


class NobodyWroteIt(telemetry_pb2_grpc.TelemetryServiceServicer):
    """A generated servicer whose methods are those of its base."""


async def test_a_method_that_nobody_wrote(bench: RpcBench) -> None:
    server = RpcServer("bare", telemetry=Telemetry("bare"), network=bench.network)
    bare: telemetry_pb2_grpc.TelemetryServiceServicer = NobodyWroteIt()  # type: ignore[abstract]
    handlers = {
        "Bare": grpc.unary_unary_rpc_method_handler(
            bare.ExportMetrics,
            telemetry_pb2.ExportMetricsRequest.FromString,
            telemetry_pb2.ExportMetricsResponse.SerializeToString,
        )
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.v1.BareService", handlers)])
    await server.start(f"{bench.new_address()}")
    channel = bench.connect(server.address)
    call: Any = channel.unary_unary("/test.v1.BareService/Bare", telemetry_pb2.ExportMetricsRequest.SerializeToString)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(telemetry_pb2.ExportMetricsRequest())
    await server.stop(0)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_server_that_is_not_there_is_unavailable(bench: RpcBench) -> None:
    addresses = {"tcp": "127.0.0.1:1", "unix": f"unix:{bench.folder}/nobody.sock", "inproc": "inproc:nobody"}
    got = await failure_of(EchoStub(bench.connect(addresses[bench.transport])))
    assert isinstance(got, errors.UnavailableError)


async def test_a_server_that_has_stopped_is_unavailable(bench: RpcBench) -> None:
    server = await bench.serve()
    stub = EchoStub(bench.connect(server.address))
    await stub.unary(text("x"))
    await server.stop(0)
    assert isinstance(await failure_of(stub), errors.UnavailableError)


async def test_a_message_that_cannot_be_parsed_fails(bench: RpcBench) -> None:
    channel = bench.connect((await bench.serve()).address)
    garbage: Any = channel.unary_unary("/test.v1.EchoService/Unary")
    with capture_logs(), pytest.raises(grpc.aio.AioRpcError) as failed:
        await garbage(b"\xff\xff\xff")
    assert failed.value.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


async def test_a_huge_error_still_arrives_as_itself(bench: RpcBench) -> None:
    fields = [errors.FieldError(f"row {number}", "값이 숫자가 아닙니다" * 5) for number in range(2_000)]
    raised = errors.InvalidArgumentError("줄마다 틀렸습니다 " * 5_000, reason="BAD_ROWS", fields=fields)
    got = await failure_of(await bench.stub(unary=raising(raised).unary))
    assert isinstance(got, errors.InvalidArgumentError)
    assert got.reason == "BAD_ROWS"
    assert got.message.startswith("줄마다 틀렸습니다")


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        (errors.UnavailableError("away"), errors.UnavailableError),
        (errors.InvalidArgumentError("bad"), errors.InternalError),  # not the fault of the one who called us
    ],
)
async def test_the_failure_of_a_call_that_a_servicer_makes(
    bench: RpcBench, behind: errors.OpenManagerError, expected: type[errors.OpenManagerError]
) -> None:
    far = await bench.stub(unary=raising(behind).unary)

    async def forwards(request: StringValue, context: Context) -> StringValue:
        return await far.unary(request)

    with capture_logs():
        assert type(await failure_of(await bench.stub(unary=forwards))) is expected


async def test_calls_are_counted_by_their_status(bench: RpcBench) -> None:
    telemetry = Telemetry("echo")
    stub = await bench.stub(telemetry=telemetry, client_stream=raising(errors.NotFoundError("no")).unary)
    await stub.unary(text("x"))
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.client_stream(iter([]))
    page = telemetry.exposition().decode()
    labels = 'method="{}",service="test.v1.EchoService"'
    assert f'openmanager_rpc_requests_total{{code="OK",{labels.format("Unary")}}} 1.0' in page
    assert f'openmanager_rpc_requests_total{{code="NOT_FOUND",{labels.format("ClientStream")}}} 1.0' in page
    assert f"openmanager_rpc_duration_seconds_count{{{labels.format('Unary')}}} 1.0" in page
    assert f"openmanager_rpc_in_flight{{{labels.format('Unary')}}} 0.0" in page


async def test_a_crash_is_one_warning_among_the_calls(bench: RpcBench, caplog: pytest.LogCaptureFixture) -> None:
    stub = await bench.stub(unary=raising(RuntimeError("x")).unary)
    structlog.reset_defaults()
    with capture_logs() as lines:
        await failure_of(stub)
    calls = [line for line in lines if line["event"] == "rpc"]
    assert [(line["log_level"], line["code"], line["caller"]) for line in calls] == [("warning", "INTERNAL", "test")]
