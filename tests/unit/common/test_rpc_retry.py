import asyncio
import random

import grpc
import grpc.aio
import pytest

from services.common.clock import ManualClock
from services.common.rpc.retry import Backoff, call_idempotent


class Peer:
    """Fails with these codes, one a call, then answers."""

    def __init__(self, *codes: grpc.StatusCode) -> None:
        self.codes = list(codes)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.codes:
            raise grpc.aio.AioRpcError(self.codes.pop(0), grpc.aio.Metadata(), grpc.aio.Metadata(), details="")
        return "answer"


async def run(peer: Peer, attempts: int = 3) -> str:
    clock = ManualClock()
    call = call_idempotent(peer, clock=clock, rng=random.Random(1), backoff=Backoff(attempts=attempts))
    task = asyncio.create_task(call)
    await clock.advance(60.0)
    return await task


async def test_an_unavailable_peer_is_tried_again() -> None:
    peer = Peer(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    assert await run(peer) == "answer"
    assert peer.calls == 3


async def test_attempts_are_bounded_and_the_last_error_is_told() -> None:
    peer = Peer(*[grpc.StatusCode.UNAVAILABLE] * 9)
    with pytest.raises(grpc.aio.AioRpcError):
        await run(peer, attempts=4)
    assert peer.calls == 4


@pytest.mark.parametrize("code", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED])
async def test_other_errors_are_not_tried_again(code: grpc.StatusCode) -> None:
    peer = Peer(code)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await run(peer)
    assert failed.value.code() is code
    assert peer.calls == 1


async def test_it_waits_between_attempts() -> None:
    peer, clock = Peer(grpc.StatusCode.UNAVAILABLE), ManualClock()
    task = asyncio.create_task(call_idempotent(peer, clock=clock, rng=random.Random(1)))
    await clock.advance(0.0)
    assert peer.calls == 1
    await clock.advance(0.1)
    assert await task == "answer"


def test_waits_double_up_to_the_most_and_the_same_seed_gives_the_same_waits() -> None:
    backoff = Backoff(attempts=9, first_seconds=0.1, most_seconds=1.0)
    for attempt, most in ((1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (8, 1.0)):
        waits = [backoff.wait_seconds(attempt, random.Random(seed)) for seed in range(200)]
        assert max(waits) <= most
        assert max(waits) > 0.9 * most
        assert min(waits) < 0.1 * most
    first, second = random.Random(7), random.Random(7)
    assert [backoff.wait_seconds(n, first) for n in (1, 2, 3)] == [backoff.wait_seconds(n, second) for n in (1, 2, 3)]
