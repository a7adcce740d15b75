"""`POST /api/v1/metrics`."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from services.common.errors import UnavailableError
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.gateway_fake import NOW_MS

NOW = NOW_MS // 1000


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _stored(gateway: RunningGateway) -> dict[tuple[str, str, int], float]:
    metrics = gateway.peers.metrics
    names = {series_id: dict(labels) for labels, series_id in metrics.ids.items()}
    return {(names[i]["server"], names[i]["__name__"], time): value for (i, time), value in metrics.samples.items()}


async def _push(gateway: RunningGateway, *samples: Any) -> Any:
    reply = await gateway("POST", "/api/v1/metrics", {"samples": list(samples)})
    assert reply.status == 200, reply.body
    return reply.json


async def test_values_are_counted_and_stored(gateway: RunningGateway) -> None:
    samples = [
        {"server": server, "timestamp": _iso(NOW + k), "metrics": {"cpu": 1.5 * k, "disk": 7}}
        for server in ("a", "b")
        for k in range(3)
    ]

    receipt = await _push(gateway, *samples)
    again = await _push(gateway, *samples)

    assert receipt == {"accepted": 12, "rejected": 0, "duplicate": 0, "late": 0, "errors": []}
    assert again == {"accepted": 0, "rejected": 0, "duplicate": 12, "late": 0, "errors": []}
    assert _stored(gateway)["b", "cpu", (NOW + 2) * 1000] == 3.0
    assert gateway.peers.metrics.calls.count("RegisterSeries") == 1


async def test_times_may_be_left_out_or_be_unix_seconds_or_have_any_zone(gateway: RunningGateway) -> None:
    await _push(
        gateway,
        {"server": "a", "metrics": {"cpu": 1}},
        {"server": "a", "timestamp": NOW - 1.25, "metrics": {"cpu": 2}},
        {"server": "a", "timestamp": "2023-11-15T07:13:00+09:00", "metrics": {"cpu": 3}},
    )

    assert _stored(gateway) == {("a", "cpu", NOW_MS): 1.0, ("a", "cpu", NOW_MS - 1250): 2.0, ("a", "cpu", NOW_MS - 20_000): 3.0}


async def test_bad_samples_are_named_and_spoil_nothing(gateway: RunningGateway) -> None:
    bad: list[tuple[Any, str]] = [
        (5, "INVALID_SAMPLE"),
        ({"server": "", "metrics": {"cpu": 1}}, "INVALID_SERVER"),
        ({"server": 7, "metrics": {"cpu": 1}}, "INVALID_SERVER"),
        ({"server": ["a"], "metrics": {"cpu": 1}}, "INVALID_SERVER"),
        ({"server": "x" * 254, "metrics": {"cpu": 1}}, "INVALID_SERVER"),
        ({"metrics": {"cpu": 1}}, "INVALID_SERVER"),
        ({"server": "a", "metrics": {}}, "INVALID_METRICS"),
        ({"server": "a", "metrics": [1]}, "INVALID_METRICS"),
        ({"server": "a"}, "INVALID_METRICS"),
        ({"server": "a", "metrics": {"cpu": True}}, "INVALID_VALUE"),
        ({"server": "a", "metrics": {"cpu": "1"}}, "INVALID_VALUE"),
        ({"server": "a", "metrics": {"cpu": None}}, "INVALID_VALUE"),
        ({"server": "a", "metrics": {"": 1}}, "INVALID_NAME"),
        ({"server": "a", "metrics": {"a\nb": 1}}, "INVALID_NAME"),
        ({"server": "a", "timestamp": "2025-01-27T09:00:00", "metrics": {"cpu": 1}}, "INVALID_TIMESTAMP"),
        ({"server": "a", "timestamp": "soon", "metrics": {"cpu": 1}}, "INVALID_TIMESTAMP"),
        ({"server": "a", "timestamp": True, "metrics": {"cpu": 1}}, "INVALID_TIMESTAMP"),
        ({"server": "a", "timestamp": 1e300, "metrics": {"cpu": 1}}, "INVALID_TIMESTAMP"),
        ({"server": "a", "labels": {"9x": "1"}, "metrics": {"cpu": 1}}, "INVALID_LABELS"),
        ({"server": "a", "labels": {"__name__": "x"}, "metrics": {"cpu": 1}}, "INVALID_LABELS"),
        ({"server": "a", "labels": {"server": "b"}, "metrics": {"cpu": 1}}, "INVALID_LABELS"),
        ({"server": "a", "labels": {"x": 1}, "metrics": {"cpu": 1}}, "INVALID_LABELS"),
        ({"server": "a", "labels": {"x": ["1"]}, "metrics": {"cpu": 1}}, "INVALID_LABELS"),
        ({"server": "a", "labels": ["x"], "metrics": {"cpu": 1}}, "INVALID_LABELS"),
        ({"server": "a", "tags": {}, "metrics": {"cpu": 1}}, "UNKNOWN_FIELD"),
        ({"server": "a", "timestamp": _iso(NOW + 86_400), "metrics": {"cpu": 1}}, "IN_FUTURE"),
    ]
    good = {"server": "good", "metrics": {"cpu": 2.5}}

    receipt = await _push(gateway, good, *[sample for sample, _ in bad], {**good, "timestamp": NOW - 5})

    assert receipt["accepted"] == 2
    assert receipt["rejected"] == len(bad)
    assert [(error["index"], error["reason"]) for error in receipt["errors"]] == [
        (i + 1, reason) for i, (_, reason) in enumerate(bad)
    ]
    assert {server for server, _, _ in _stored(gateway)} == {"good"}


async def test_one_bad_value_leaves_the_others_of_its_sample(gateway: RunningGateway) -> None:
    receipt = await _push(gateway, {"server": "a", "metrics": {"cpu": 1, "memory": "high", "disk": 3}})

    assert (receipt["accepted"], receipt["rejected"]) == (2, 1)
    assert "'memory'" in receipt["errors"][0]["message"]


async def test_labels_make_series_of_their_own_and_empty_ones_do_not(gateway: RunningGateway) -> None:
    await _push(
        gateway,
        {"server": "a", "metrics": {"disk": 1}},
        {"server": "a", "labels": {"mount": "/", "role": "db"}, "metrics": {"disk": 2}},
        {"server": "a", "labels": {"role": "db", "mount": "/"}, "timestamp": NOW - 1, "metrics": {"disk": 3}},
        {"server": "a", "labels": {"mount": ""}, "timestamp": NOW - 1, "metrics": {"disk": 4}},
    )

    assert sorted(gateway.peers.metrics.ids) == [
        (("__name__", "disk"), ("mount", "/"), ("role", "db"), ("server", "a")),
        (("__name__", "disk"), ("server", "a")),
    ]


async def test_a_replaced_store_is_registered_with_again(gateway: RunningGateway) -> None:
    sample = {"server": "a", "metrics": {"cpu": 1}}
    await _push(gateway, sample)
    gateway.peers.metrics.replace_store()

    receipt = await _push(gateway, sample, {"server": "b", "metrics": {"cpu": 1}})

    assert receipt["accepted"] == 2
    assert len(gateway.peers.metrics.samples) == 2


async def test_series_that_the_store_refuses_are_told_by_sample(gateway: RunningGateway) -> None:
    gateway.peers.metrics.refused_names = {"disk"}

    receipt = await _push(
        gateway, {"server": "a", "metrics": {"cpu": 1}}, {"server": "a", "metrics": {"cpu": 2, "disk": 3}, "timestamp": NOW - 1}
    )

    assert (receipt["accepted"], receipt["rejected"]) == (2, 1)
    assert receipt["errors"] == [{"index": 1, "reason": "SERIES_LIMIT", "message": "too many series"}]


async def test_the_wrong_shape_as_a_whole_is_400(gateway: RunningGateway) -> None:
    bodies = [[], {}, {"samples": {}}, {"samples": [], "more": 1}, {"samples": [], "batch_id": 5}]

    assert [(await gateway("POST", "/api/v1/metrics", body)).status for body in bodies] == [400] * len(bodies)
    assert (await gateway("POST", "/api/v1/metrics", body=b"{", headers={"Content-Type": "application/json"})).status == 400


async def test_no_samples_is_an_empty_receipt(gateway: RunningGateway) -> None:
    assert (await _push(gateway))["accepted"] == 0
    assert "Write" not in gateway.peers.metrics.calls


async def test_nothing_is_acknowledged_while_the_store_is_away(gateway: RunningGateway) -> None:
    gateway.peers.metrics.error = UnavailableError("the disk is full", reason="STORE_WRITE_FAILED")

    reply = await gateway("POST", "/api/v1/metrics", {"samples": [{"server": "a", "metrics": {"cpu": 1}}]})

    assert (reply.status, reply.json["reason"]) == (503, "STORE_WRITE_FAILED")


async def test_a_large_body_is_taken_apart_beside_the_loop(tmp_path: Path) -> None:
    samples = [
        {"server": f"s{k % 50}", "timestamp": NOW - k // 50, "metrics": {"cpu": k, "memory": 2, "disk": 3}} for k in range(8000)
    ]
    body = gzip.compress(orjson.dumps({"samples": samples}))
    async with running_gateway(tmp_path) as gateway:
        reply = await gateway("POST", "/api/v1/metrics", body=body, headers={"Content-Encoding": "gzip"})

    assert reply.json["accepted"] == 24_000
