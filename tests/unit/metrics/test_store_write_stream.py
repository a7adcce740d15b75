"""A stream of batches is answered in its order, and nothing is left running when it ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.metrics.write_stream import in_order


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def collect(stream: AsyncIterator[int], into: list[int]) -> None:
    async for answer in stream:
        into.append(answer)  # noqa: PERF401 - what came before a failure is asked for


async def test_answers_come_in_the_order_of_the_requests() -> None:
    gates = [asyncio.Event() for _ in range(4)]

    async def serve(number: int) -> int:
        if number + 1 < len(gates):
            await gates[number + 1].wait()  # each ends after the one behind it
        gates[number].set()
        return number

    assert [answer async for answer in in_order(numbers(4), serve, 4)] == [0, 1, 2, 3]


async def test_no_more_than_the_agreed_number_is_served_at_a_time() -> None:
    running = most = 0

    async def serve(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    assert len([answer async for answer in in_order(numbers(50), serve, 3)]) == 50
    assert most == 3


async def test_a_request_that_fails_ends_the_stream_after_the_answers_before_it() -> None:
    async def serve(number: int) -> int:
        if number == 2:
            raise ValueError("no")
        return number

    answers: list[int] = []
    with pytest.raises(ValueError, match="no"):
        await collect(in_order(numbers(9), serve, 4), answers)
    assert answers == [0, 1]


async def test_requests_that_fail_to_come_end_the_stream_after_what_came() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("gone")

    async def serve(number: int) -> int:
        return number

    answers: list[int] = []
    with pytest.raises(ConnectionError):
        await collect(in_order(broken(), serve, 4), answers)
    assert answers == [1]


async def test_a_reader_that_leaves_leaves_nothing_running() -> None:
    cancelled = asyncio.Event()

    async def serve(number: int) -> int:
        if number == 0:
            return number
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return number

    stream = in_order(numbers(3), serve, 2)
    assert await anext(stream) == 0
    await asyncio.sleep(0)
    await stream.aclose()
    assert cancelled.is_set()
    assert len(asyncio.all_tasks()) == 1
