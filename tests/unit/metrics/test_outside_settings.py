"""Settings of what lies outside: InfluxDB and the receiver of remote write."""

import pytest

from services.common.config import ConfigError, load_settings
from services.metrics.settings import MetricsSettings


def load(**variables: str) -> MetricsSettings:
    return load_settings(MetricsSettings, environ={f"OPENMANAGER_{name.upper()}": value for name, value in variables.items()})


def test_addresses_may_hold_secrets_that_are_not_shown() -> None:
    settings = load(influx_url="http://me:hidden@influx:8086/db", metrics_remote_write_url="https://me:hidden@far/write")
    assert settings.influx_url is not None
    assert settings.influx_url.get_secret_value().endswith("/db")
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    "variables",
    [
        {"influx_url": "influx:hidden"},
        {"influx_url": "http://me:hidden@influx/db?unknown=1"},
        {"metrics_remote_write_url": "ftp://me:hidden@far/"},
        {"metrics_remote_write_url": "http://me:hidden@far/", "metrics_remote_write_bearer_token": "hidden"},
    ],
)
def test_addresses_that_cannot_be_used_are_told_without_their_secrets(variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(**variables)
    assert "hidden" not in refusal.value.message
    (problem,) = refusal.value.fields
    assert "REMOTE_WRITE" in problem.field or "INFLUX_URL" in problem.field
