"""Drives the notifier's real parts by a clock that stands still: samples go in, notifications come out."""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import ManualClock, settle
from services.common.errors import InvalidArgumentError, UnavailableError
from services.common.telemetry import Telemetry
from services.notifier.adapters.alert_store import SqlAlertStore
from services.notifier.adapters.channel_store import SqlChannelStore
from services.notifier.adapters.database import Database
from services.notifier.adapters.outbox_store import SqlOutboxStore
from services.notifier.domain.alerts import Alert
from services.notifier.domain.book import AlertBook
from services.notifier.domain.catalogue import ChannelCatalogue, RuleCatalogue
from services.notifier.domain.channels import Channel
from services.notifier.domain.composing import Composer
from services.notifier.domain.evaluator import Evaluator, EvaluatorTelemetry
from services.notifier.domain.feed import AlertFeed
from services.notifier.domain.labels import Labels
from services.notifier.domain.notifications import DeliveryResult, Notification, Outcome
from services.notifier.domain.outbox import Outbox
from services.notifier.domain.ports import Arrival, Sample
from services.notifier.domain.retry import RetryPolicy
from services.notifier.domain.templates import AnnotationTemplates
from services.notifier.domain.wording import Wording

LOOKBACK_SECONDS = 300.0
_EXPRESSION = re.compile(r"\(?(\w+)(?:\{\})?\)?(?: (>|<) ([-\d.]+))?")


