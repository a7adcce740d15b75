"""Samples in, servers and figures out."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from services.gateway.web.schemas.base import Answer, Listing, PageQuery, Query, Strict, Time


class Sample(Strict):
    """Figures of one server at one time."""

    server: str = Field(min_length=1, max_length=253)
    timestamp: Time | float | None = Field(None, description="RFC 3339 with a zone, or Unix seconds; now when absent.")
    metrics: dict[str, float] = Field(min_length=1, description="Values by name of the metric.")
    labels: dict[str, str] | None = Field(None, description="Labels beside `server`.", max_length=32)


class SampleBatchBody(Strict):
    """Samples to store. They are checked one by one: a wrong one is told in the receipt and does not spoil the others."""

    batch_id: str = Field("", max_length=200, description="Names the batch in logs.")
    samples: list[Sample]


class ImportLine(Strict):
    """One line of a body of lines: a stretch of one series."""

    metric: dict[str, str] = Field(description="Labels; `__name__` and `server` are required.")
    timestamps: list[int] = Field(description="Unix milliseconds.")
    values: list[float] = Field(description="As many as there are timestamps.")


class SampleProblem(Answer):
    """Why a sample, or one of its values, was not stored."""

    index: int = Field(description="Index of the sample, or line, in the request.")
    reason: str
    message: str


class Receipt(Answer):
    """What became of a batch, in values; what was accepted is durable."""

    accepted: int
    rejected: int
    duplicate: int
    late: int
    errors: list[SampleProblem] = Field(description="The first 100.")


class Server(Answer):
    """A server that samples were received from."""

    server: str
    role: str | None
    health: Literal["ok", "warning", "critical", "unknown"]
    last_seen: Time | None
    labels: dict[str, str]
    metrics: dict[str, float] = Field(description="Newest figures by concept; absent where older than five minutes.")
    expressions: dict[str, str] = Field(description="The PromQL expression that gives each figure again.")
    reasons: list[str] = Field(description="Which figures gave the health.")


class ServerList(Listing):
    """Servers in ascending order of name."""

    items: list[Server]


class StreamQuery(Query):
    """What to follow live."""

    topics: str = Field("metrics,alerts", description="Comma-separated: metrics, alerts.")


class ServersQuery(PageQuery):
    """Which servers."""


class PrometheusAnswer(Answer):
    """The envelope of the Prometheus HTTP API."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=True)

    status: Literal["success", "error"]
    data: Any = None
    error_type: str | None = Field(None, alias="errorType")
    error: str | None = None
    warnings: list[str] | None = None


class InstantParameters(Query):
    """Parameters of an instant query."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str = Field(description="PromQL expression.")
    time: str | None = Field(None, description="RFC 3339 or Unix seconds; now when absent.")
    timeout: str | None = Field(None, description="Duration such as 30s.")
    limit: int = Field(0, ge=0, description="At most this many series; 0 for all.")


class RangeParameters(Query):
    """Parameters of a range query."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str = Field(description="PromQL expression.")
    start: str = Field(description="RFC 3339 or Unix seconds.")
    end: str = Field(description="RFC 3339 or Unix seconds.")
    step: str = Field(description="Duration such as 15s, or seconds.")
    timeout: str | None = Field(None, description="Duration such as 30s.")
    limit: int = Field(0, ge=0, description="At most this many series; 0 for all.")


class SeriesParameters(Query):
    """Parameters that choose series."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    match: list[str] = Field(default_factory=list, alias="match[]", description="PromQL selectors; any may match.")
    start: str | None = Field(None, description="RFC 3339 or Unix seconds.")
    end: str | None = Field(None, description="RFC 3339 or Unix seconds.")
    limit: int = Field(0, ge=0, description="At most this many; 0 for all.")


class MetadataParameters(Query):
    """Of which metrics something is to be told."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    metric: str | None = Field(None, description="Only this metric.")
    limit: int = Field(-1, description="At most this many; all when negative.")


class RulesParameters(Query):
    """Which rules."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str = Field("", description="`alert` or `record`; all when empty. There are no recording rules.")
