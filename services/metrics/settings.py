"""Settings of the metrics service."""

import socket
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from services.common.config import CommonSettings
from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.remote_write_out.options import RemoteWriteOptions


class MetricsSettings(CommonSettings):
    """Collects and keeps samples and answers PromQL."""

    service: ClassVar[str] = "metrics"

    listen: str = Field("127.0.0.1:50052", description="Address that the service listens on: `host:port` or `unix:path`.")
    retention_days: float = Field(30.0, gt=0.0, le=3650.0, description="Samples older than this are deleted.")
    late_hours: float = Field(24.0, gt=0.0, description="A live sample may be this much older than the newest of its series.")
    future_seconds: float = Field(600.0, ge=0.0, description="A sample may be this much ahead of this machine's clock.")
    max_series: int = Field(1_000_000, ge=1, description="Series in the whole store.")
    max_series_per_server: int = Field(50_000, ge=1, description="Series with the same value of the label `server`.")
    query_max_samples: int = Field(50_000_000, ge=1, description="Samples that one query may read.")
    feed_samples: int = Field(1_000_000, ge=1, description="Newest samples held for readers of the live feed.")
    host_enabled: bool = Field(True, description="Collect the figures of this machine.")
    host_name: str = Field(
        default_factory=socket.gethostname, min_length=1, description="Name of this machine; its own by default."
    )
    host_interval_seconds: float = Field(10.0, ge=1.0, description="Distance between readings of this machine.")
    fleet_enabled: bool = Field(True, description="Collect the samples of the virtual fleet.")
    fleet_history_days: float = Field(
        default_factory=lambda others: min(14.0, others.get("retention_days", 14.0)),
        ge=0.0,
        description="Past of the virtual fleet to be stored: 14 days by default, or what is retained where that is less.",
    )

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL database for what is scraped, such as `postgresql://user:password@host/name`; SQLite in the data folder "
        "when not given. It does not hold samples.",
        json_schema_extra={"env": "OPENMANAGER_DATABASE_URL"},
    )
    influx_url: SecretStr | None = Field(
        None,
        description="InfluxDB that keeps the samples, such as `http://user:password@host:8086/openmanager`, or with a token "
        "`http://:TOKEN@host:8086/openmanager`; the embedded store in the data folder when not given.",
        json_schema_extra={"env": "OPENMANAGER_INFLUX_URL"},
    )
    remote_write_url: SecretStr | None = Field(
        None,
        description="Prometheus-compatible receiver that everything stored is sent on to by remote write, such as "
        "`https://user:password@host/api/v1/write`; nobody when not given.",
    )
    remote_write_bearer_token: SecretStr | None = Field(None, description="Token for that receiver.")
    remote_write_ca_file: Path | None = Field(
        None, description="Certificates to trust in it, as PEM; the machine's own when not given."
    )
    remote_write_queue_bytes: int = Field(
        1 << 30,
        ge=1 << 20,
        description="Space on disk for samples that the receiver has not taken yet; the oldest go first when it is full.",
    )
    scrape_config: Path | None = Field(
        None, description="Targets to scrape, in the form of a `prometheus.yml`; read again whenever the file changes."
    )
    scrape_files_dir: Path | None = Field(
        None,
        description="Folder below which jobs made through the API may name files; `metrics/scrape` in the data folder when not given.",
    )
    scrape_max_concurrent: int = Field(1000, ge=1, description="Targets that are read from at the same time.")
    scrape_max_body_bytes: int = Field(67_108_864, ge=1024, description="Largest page of a target, decompressed.")

    @field_validator("influx_url")
    @classmethod
    def _usable_influx_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            InfluxAddress.parse(value.get_secret_value())
        return value

    @field_validator("remote_write_url")
    @classmethod
    def _usable_remote_write_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            RemoteWriteOptions.of(value.get_secret_value())
        return value

    @field_validator("remote_write_bearer_token")
    @classmethod
    def _one_authorization(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        url = others.data.get("remote_write_url")
        if value is not None and url is not None:
            RemoteWriteOptions.of(url.get_secret_value(), bearer_token=value.get_secret_value())
        return value

    @field_validator("fleet_history_days")
    @classmethod
    def _within_retention(cls, value: float, others: ValidationInfo) -> float:
        retention_days = others.data.get("retention_days", value)
        if value > retention_days:
            raise ValueError(f"{value:g} days cannot be kept when samples older than {retention_days:g} days are deleted")
        return value
