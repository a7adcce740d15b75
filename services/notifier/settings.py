"""Settings of the notifier."""

from typing import ClassVar

from pydantic import Field, SecretStr

from services.common.config import CommonSettings


class NotifierSettings(CommonSettings):
    """What can be set for rules, alerts and notifications."""

    service: ClassVar[str] = "notifier"

    listen: str = Field("127.0.0.1:50054", description="Address of the notifier's RPC server.")
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL database such as `postgresql://user:password@host/name`; SQLite in the data folder when not given.",
        json_schema_extra={"env": "OPENMANAGER_DATABASE_URL"},
    )
    evaluation_interval_seconds: float = Field(
        15.0, gt=0, le=3600, description="How often a rule is evaluated when no batch arrives."
    )
    evaluation_min_interval_seconds: float = Field(
        1.0, ge=0, le=60, description="Least time between two evaluations of one rule, however fast batches arrive."
    )
    query_timeout_seconds: float = Field(10.0, gt=0, le=120, description="How long one query of a rule may take.")
    delivery_max_age_seconds: float = Field(86_400.0, gt=0, description="How long a notification is retried before it is given up.")
    delivery_backoff_seconds: float = Field(1.0, gt=0, description="Wait before the second attempt; doubled after each.")
    delivery_backoff_max_seconds: float = Field(300.0, gt=0, description="Longest wait between two attempts.")
    history_seconds: float = Field(30 * 86_400.0, gt=0, description="How long resolved alerts and finished notifications are kept.")
    external_url: str = Field("", description="Address of the dashboard as receivers see it, for links in notifications.")
