"""Questions and answers, rows and what they show."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from services.gateway.web.schemas.base import Answer, Document, Listing, Strict, Time

Language = Literal["ko", "en"]


class AskBody(Strict):
    """A question."""

    query: str = Field(min_length=1, max_length=2000)
    lang: Language | None = Field(None, description="Language of the answer; that of the question when absent.")
    at: Time | None = Field(None, description='What "now" means in the question.')
    tz: str | None = Field(None, max_length=64, description="IANA time zone.")
    session_id: str | None = Field(None, max_length=128)


class TimeRange(Answer):
    """An absolute range of time."""

    start: Time
    end: Time


class Interpretation(Answer):
    """How a question was understood; null where it said nothing."""

    intent: str
    metric: str | None
    servers: list[str]
    roles: list[str]
    op: str | None
    value: float | None
    limit: int | None
    order: str | None
    aggregation: str | None
    range: TimeRange | None
    horizon: float | None
    duration: float | None
    for_: float | None = Field(alias="for")
    severity: str | None
    channel: str | None
    understood: list[str]
    not_understood: list[str]
    confidence: float


class Evidence(Answer):
    """A figure of an answer, and the query that gives it again."""

    claim: str
    expr: str
    time: Time | None
    start: Time | None
    end: Time | None
    value: float
    unit: str | None
    servers: list[str]
    samples: int


class EngineAttempt(Answer):
    """How one engine did."""

    engine: str
    outcome: str
    ms: float
    detail: str | None


class AnswerMetadata(Answer):
    """How the answer came about."""

    engine: str | None
    attempts: list[EngineAttempt]
    processing_time_ms: float
    confidence: float


class AskAnswer(Answer):
    """An answer, with the evidence of each figure in it."""

    success: bool = Field(description="False only when every engine failed.")
    lang: Language
    response: str
    interpretation: Interpretation
    evidence: list[Evidence]
    recommendations: list[str]
    proposal: dict[str, Any] | None = Field(description="An object to POST, when the question asked for a change.")
    metadata: AnswerMetadata


_ROW = {
    "type": "object",
    "properties": {
        "timestamp": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]},
        "cpu": {"type": "number"},
        "memory": {"type": "number"},
        "disk": {"type": "number"},
    },
    "additionalProperties": {"type": ["number", "null"]},
}


class AnalyzeBody(Strict):
    """Rows of one server to analyse."""

    query: str = Field("", max_length=2000)
    # Rows are checked by column, not one by one: see services/common/rows.py.
    metrics: Annotated[Any, WithJsonSchema({"type": "array", "minItems": 1, "items": _ROW})]
    context: Annotated[Document, Field(max_length=64)] | None = None
    lang: Language | None = None


class Deviation(Answer):
    """How far a value is from what was expected."""

    metric: str
    value: float
    expected_low: float
    expected_high: float


class Anomaly(Answer):
    """One unusual row."""

    index: int
    timestamp: Time | None
    values: dict[str, float | None]
    deviations: list[Deviation]
    score: float


class Anomalies(Answer):
    """The unusual rows."""

    count: int
    severity: Literal["normal", "low", "medium", "high"]
    data: list[Anomaly] = Field(description="The most unusual ones, at most 100, in order of row.")


class Trend(Answer):
    """How a column moves."""

    direction: Literal["rising", "falling", "stable", "unknown"]
    slope_per_hour: float | None
    p_value: float | None
    mean: float | None
    last: float | None


class PredictionPoint(Answer):
    """A predicted value with its 95 % interval."""

    timestamp: Time | None
    steps_ahead: int
    value: float
    lower: float
    upper: float


class Prediction(Answer):
    """What a column will be, or why that cannot be said."""

    method: str | None = None
    points: list[PredictionPoint] | None = None
    refusal: str | None = None


class Analysis(Answer):
    """What the rows show."""

    success: bool
    analysis: str
    recommendations: list[str]
    confidence: float
    processing_time: float = Field(description="Seconds.")
    anomalies: Anomalies
    trends: dict[str, Trend]
    predictions: dict[str, Prediction]
    engine: str
    lang: Language


class Engine(Answer):
    """One engine."""

    name: str
    description: str
    circuit: str
    answered: int
    failed: int


class EngineList(Listing):
    """Engines in the order they are tried."""

    items: list[Engine]
