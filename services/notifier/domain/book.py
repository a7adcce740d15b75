"""The rules and the alerts that are not over, in memory and durable at once.

Every change goes one way: compute it from what is in memory, commit it in one transaction (transitions, groups and outbox rows
together), then put it into memory and tell the watchers. A commit that fails changes nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.common.errors import AlreadyExistsError, NotFoundError
from services.common.ids import IdSource
from services.notifier.domain.alerts import Alert, AlertState
from services.notifier.domain.composing import Composer
from services.notifier.domain.evaluation import Evaluated, Reading, evaluate
from services.notifier.domain.expressions import Expression, parse_expression
from services.notifier.domain.feed import AlertFeed
from services.notifier.domain.labels import Labels
from services.notifier.domain.pipeline import Decision, Group, decide
from services.notifier.domain.ports import AlertStore, Changes
from services.notifier.domain.rules import NoDataPolicy, Rule, RuleHealth
from services.notifier.domain.states import due_at, resolve
from services.notifier.domain.templates import AnnotationTemplates

LOOP_SERIES: Final = 500
"""An evaluation of more series than this runs in a thread; each series costs some ten microseconds."""


@dataclass(frozen=True)
class Entry:
    """One rule with its alerts: those that are open, and those that are over while their receivers do not know."""

    rule: Rule
    expression: Expression
    health: RuleHealth = field(default_factory=RuleHealth)
    alerts: tuple[Alert, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    watched: Mapping[str, Labels] = field(default_factory=dict)

    @property
    def due_at(self) -> float | None:
        """When time alone changes something (Unix seconds): the end of a `for`, of a `keep_firing_for`, or of a group's wait."""
        times = [due_at(alert, self.rule) for alert in self.alerts]
        times.extend(group.flush_at for group in self.groups.values())
        return min((time for time in times if time is not None), default=None)


