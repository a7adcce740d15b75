"""What names tell of metrics, and how values of alerts are written."""

import math
from typing import Any

import pytest

from services.gateway.domain.metadata import describe
from services.gateway.domain.prometheus_rules import alerts_document, rule_groups


def test_names_tell_the_types() -> None:
    names = ["x_bucket", "x_count", "x_sum", "y_bucket", "y_sum", "z_count", "jobs_total", "memory", "node_load1"]

    found = {name: told[0]["type"] for name, told in describe(names).items()}

    assert list(found) == sorted(found)
    assert found == {
        "x": "histogram",
        "y_bucket": "unknown",
        "y_sum": "unknown",
        "z_count": "unknown",
        "jobs_total": "counter",
        "memory": "gauge",
        "node_load1": "unknown",
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1e+00"),
        (91.25, "9.125e+01"),
        (-0.001, "-1e-03"),
        (1e100, "1e+100"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_values_of_alerts_have_an_exponent(value: float, written: str) -> None:
    alert: dict[str, Any] = {"labels": {}, "annotations": {}, "state": "firing", "started_at": "t", "value": value}

    assert alerts_document(alert)["value"] == written


def test_no_rules_are_no_group() -> None:
    assert rule_groups([], []) == []
