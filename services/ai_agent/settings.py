"""Settings of the AI agent."""

from typing import ClassVar

from pydantic import Field, field_validator

from services.common.config import CommonSettings


class AiAgentSettings(CommonSettings):
    """Answers questions and analyses rows."""

    service: ClassVar[str] = "ai_agent"

    listen: str = Field("127.0.0.1:50053", description="Address that the service listens on: `host:port` or `unix:path`.")
    http_listen: str = Field(
        "",
        description="Address of the HTTP door for /analyze; none when empty. A process of its own opens 127.0.0.1:8001.",
    )
    engines: str = Field("optimized,fallback", description="Engines by name, in the order in which they are tried.")
    ask_seconds: float = Field(10.0, gt=0.1, le=300.0, description="Time for one question over all engines.")
    query_seconds: float = Field(5.0, gt=0.1, le=300.0, description="Time for one query to the metrics service.")
    breaker_failures: int = Field(5, ge=1, description="Failures in a row after which an engine is left alone.")
    breaker_seconds: float = Field(30.0, gt=0.0, description="How long an engine is left alone.")
    analyze_threads: int = Field(2, ge=1, le=64, description="Requests to /analyze of few rows at a time.")
    analyze_processes: int = Field(1, ge=1, le=64, description="Processes for requests to /analyze of many rows.")
    analyze_queue: int = Field(32, ge=1, description="Requests to /analyze that may wait.")
    analyze_seconds: float = Field(
        8.0, gt=0.1, le=600.0, description="Time for one request to /analyze; beyond it the answer is basic statistics."
    )
    analyze_max_rows: int = Field(100_000, ge=1, le=1_000_000, description="Rows that one request to /analyze may hold.")

    @field_validator("engines")
    @classmethod
    def _some_engine(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if not names:
            raise ValueError("name at least one engine, such as optimized")
        if len(set(names)) != len(names):
            raise ValueError("an engine is named twice")
        return ",".join(names)

    @property
    def engine_names(self) -> tuple[str, ...]:
        """Engines in the order in which they are tried."""
        return tuple(self.engines.split(","))


class StandaloneSettings(AiAgentSettings):
    """Answers questions and analyses rows, in a process of its own."""

    http_listen: str = Field("127.0.0.1:8001", description="Address of the HTTP door for /analyze; none when empty.")
