"""Settings of the virtual fleet."""

from datetime import date
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from services.common.config import CommonSettings


class ServerGenSettings(CommonSettings):
    """Simulates a fleet of servers."""

    service: ClassVar[str] = "server_gen"

    listen: str = Field("127.0.0.1:50051", description="Address that the service listens on: `host:port` or `unix:path`.")
    seed: int = Field(20, ge=0, lt=2**63, description="Seed of the simulation; the same seed gives the same figures.")
    target_count: int = Field(20, ge=1, le=10_000, description="Servers in a complete fleet.")
    interval_seconds: float = Field(10.0, ge=1.0, le=3600.0, description="Distance between samples where the reader names none.")
    scenario: str = Field(
        "demo", description="Faults that befall the fleet: a scenario that comes with the suite, or the path of a TOML file."
    )
    holidays_extra: list[date] = Field(
        default_factory=list,
        description="Dates on which the fleet's users stay at home besides public holidays, such as `2027-05-04,2027-07-16`.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL database such as `postgresql://user:password@host/name`; SQLite in the data folder when not given.",
        json_schema_extra={"env": "OPENMANAGER_DATABASE_URL"},
    )

    @field_validator("holidays_extra", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        """Environment variables and flags hold a text."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
