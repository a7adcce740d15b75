"""Settings of the metrics service."""

import socket
from typing import ClassVar

from pydantic import Field

from services.common.config import CommonSettings


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
