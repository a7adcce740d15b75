import asyncio

import pytest

from services.common.lifecycle import ComponentFailedError, Lifecycle, State


async def test_stops_run_last_in_first_out_and_one_that_fails_does_not_keep_the_others() -> None:
    lifecycle = Lifecycle("example")
    stopped: list[str] = []

    async def second() -> None:
        stopped.append("second")
        raise RuntimeError("broken")

    lifecycle.on_stop("first", lambda: stopped.append("first"))
    lifecycle.on_stop("second", second)
    lifecycle.on_stop("third", lambda: stopped.append("third"))
    await lifecycle.stop()
    await lifecycle.stop()
    assert stopped == ["third", "second", "first"]
    assert lifecycle.state is State.STOPPED


async def test_a_stop_that_hangs_is_left_behind() -> None:
    lifecycle = Lifecycle("example")
    stopped: list[str] = []
    lifecycle.on_stop("first", lambda: stopped.append("first"))
    lifecycle.on_stop("hanging", asyncio.Event().wait, timeout_seconds=0.01)
    await lifecycle.stop()
    assert stopped == ["first"]


async def test_ready_is_a_state() -> None:
    lifecycle = Lifecycle("example")
    waiting = asyncio.create_task(lifecycle.wait_ready())
    await asyncio.sleep(0)
    assert not lifecycle.is_ready
    assert not waiting.done()
    lifecycle.mark_ready()
    await waiting
    assert lifecycle.is_ready
    await lifecycle.stop()
    lifecycle.mark_ready()
    assert not lifecycle.is_ready, "what has stopped does not become ready again"


async def test_a_task_is_cancelled_by_the_stop() -> None:
    lifecycle = Lifecycle("example")
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    lifecycle.spawn("work", work())
    await asyncio.sleep(0)
    await lifecycle.stop()
    assert cleaned.is_set()
    assert lifecycle.failed.cancelled()


async def test_a_task_that_fails_is_the_failure_of_the_service() -> None:
    lifecycle = Lifecycle("example")

    async def work() -> None:
        raise ValueError("broken")

    lifecycle.spawn("work", work())
    with pytest.raises(ValueError, match="broken"):
        await lifecycle.failed
    await lifecycle.stop()


async def test_a_task_that_ends_by_itself_is_a_failure_too() -> None:
    lifecycle = Lifecycle("example")

    async def work() -> None:
        return

    lifecycle.spawn("work", work())
    with pytest.raises(ComponentFailedError, match=r"example\.work"):
        await lifecycle.failed
    await lifecycle.stop()
