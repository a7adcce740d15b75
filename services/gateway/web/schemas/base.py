"""What all HTTP types share."""

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A body of ours: no type is converted, and a field that is not known is an error and not a typo that goes unseen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Answer(BaseModel):
    """What the gateway answers with. Answers are built by the adapters; tests hold them against these types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Query(BaseModel):
    """Parameters of a URL: texts, converted where a number is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _with_zone(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone; end it with Z or an offset such as +09:00")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time must be between the years 1 and 9999 of UTC") from None
    return text


Time = Annotated[str, AfterValidator(_with_zone), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 with a zone."""
Seconds = Annotated[float, Field(ge=0, le=31_536_000)]
"""A duration of at most a year."""


def _writable(document: dict[str, Any]) -> dict[str, Any]:
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        raise ValueError("nests too deeply") from None
    return document


Document = Annotated[dict[str, Any], AfterValidator(_writable)]
"""An object of any shape, to be handed on as JSON: what may be read nests deeper than what can be written."""


class FieldProblem(Answer):
    """One wrong field of a request."""

    field: str
    message: str


class Problem(Answer):
    """An error, RFC 9457."""

    type: str = Field(description="Always about:blank: `reason` is what programs go by.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="Path of the request.")
    reason: str = Field(description="UPPER_SNAKE name of what went wrong.")
    errors: list[FieldProblem] = Field(description="The wrong fields, when the request had any.")


class PageQuery(Query):
    """Which page of a list."""

    page_size: int = Field(100, ge=1, le=1000, description="At most this many items.")
    page_token: str = Field("", max_length=2000, description="`next_page_token` of the page before.")


class Listing(Answer):
    """One page of a list."""

    next_page_token: str | None = Field(description="Ask for the next page with it; null on the last.")
