import grpc
import pytest
from google.rpc import status_pb2

from services.common import errors


@pytest.mark.parametrize("kind", errors._ERRORS)
def test_every_error_survives_the_wire(kind: type[errors.OpenManagerError]) -> None:
    sent = kind(
        "it went wrong", reason="SOME_REASON", fields=[errors.FieldError("expr", "does not parse")], retry_after_seconds=2.5
    )
    wire = errors.to_status(sent).SerializeToString()
    received = errors.from_status(kind.code, "it went wrong", status_pb2.Status.FromString(wire))
    assert type(received) is kind
    assert (received.message, received.reason, received.fields) == (sent.message, sent.reason, sent.fields)
    assert received.retry_after_seconds == 2.5


def test_a_status_of_another_program_keeps_its_code_and_message() -> None:
    received = errors.from_status(grpc.StatusCode.NOT_FOUND, "nothing here")
    assert isinstance(received, errors.NotFoundError)
    assert received.reason == "NOT_FOUND"
    assert isinstance(errors.from_status(grpc.StatusCode.DATA_LOSS, "lost"), errors.InternalError)
    assert isinstance(errors.from_status(grpc.StatusCode.OUT_OF_RANGE, "too far"), errors.InvalidArgumentError)


def test_a_reason_is_upper_snake() -> None:
    for kind in errors._ERRORS:
        assert kind.default_reason == kind.default_reason.upper()
