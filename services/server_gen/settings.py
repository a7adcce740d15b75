"""Settings of the virtual fleet."""

from typing import ClassVar

from pydantic import Field

from services.common.config import CommonSettings


class ServerGenSettings(CommonSettings):
    """Simulates a fleet of servers."""

    service: ClassVar[str] = "server_gen"

    listen: str = Field("127.0.0.1:50051", description="Address that the service listens on: `host:port` or `unix:path`.")
    seed: int = Field(20, ge=0, lt=2**63, description="Seed of the simulation; the same seed gives the same figures.")
    target_count: int = Field(20, ge=1, le=10_000, description="Servers in a complete fleet.")
    interval_seconds: float = Field(10.0, ge=1.0, le=3600.0, description="Distance between samples where the reader names none.")
