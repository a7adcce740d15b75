"""Leaving a stream of responses so that its server knows."""

import contextlib
from collections.abc import Iterator
from typing import TypeVar

import grpc.aio

CallT = TypeVar("CallT", bound=grpc.aio.Call)


@contextlib.contextmanager
def cancelling(call: CallT) -> Iterator[CallT]:
    """Hold a call for as long as a `with` block: its end cancels the call.

    So streams are read: `with cancelling(stub.WatchSamples(request)) as call: async for response in call: ...`.
    A `break`, an exception or a cancelled task leaves a grpc.aio call open until the garbage collector finds it, and the servicer
    goes on writing until then. For a call that has ended this does nothing.
    """
    try:
        yield call
    finally:
        call.cancel()
