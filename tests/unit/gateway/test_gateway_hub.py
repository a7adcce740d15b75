"""One feed to many readers."""

import asyncio

import pytest

from services.gateway.domain.hub import HEARTBEAT, Hub, Subscription, TooManyReadersError


def _hub(**options: int) -> Hub:
    return Hub("e", lambda topic: b"" if topic == "silent" else f"state of {topic}".encode(), **options)


async def _drain(subscription: Subscription) -> list[tuple[str, bytes, str]]:
    subscription.end()
    found = []
    while event := await subscription.next():
        found.append((event.topic, event.data, event.id))
    return found


async def test_snapshot_then_events_of_the_topics_asked_for() -> None:
    hub = _hub()
    hub.publish("a", b"0")
    subscription = hub.subscribe(["a", "b"])
    hub.publish("a", b"1")
    hub.publish("c", b"2")
    hub.publish("b", b"3")

    assert await _drain(subscription) == [
        ("a", b"state of a", "e-1"),
        ("b", b"state of b", "e-1"),
        ("a", b"1", "e-2"),
        ("b", b"3", "e-4"),
    ]


async def test_resume_gives_exactly_what_was_missed() -> None:
    hub = _hub()
    for number in range(5):
        hub.publish("a" if number % 2 == 0 else "b", str(number).encode())

    assert await _drain(hub.subscribe(["a"], "e-2")) == [("a", b"2", "e-3"), ("a", b"4", "e-5")]
    assert await _drain(hub.subscribe(["a"], "e-5")) == []


@pytest.mark.parametrize("last_id", ["", "e-", "e-x", "other-3", "e-9", "e-1", "e-²", "e-" + "9" * 5000])
async def test_an_id_that_cannot_be_resumed_starts_from_the_state(last_id: str) -> None:
    hub = _hub(history=2)
    for _ in range(4):
        hub.publish("a", b"x")

    assert await _drain(hub.subscribe(["a"], last_id)) == [("a", b"state of a", "e-4")]


async def test_what_is_held_for_resuming_is_bounded_by_its_size_too() -> None:
    hub = _hub(history_bytes=10)
    for number in range(5):
        hub.publish("a", str(number).encode() * 4)

    assert await _drain(hub.subscribe(["a"], "e-3")) == [("a", b"3333", "e-4"), ("a", b"4444", "e-5")]
    assert await _drain(hub.subscribe(["a"], "e-2")) == [("a", b"state of a", "e-5")]
    hub.publish("a", b"larger than everything")
    assert await _drain(hub.subscribe(["a"], "e-6")) == []
    assert await _drain(hub.subscribe(["a"], "e-5")) == [("a", b"state of a", "e-6")]


async def test_a_slow_reader_is_told_and_let_go_and_the_others_go_on() -> None:
    hub = _hub(queue_size=3)
    slow, quick = hub.subscribe(["a"]), hub.subscribe(["a"])
    received: list[bytes] = []
    for number in range(6):
        hub.publish("a", str(number).encode())
        while len(received) < number + 2:
            event = await quick.next()
            assert event is not None
            received.append(event.data)

    assert [topic for topic, _, _ in await _drain(slow)] == ["lagged"]
    assert received[1:] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert hub.readers == 1


async def test_coming_back_after_long_does_not_count_as_slow() -> None:
    hub = _hub(queue_size=2)
    for number in range(100):
        hub.publish("a", str(number).encode())

    subscription = hub.subscribe(["a"], "e-1")
    hub.publish("a", b"new")

    assert len(await _drain(subscription)) == 100


async def test_next_waits_and_close_ends_every_stream() -> None:
    hub = _hub()
    subscription = hub.subscribe([])
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0)
    hub.heartbeat()
    assert await waiting == HEARTBEAT
    hub.close()

    assert await subscription.next() is None
    with pytest.raises(TooManyReadersError):
        hub.subscribe(["a"])


async def test_readers_are_counted_and_limited() -> None:
    hub = _hub(max_readers=1)
    first = hub.subscribe(["a"])
    with pytest.raises(TooManyReadersError):
        hub.subscribe(["a"])
    hub.unsubscribe(first)

    hub.subscribe(["a"])
    assert hub.readers == 1
