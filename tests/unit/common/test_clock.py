import asyncio

from services.common.clock import ManualClock, SystemClock


async def test_sleepers_wake_in_order_each_at_its_own_time() -> None:
    clock = ManualClock(100.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper(name, seconds)) for name, seconds in (("b", 2.0), ("a", 1.0), ("c", 30.0))]
    await clock.advance(10.0)
    assert woken == [("a", 101.0), ("b", 102.0)]
    assert clock.now() == 110.0
    await clock.advance(20.0)
    assert woken[-1] == ("c", 130.0)
    await asyncio.gather(*tasks)


async def test_a_sleeper_that_sleeps_again_wakes_within_the_same_advance() -> None:
    clock = ManualClock(0.0)
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await clock.sleep(1.0)
            ticks.append(clock.now())

    task = asyncio.create_task(tick())
    await clock.advance(3.5)
    assert ticks == [1.0, 2.0, 3.0]
    task.cancel()


def test_the_system_clock_never_goes_back() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert clock.now() > 1.7e9
