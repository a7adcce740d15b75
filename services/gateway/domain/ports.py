"""What the HTTP handlers need of the rest of the suite.

`Document` is an object in the shape that the HTTP contract gives it, ready to be written as JSON. Every method raises an
`OpenManagerError` of the failing service, or `UnavailableError` when that service is away.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from services.common.rows import RowColumns
from services.gateway.domain.batch import Receipt, SampleBatch
from services.gateway.domain.promql import Labels, Matrix, Result
from services.gateway.domain.protocols.otlp import OtlpMetric

Document: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One page of a list; `next_page_token` is empty on the last."""

    items: list[Document]
    next_page_token: str = ""


@dataclass(frozen=True)
class Question:
    """A question as the caller put it; None and empty mean not given."""

    query: str
    lang: str = ""
    at_ms: int | None = None
    tz: str = ""
    session_id: str = ""


@dataclass(frozen=True)
class FaultOrder:
    """A fault that shall befall the virtual fleet; None and empty mean that the kind's own choice holds.

    Attributes:
        kind: name of the kind.
        duration_seconds: how long it lasts.
        severity: how bad it gets, 0 to 1.
        server: host name of the server that it begins on.
        start_ms: when it begins; now when None.
    """

    kind: str
    duration_seconds: float
    severity: float
    server: str = ""
    start_ms: int | None = None


class SampleWriter(Protocol):
    """Makes samples durable."""

    async def write(self, batch: SampleBatch) -> Receipt:
        """Store the batch; the receipt counts what was refused before as well."""
        ...


class OtlpForm(Protocol):
    """The messages of OTLP."""

    def read(self, body: bytes, *, is_json: bool) -> Iterator[OtlpMetric]:
        """The metrics of a request, in protobuf or JSON; raises `InvalidArgumentError`, also on the way, when it is none."""
        ...

    def answer(self, rejected: int, message: str, *, is_json: bool) -> bytes:
        """The answer to a request that was taken, but for so many points, with the reason."""
        ...


class MetricReader(Protocol):
    """Reads stored samples."""

    async def query(self, expr: str, time_ms: int | None, timeout_seconds: float) -> Result:
        """The value of a PromQL expression at one instant, now when not given."""
        ...

    async def query_range(self, expr: str, start_ms: int, end_ms: int, step_ms: int, timeout_seconds: float) -> Matrix:
        """The values of a PromQL expression at each step of a range, both ends included."""
        ...

    async def series(self, selectors: Sequence[str], start_ms: int | None, end_ms: int | None, limit: int) -> list[Labels]:
        """The series that match any selector; limit 0 is none."""
        ...

    async def label_names(self, selectors: Sequence[str], start_ms: int | None, end_ms: int | None) -> list[str]:
        """Names of labels in use."""
        ...

    async def label_values(self, name: str, selectors: Sequence[str], start_ms: int | None, end_ms: int | None) -> list[str]:
        """Values of one label."""
        ...

    async def servers(self, name: str = "") -> list[Document]:
        """Servers in ascending order of name, or the one of this name."""
        ...


class Fleet(Protocol):
    """Grows and empties the virtual fleet, and knows what is wrong with it."""

    async def generate(self, current_count: int | None, *, reset: bool) -> Document:
        """Add one server."""
        ...

    async def status(self) -> Document:
        """How large the fleet is, and its servers."""
        ...

    async def reset(self) -> Document:
        """Remove every server and forget what was stored of them."""
        ...

    async def describe(self) -> Document:
        """Sites, servers with their specs and dependencies, and the kinds of faults."""
        ...

    async def inject(self, order: FaultOrder) -> Document:
        """Plan a fault; gives it with its truth."""
        ...

    async def list_faults(
        self, start_ms: int | None, end_ms: int | None, page_size: int, page_token: str, *, cancelled: bool
    ) -> Page:
        """Faults that are under way somewhere in the range, the latest start first."""
        ...

    async def cancel(self, fault_id: str) -> None:
        """Withdraw a fault."""
        ...


class Assistant(Protocol):
    """Answers questions and analyses rows."""

    async def ask(self, question: Question) -> Document:
        """The whole answer."""
        ...

    def ask_stream(self, question: Question) -> AsyncIterator[tuple[str, Document]]:
        """Each step as (event, document); the last event is `answer`."""
        ...

    async def analyze(self, query: str, rows: RowColumns, lang: str, context: Mapping[str, str]) -> Document:
        """What the rows show."""
        ...

    async def engines(self) -> list[Document]:
        """Engines in the order they are tried."""
        ...


class Alerting(Protocol):
    """Rules, alerts, channels and notifications."""

    async def create_rule(self, rule: Document) -> Document:
        """Make a rule."""
        ...

    async def get_rule(self, rule_id: str) -> Document:
        """One rule."""
        ...

    async def list_rules(self, page_size: int, page_token: str) -> Page:
        """Rules in order of name."""
        ...

    async def update_rule(self, rule_id: str, rule: Document) -> Document:
        """Replace a rule."""
        ...

    async def delete_rule(self, rule_id: str) -> None:
        """Delete a rule."""
        ...

    async def list_alerts(self, states: Sequence[str], page_size: int, page_token: str) -> Page:
        """Alerts, the newest first, in any of these states or in all when none is given."""
        ...

    async def create_channel(self, channel: Document) -> Document:
        """Make a channel."""
        ...

    async def get_channel(self, name: str) -> Document:
        """One channel, its secrets masked."""
        ...

    async def list_channels(self, page_size: int, page_token: str) -> Page:
        """Channels in order of name."""
        ...

    async def update_channel(self, channel: Document) -> Document:
        """Replace a channel, by name."""
        ...

    async def delete_channel(self, name: str) -> None:
        """Delete a channel."""
        ...

    async def test_channel(self, name: str) -> Document:
        """Send a test notification; gives the attempt."""
        ...

    async def list_notifications(self, states: Sequence[str], page_size: int, page_token: str) -> Page:
        """Notifications with every attempt, the newest first."""
        ...


@dataclass(frozen=True)
class PartStatus:
    """Whether a part of the suite serves; `status` is serving, not_serving or unreachable, `detail` says why for a person."""

    status: str
    detail: str = ""

    @property
    def is_serving(self) -> bool:
        """Whether requests to it succeed."""
        return self.status == "serving"


class Suite(Protocol):
    """The state of all parts together."""

    async def check(self) -> dict[str, PartStatus]:
        """The state of each part by name."""
        ...

    async def exposition(self) -> bytes:
        """The metrics of all parts in the Prometheus text format 0.0.4, each with a label `service`."""
        ...