class AlertBook:
    """Owns all rules and open alerts."""

    def __init__(
        self,
        store: AlertStore,
        feed: AlertFeed,
        composer: Composer,
        templates: AnnotationTemplates,
        new_id: IdSource,
        on_notifications: Callable[[Collection[str]], None],
    ) -> None:
        self._store = store
        self._feed = feed
        self._composer = composer
        self._templates = templates
        self._new_id = new_id
        self._on_notifications = on_notifications
        self._entries: dict[str, Entry] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Takes up what was committed last."""
        snapshot = await self._store.load()
        entries = {}
        for rule, health in snapshot.rules:
            entries[rule.id] = Entry(
                rule,
                parse_expression(rule.expr),
                health,
                tuple(alert for alert in snapshot.alerts if alert.rule_id == rule.id),
                {group.key: group for group in snapshot.groups if group.rule_id == rule.id},
                {series.fingerprint: series.labels for series in snapshot.watched if series.rule_id == rule.id},
            )
        self._entries = entries

    def get(self, rule_id: str) -> Entry | None:
        """The rule of this id."""
        return self._entries.get(rule_id)

    def entries(self) -> list[Entry]:
        """All rules, in order of name."""
        return sorted(self._entries.values(), key=lambda entry: entry.rule.name)

    def open_alerts(self) -> list[Alert]:
        """Every alert that is not over, with its newest value."""
        return [alert for entry in self._entries.values() for alert in entry.alerts if alert.is_open]

    def newest(self, alert: Alert) -> Alert:
        """The alert with its newest value, which is not committed at each evaluation."""
        entry = self._entries.get(alert.rule_id)
        return next((a for a in entry.alerts if a.id == alert.id), alert) if entry else alert

    async def add(self, rule: Rule) -> None:
        """Adds a rule.

        Raises:
            AlreadyExistsError: another rule has its name.
        """
        async with self._lock:
            self._refuse_taken_name(rule)
            await self._store.commit(Changes(rules=[rule]))
            self._entries[rule.id] = Entry(rule, parse_expression(rule.expr))

    async def replace(self, rule: Rule, now: float) -> None:
        """Puts the rule in place of the one with its id; alerts that are not its alerts any more are over.

        Raises:
            NotFoundError: there is none of this id.
            AlreadyExistsError: another rule has its name.
        """
        async with self._lock:
            entry = self._require(rule.id)
            self._refuse_taken_name(rule)
            changes, dropped = Changes(rules=[rule]), []
            if rule.same_alerts(entry.rule) and rule.enabled:
                after = replace(entry, rule=rule, watched=entry.watched if rule.no_data is NoDataPolicy.ALERT else {})
            else:
                dropped = self._end(entry, now, changes)
                after = Entry(rule, parse_expression(rule.expr))
                changes.health[rule.id] = after.health
            if entry.watched and not after.watched:
                changes.unwatched_rules.append(rule.id)
            await self._store.commit(changes)
            self._entries[rule.id] = after
        self._tell(changes, dropped)

    async def remove(self, rule_id: str, now: float) -> None:
        """Removes a rule; its firing alerts are over, and their receivers are told.

        Raises:
            NotFoundError: there is none of this id.
        """
        async with self._lock:
            entry = self._require(rule_id)
            changes = Changes(removed_rules=[rule_id])
            dropped = self._end(entry, now, changes)
            await self._store.commit(changes)
            del self._entries[rule_id]
        self._tell(changes, dropped)

    async def apply(self, rule: Rule, reading: Reading) -> None:
        """Moves the rule's alerts by what was read; nothing happens when the rule is another one by now.

        Raises:
            AmbiguousSeriesError: the result names one alert twice.
        """
        async with self._lock:
            entry = self._entries.get(rule.id)
            if entry is None or entry.rule is not rule:
                return
            if reading.size > LOOP_SERIES:
                evaluated, decision = await asyncio.to_thread(self._step, entry, reading)
            else:
                evaluated, decision = self._step(entry, reading)
            await self._commit_step(entry, evaluated, decision, "", reading.time)

    async def fail(self, rule: Rule, error: str, now: float) -> None:
        """Notes that the rule could not be evaluated. Its alerts stay as they are; what is due to be told is told."""
        async with self._lock:
            entry = self._entries.get(rule.id)
            if entry is None or entry.rule is not rule:
                return
            unchanged = Evaluated(alerts=list(entry.alerts))
            await self._commit_step(entry, unchanged, self._decide(entry, unchanged, now), error, now)

    def _step(self, entry: Entry, reading: Reading) -> tuple[Evaluated, Decision]:
        evaluated = evaluate(entry.rule, entry.expression, entry.alerts, entry.watched, reading, self._templates, self._new_id)
        return evaluated, self._decide(entry, evaluated, reading.time)

    def _decide(self, entry: Entry, evaluated: Evaluated, now: float) -> Decision:
        return decide(entry.rule, evaluated.alerts, entry.groups, now, lambda news: self._composer.compose(news, entry.expression))

    async def _commit_step(self, entry: Entry, evaluated: Evaluated, decision: Decision, error: str, now: float) -> None:
        health = RuleHealth(error, now)
        before = {alert.id: alert for alert in entry.alerts}
        changes = Changes(
            alerts=[alert for alert in decision.alerts if _is_news(before.get(alert.id), alert)],
            removed_alerts=[alert.id for alert in evaluated.dropped],
            groups=[group for key, group in decision.groups.items() if entry.groups.get(key) != group],
            removed_groups=[key for key in entry.groups if key not in decision.groups],
            watched=evaluated.watched,
            unwatched=evaluated.unwatched,
            notifications=decision.notifications,
        )
        if health.last_error != entry.health.last_error:
            changes.health[entry.rule.id] = health
        if not changes.is_empty:
            await self._store.commit(changes)
        unwatched = {series.fingerprint for series in evaluated.unwatched}
        watched = {key: labels for key, labels in entry.watched.items() if key not in unwatched} if unwatched else entry.watched
        self._entries[entry.rule.id] = replace(
            entry,
            health=health,
            alerts=tuple(alert for alert in decision.alerts if alert.is_open or alert.is_untold),
            groups=decision.groups,
            watched={**watched, **{series.fingerprint: series.labels for series in evaluated.watched}},
        )
        self._tell(changes, [resolve(alert, now) for alert in evaluated.dropped])

    def _end(self, entry: Entry, now: float, changes: Changes) -> list[Alert]:
        """Adds to `changes` the end of all alerts of the entry, told at once whatever its groups wait for.

        Returns its pending alerts, which leave no trace but are over for those who watch.
        """
        hasty = replace(entry.rule, group_wait_seconds=0.0, group_interval_seconds=0.0)
        over = [resolve(a, now) if a.is_open else a for a in entry.alerts if a.state is not AlertState.PENDING]
        pending = [alert for alert in entry.alerts if alert.state is AlertState.PENDING]
        decision = decide(hasty, over, entry.groups, now, lambda news: self._composer.compose(news, entry.expression))
        changes.alerts.extend(decision.alerts)
        changes.removed_alerts.extend(alert.id for alert in pending)
        changes.removed_groups.extend(entry.groups)
        changes.notifications.extend(decision.notifications)
        return [resolve(alert, now) for alert in pending]

    def _tell(self, changes: Changes, dropped: Iterable[Alert]) -> None:
        alerts = [*changes.alerts, *dropped]
        if alerts:
            self._feed.publish(alerts)
        if changes.notifications:
            self._on_notifications({notification.channel for notification in changes.notifications})

    def _require(self, rule_id: str) -> Entry:
        entry = self._entries.get(rule_id)
        if entry is None:
            raise NotFoundError(f"there is no rule with the id {rule_id!r}")
        return entry

    def _refuse_taken_name(self, rule: Rule) -> None:
        if any(entry.rule.name == rule.name and entry.rule.id != rule.id for entry in self._entries.values()):
            raise AlreadyExistsError(f"there is a rule named {rule.name!r} already")


def _is_news(before: Alert | None, after: Alert) -> bool:
    """Whether the alert must be committed: a new value of a known alert alone is not."""
    if before is None:
        return True
    return replace(before, value=after.value, evidence=after.evidence, annotations=after.annotations) != after
