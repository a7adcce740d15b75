"""Settings of the gateway."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from services.common.config import CommonSettings


class GatewaySettings(CommonSettings):
    """The HTTP API and dashboard in front of the suite."""

    service: ClassVar[str] = "gateway"

    listen: str = Field(
        "127.0.0.1:8080",
        description="Address of the HTTP API and dashboard; port 0 picks a free one and prints it.",
        json_schema_extra={"env": "OPENMANAGER_LISTEN"},
    )
    admin_token: SecretStr | None = Field(
        None,
        description="The first admin token; one is made and kept in the data folder when it is not given.",
        json_schema_extra={"env": "OPENMANAGER_ADMIN_TOKEN"},
    )
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024, description="Largest request body, counted after decompression.")
    max_ingest_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        description="Memory that requests with samples may take at the same time; beyond it they are asked to come again.",
    )
    body_timeout_seconds: float = Field(30.0, gt=0, description="How long a client may take to send its body.")
    max_analyze_rows: int = Field(100_000, ge=1, description="Most rows that one request to /analyze may hold.")
    rate_limit_per_second: float = Field(1000.0, gt=0, description="Requests a second that one token may make for long.")
    rate_limit_burst: int = Field(2000, ge=1, description="Requests that one token may make at once.")
    session_hours: float = Field(12.0, gt=0, description="How long a login of the dashboard lasts.")
    max_stream_clients: int = Field(200, ge=1, description="Most live streams that are open at once.")
    secure_cookies: bool = Field(
        False, description="Mark session cookies Secure; set it when browsers reach the gateway through HTTPS alone."
    )

    @field_validator("admin_token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value() if value is not None else ""
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ValueError("a token is sent in a header: it may hold letters, digits and signs of ASCII, and no space")
        return value