class FakeMetrics:
    """Samples in memory, read through `name`, `name > number` and `name < number` with PromQL's lookback of five minutes."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.is_away = False
        self.asked: list[tuple[float, str]] = []
        self._samples: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        self._readers: list[asyncio.Queue[Arrival | None]] = []
        self.held_asked: list[Collection[Labels]] = []

    def push(self, name: str, value: float, **labels: str) -> None:
        series = tuple(sorted({"__name__": name, **labels}.items()))
        self._samples.setdefault(series, []).append((self.clock.now(), value))
        for reader in self._readers:
            reader.put_nowait(Arrival(frozenset({name})))

    def delete(self, server: str, *, told: bool = True) -> None:
        """Forgets all series of a server, and says so to those who listen unless they are not to be `told`."""
        self._samples = {series: rows for series, rows in self._samples.items() if ("server", server) not in series}
        for reader in self._readers if told else ():
            reader.put_nowait(Arrival(frozenset(), deleted=True))

    def disconnect(self) -> None:
        """Breaks every stream of arrivals."""
        for reader in self._readers:
            reader.put_nowait(None)

    async def query(self, expr: str, time: float) -> Sequence[Sample]:
        self.asked.append((time, expr))
        if self.is_away:
            raise UnavailableError("metrics is away")
        if (parsed := _EXPRESSION.fullmatch(expr)) is None:
            raise InvalidArgumentError(f"unsupported: {expr}", reason="BAD_DATA")
        name, op, limit = parsed.groups()
        found = []
        for series, samples in self._samples.items():
            labels = dict(series)
            newest = [value for at, value in samples if time - LOOKBACK_SECONDS < at <= time]
            if labels["__name__"] != name or not newest:
                continue
            value = newest[-1]
            if op is None or (value > float(limit) if op == ">" else value < float(limit)):
                found.append(Sample(labels, value))
        return found

    async def held(self, names: Collection[str] | None, labels: Collection[Labels]) -> Sequence[bool]:
        self.held_asked.append(labels)
        if self.is_away:
            raise UnavailableError("metrics is away")
        stored = [dict(series) for series in self._samples]
        counted = [series for series in stored if names is None or series["__name__"] in names]
        return [any(wanted.items() <= series.items() for series in counted) for wanted in labels]

    async def arrivals(self) -> AsyncGenerator[Arrival]:
        if self.is_away:
            raise UnavailableError("metrics is away")
        queue: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self._readers.append(queue)
        try:
            yield Arrival(frozenset(), deleted=True)
            while (arrival := await queue.get()) is not None:
                yield arrival
            raise UnavailableError("the stream broke")
        finally:
            self._readers.remove(queue)


@dataclass
class FakeReceiver:
    """A channel kind that remembers what it was sent and answers what it is told to."""

    name: str = "fake"
    sent: list[Notification] = field(default_factory=list)
    answers: list[DeliveryResult] = field(default_factory=list)
    on_send: Any = None

    def check(self, config: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
        return dict(config)

    def mask(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def sender(self, channel: Channel) -> "FakeReceiver":
        return self

    async def send(self, notification: Notification) -> DeliveryResult:
        self.sent.append(notification)
        if self.on_send is not None:
            await self.on_send(notification)
        return self.answers.pop(0) if self.answers else DeliveryResult(Outcome.DELIVERED, http_status=200)


class WatchedDatabase(Database):
    """Knows how many transactions were begun, and how many are open."""

    used = 0
    busy = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        self.used += 1
        self.busy += 1
        try:
            async with super().transaction() as connection:
                yield connection
        finally:
            self.busy -= 1


@dataclass
class Notifier:
    """The notifier's parts over a real SQLite file, a fake of the metrics service and a fake receiver."""

    clock: ManualClock
    metrics: FakeMetrics
    receiver: FakeReceiver
    book: AlertBook
    rules: RuleCatalogue
    channels: ChannelCatalogue
    alerts: SqlAlertStore
    outbox_rows: SqlOutboxStore
    outbox: Outbox
    feed: AlertFeed
    database: WatchedDatabase

    async def settle(self) -> None:
        """Lets everything that can happen now happen: turns of the loop, and transactions, which SQLite runs in a thread."""
        while True:
            used = self.database.used
            await self.clock.advance(0)
            while self.database.busy:  # noqa: ASYNC110  the end of a transaction in a thread sets no event
                await asyncio.sleep(0.0002)
            await settle()
            if used == self.database.used and not self.database.busy:
                return

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Moves the clock on in steps, letting all work be done at each."""
        end = self.clock.now() + seconds
        while self.clock.now() < end - 1e-9:
            await self.clock.advance(min(step, end - self.clock.now()))
            await self.settle()

    def told(self) -> list[tuple[str, str]]:
        """(type, server) of everything the receiver was sent."""
        return [(notification.type.value, notification.server) for notification in self.receiver.sent]

    def states(self) -> dict[str, str]:
        """State of each open alert by its server."""
        return {alert.labels.get("server", ""): alert.state.value for alert in self.book.open_alerts()}

    def alert(self, server: str) -> Alert:
        """The open alert of this server."""
        return next(alert for alert in self.book.open_alerts() if alert.labels.get("server") == server)


@asynccontextmanager
async def running_notifier(
    folder: Path,
    clock: ManualClock,
    metrics: FakeMetrics,
    receiver: FakeReceiver,
    *,
    ids: "itertools.count[int] | None" = None,
    policy: RetryPolicy | None = None,
) -> AsyncIterator[Notifier]:
    """The parts wired as in the service, running; leaving the block stops them as a crash would, without a goodbye."""
    numbers = ids or itertools.count(1)
    database = WatchedDatabase(None, folder)
    await database.open()
    alerts, channel_store, outbox_rows = SqlAlertStore(database), SqlChannelStore(database), SqlOutboxStore(database)
    telemetry = Telemetry("notifier")
    kinds = {receiver.name: receiver}
    attempts = telemetry.counter("notifier_delivery_attempts", "Attempts.", ("outcome",))
    outbox = Outbox(outbox_rows, channel_store, kinds, policy or RetryPolicy(), clock, attempts)
    feed, templates = AlertFeed(clock), AnnotationTemplates()

    def new_id() -> str:
        return f"id-{next(numbers):06d}"

    book = AlertBook(alerts, feed, Composer(Wording("en", "UTC"), new_id), templates, new_id, outbox.wake)
    counted = EvaluatorTelemetry(
        telemetry.counter("notifier_evaluations", "Evaluations.", ("outcome",)),
        telemetry.gauge("notifier_metrics_connected", "Connected."),
    )
    evaluator = Evaluator(book, metrics, clock, counted, interval_seconds=15.0, min_interval_seconds=1.0)
    references = asyncio.Lock()
    rules = RuleCatalogue(book, channel_store, metrics, templates, clock, new_id, references, evaluator.rule_changed)
    channels = ChannelCatalogue(channel_store, kinds, book, clock, references, lambda name: outbox.wake([name]))
    await book.load()
    tasks = [asyncio.create_task(outbox.run()), asyncio.create_task(evaluator.run())]
    notifier = Notifier(clock, metrics, receiver, book, rules, channels, alerts, outbox_rows, outbox, feed, database)
    try:
        await notifier.settle()
        yield notifier
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()
