"""When rules are evaluated: as batches arrive, on a timer, and exactly when a `for` or a group's wait is over."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from services.common.clock import Clock
from services.common.errors import OpenManagerError
from services.notifier.domain.alarm import Alarm
from services.notifier.domain.alerts import Alert, AlertState
from services.notifier.domain.book import LOOP_SERIES, AlertBook, Entry
from services.notifier.domain.deletion import deleted
from services.notifier.domain.evaluation import AmbiguousSeriesError, Reading
from services.notifier.domain.labels import Labels, alert_labels, fingerprint
from services.notifier.domain.ports import Arrival, Metrics, Sample
from services.notifier.domain.rules import NoDataPolicy, Rule

log = structlog.get_logger("notifier.evaluator")

MAX_QUERIES: Final = 8
FIRST_RECONNECT_SECONDS: Final = 0.5
MAX_RECONNECT_SECONDS: Final = 15.0


@dataclass(frozen=True)
class EvaluatorTelemetry:
    """What the evaluator counts."""

    evaluations: Counter  # by outcome: ok, failed
    metrics_connected: Gauge  # 1 while batches are followed


class Evaluator:
    """Runs one loop a rule and one that follows arriving batches. Failed evaluations leave all alerts as they are.

    Which alerts have no data because it was deleted is asked by each rule after a start and after each deletion that was heard of,
    once: asking at every evaluation would cost as much again for every server that is off.
    """

    def __init__(
        self,
        book: AlertBook,
        metrics: Metrics,
        clock: Clock,
        telemetry: EvaluatorTelemetry,
        *,
        interval_seconds: float,
        min_interval_seconds: float,
    ) -> None:
        self._book = book
        self._metrics = metrics
        self._clock = clock
        self._telemetry = telemetry
        self._interval = interval_seconds
        self._min_interval = min(min_interval_seconds, interval_seconds)
        self._queries = asyncio.Semaphore(MAX_QUERIES)
        self._alarms: dict[str, Alarm] = {}
        self._deletions = 0  # heard of so far
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Evaluates until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for entry in self._book.entries():
                self.rule_changed(entry.rule.id)
            tasks.create_task(self._follow_batches(), name="notifier.batches")

    def rule_changed(self, rule_id: str) -> None:
        """Evaluates a rule that was added, changed or removed as soon as may be."""
        if rule_id in self._alarms:
            self._alarms[rule_id].set()
        elif self._tasks is not None:
            self._alarms[rule_id] = Alarm(self._clock)
            self._tasks.create_task(self._keep_evaluating(rule_id), name=f"notifier.rule.{rule_id}")

    async def _keep_evaluating(self, rule_id: str) -> None:
        alarm = self._alarms[rule_id]
        try:
            evaluated_at: float | None = None
            settled: int | None = None  # deletions up to which its alerts without data are known to be silent only
            wanted = False
            while (entry := self._book.get(rule_id)) is not None:
                due = self._due_at(entry, evaluated_at, wanted)
                wait = None if due is None else due - self._clock.now()
                if wait is None or wait > 0:
                    wanted = await alarm.wait(wait) or wanted
                    continue
                wanted = False
                evaluated_at = self._clock.now()
                deletions = self._deletions
                if await self._evaluate(entry, is_settled=settled == deletions):
                    settled = deletions
        finally:
            del self._alarms[rule_id]

    def _due_at(self, entry: Entry, evaluated_at: float | None, wanted: bool) -> float | None:
        """When the rule is to be evaluated next; None when only an alarm can say.

        Nothing makes it sooner than the least interval after the last time but the exact end of a wait; and when the last time
        failed, not even that, or a wait that ended meanwhile would make the loop spin.
        """
        if not entry.rule.enabled:
            return None
        if evaluated_at is None or evaluated_at > self._clock.now():  # never yet, or the clock was set back
            return 0.0
        times = [evaluated_at + (self._min_interval if wanted else self._interval)]
        if entry.due_at is not None:
            times.append(entry.due_at if entry.due_at > evaluated_at else evaluated_at + max(self._min_interval, 1.0))
        return min(times)

    async def _evaluate(self, entry: Entry, *, is_settled: bool) -> bool:
        """Evaluates the rule at this time; returns whether that succeeded."""
        rule, now = entry.rule, round(self._clock.now(), 3)  # milliseconds, as samples have; so evidence re-runs exactly
        try:
            async with self._queries:
                reading = await self._read(entry, now, is_settled)
            await self._book.apply(rule, reading)
            self._telemetry.evaluations.labels("ok").inc()
            return True
        except (OpenManagerError, AmbiguousSeriesError) as error:
            await self._failed(entry, str(error), now)
        except Exception as error:  # a bug in one rule's evaluation must not end the others
            log.error("evaluation_broke", rule=rule.name, error=repr(error), exc_info=error)
            await self._failed(entry, f"internal error: {type(error).__name__}", now)
        return False

    async def _failed(self, entry: Entry, message: str, now: float) -> None:
        self._telemetry.evaluations.labels("failed").inc()
        if entry.health.last_error != message:
            log.warning("evaluation_failed", rule=entry.rule.name, error=message)
        try:
            await self._book.fail(entry.rule, message, now)
        except Exception as error:  # the database is away: the same is tried again at the next evaluation
            log.error("evaluation_not_stored", rule=entry.rule.name, error=repr(error), exc_info=error)

    async def _read(self, entry: Entry, now: float, is_settled: bool) -> Reading:
        """Asks no more than is needed: presence and recovery only when an alert that could end is not in the result.

        What was deleted is asked unless it is settled; but an alert never begins for data that were deleted, told of or not.
        """
        rule, expression = entry.rule, entry.expression
        active = await self._metrics.query(rule.expr, now)
        may_end = await asyncio.to_thread(_may_end, entry, active) if len(active) > LOOP_SERIES else _may_end(entry, active)
        present: list[Sample] | None = None
        if expression.presence is not None and (may_end or rule.no_data is NoDataPolicy.ALERT):
            present = list(await self._metrics.query(expression.presence, now))
        recovered: list[Sample] | None = None
        if rule.recovery_expr and any(alert.state is not AlertState.PENDING for alert in may_end):
            recovered = list(await self._metrics.query(rule.recovery_expr, now))
        gone: frozenset[str] = frozenset()
        if present is not None and (suspects := _suspects(entry, may_end, is_settled)):
            found = [*active, *present]
            keys = await asyncio.to_thread(_fingerprints, rule, found) if len(found) > LOOP_SERIES else _fingerprints(rule, found)
            missing = {key: labels for key, labels in suspects.items() if key not in keys}
            gone = await deleted(rule, expression, missing, self._metrics)
        return Reading(now, active, present, recovered, gone)

    async def _follow_batches(self) -> None:
        wait = FIRST_RECONNECT_SECONDS
        while True:
            try:
                async with aclosing(self._metrics.arrivals()) as arrivals:
                    async for arrival in arrivals:
                        wait = FIRST_RECONNECT_SECONDS
                        self._telemetry.metrics_connected.set(1)
                        self._wake(arrival)
                reason = "the stream ended"
            except OpenManagerError as error:
                reason = error.message
            self._telemetry.metrics_connected.set(0)
            log.warning("metrics_away", reason=reason, retry_seconds=wait)
            await self._clock.sleep(wait)
            wait = min(wait * 2, MAX_RECONNECT_SECONDS)

    def _wake(self, arrival: Arrival) -> None:
        self._deletions += arrival.deleted
        names = None if arrival.deleted else arrival.names
        for rule_id, alarm in self._alarms.items():
            entry = self._book.get(rule_id)
            reads = entry.expression.metrics if entry is not None else None
            if names is None or reads is None or not reads.isdisjoint(names):
                alarm.set()


def _may_end(entry: Entry, active: Sequence[Sample]) -> list[Alert]:
    """Open alerts that the result does not hold."""
    if not entry.alerts:
        return []
    found = _fingerprints(entry.rule, active)
    return [alert for alert in entry.alerts if alert.is_open and alert.fingerprint not in found]


def _suspects(entry: Entry, may_end: Sequence[Alert], is_settled: bool) -> dict[str, Labels]:
    """Labels, by fingerprint, of what must not go on or begin without data before it is known whether that was deleted."""
    if is_settled:
        known = {alert.fingerprint for alert in entry.alerts if alert.is_open}
        return {key: labels for key, labels in entry.watched.items() if key not in known}
    return {**entry.watched, **{alert.fingerprint: alert.labels for alert in may_end}}


def _fingerprints(rule: Rule, samples: Sequence[Sample]) -> set[str]:
    """Of the alerts of these series."""
    return {fingerprint(alert_labels(sample.labels, rule.name, rule.labels)) for sample in samples}
