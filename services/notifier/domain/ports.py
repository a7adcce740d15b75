"""What the notifier needs from outside, in its own words."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.notifier.domain.alerts import Alert, AlertState
from services.notifier.domain.channels import Channel
from services.notifier.domain.labels import Labels
from services.notifier.domain.notifications import (
    DeliveryAttempt,
    DeliveryResult,
    Notification,
    NotificationState,
)
from services.notifier.domain.pipeline import Group
from services.notifier.domain.rules import Rule, RuleHealth


@dataclass(frozen=True)
class Sample:
    """One series of an instant vector: its labels with `__name__`, and its value."""

    labels: Labels
    value: float


@dataclass(frozen=True)
class Arrival:
    """What happened to the stored samples.

    `names` are those of the metrics that samples came of; None when batches were missed, so that it may be any. `deleted` says that
    series were deleted, or may have been while nobody listened.
    """

    names: frozenset[str] | None
    deleted: bool = False


class Metrics(Protocol):
    """The stored samples."""

    async def query(self, expr: str, time: float) -> Sequence[Sample]:
        """The instant vector that `expr` is at `time` (Unix seconds).

        Raises:
            InvalidArgumentError: the expression is wrong (BAD_DATA) or is no instant vector (NOT_A_VECTOR).
            UnavailableError: the samples cannot be read now.
        """
        ...

    async def held(self, names: Collection[str] | None, labels: Collection[Labels]) -> Sequence[bool]:
        """For each set of labels, whether a series that bears them all is stored, however old its samples are.

        Args:
            names: of the metrics that count; None when all do.
            labels: at least one label in each set, none of them `__name__`.

        Raises:
            UnavailableError: the series cannot be listed now.
        """
        ...

    def arrivals(self) -> AsyncGenerator[Arrival]:
        """Each batch as it is stored, and each deletion. Raises like `query` when it breaks."""
        ...


@dataclass(frozen=True)
class WatchedSeries:
    """A series that a rule with the policy `alert` has seen, so that it can tell when its data go missing."""

    rule_id: str
    fingerprint: str
    labels: Labels


@dataclass
class Snapshot:
    """Everything that must be known to go on after a restart: rules, alerts that are open or untold, groups and watched series."""

    rules: list[tuple[Rule, RuleHealth]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    watched: list[WatchedSeries] = field(default_factory=list)


@dataclass
class Changes:
    """What one step changes; all of it becomes durable, or none."""

    rules: list[Rule] = field(default_factory=list)
    removed_rules: list[str] = field(default_factory=list)
    health: dict[str, RuleHealth] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    removed_alerts: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    removed_groups: list[str] = field(default_factory=list)
    watched: list[WatchedSeries] = field(default_factory=list)
    unwatched: list[WatchedSeries] = field(default_factory=list)
    unwatched_rules: list[str] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(vars(self).values())


class AlertStore(Protocol):
    """Durable rules and alerts. What `commit` returned from survives a crash."""

    async def load(self) -> Snapshot:
        """What was committed last."""
        ...

    async def commit(self, changes: Changes) -> None:
        """Writes all changes in one transaction, the notifications into the outbox among them.

        Raises:
            AlreadyExistsError: another rule has the name.
        """
        ...

    async def list_alerts(self, states: Collection[AlertState], limit: int, before: tuple[float, str] | None) -> Sequence[Alert]:
        """Alerts with the newest start first, in any state when `states` is empty; `before` is (started_at, id) of the last one seen."""
        ...

    async def prune(self, before: float) -> int:
        """Forgets resolved and told alerts that ended, and finished notifications that were made, before this time; returns how many."""
        ...


class ChannelStore(Protocol):
    """Durable channels."""

    async def get(self, name: str) -> Channel | None:
        """The channel of this name."""
        ...

    async def list(self, limit: int, after: str) -> Sequence[Channel]:
        """Channels in order of name, from the first after `after`."""
        ...

    async def create(self, channel: Channel) -> None:
        """Adds a channel.

        Raises:
            AlreadyExistsError: there is one of this name.
        """
        ...

    async def update(self, channel: Channel) -> None:
        """Replaces the channel of this name."""
        ...

    async def delete(self, name: str, attempt: DeliveryAttempt) -> bool:
        """Removes the channel; its queued notifications become dead with `attempt` as the reason. Returns whether there was one."""
        ...


class OutboxStore(Protocol):
    """The durable queue of notifications."""

    async def next_for(self, channel: str) -> Notification | None:
        """The queued notification of this channel that is due first; one waits for the earlier ones of its own group."""
        ...

    async def record(
        self, notification_id: str, attempt: DeliveryAttempt, state: NotificationState, next_attempt_at: float | None
    ) -> None:
        """Writes down one attempt and what became of the notification; what is no longer queued keeps its state."""
        ...

    async def add(self, notification: Notification) -> None:
        """Adds one notification with its attempts."""
        ...

    async def list_notifications(
        self, states: Collection[NotificationState], limit: int, before: int | None
    ) -> Sequence[tuple[int, Notification]]:
        """Notifications with their position, the newest first; `before` is the position of the last one seen."""
        ...


class Sender(Protocol):
    """One channel, ready to send."""

    async def send(self, notification: Notification) -> DeliveryResult:
        """Tries once. Failures are results, not exceptions."""
        ...


class ChannelKind(Protocol):
    """A kind of channel, such as webhook."""

    @property
    def name(self) -> str:
        """What `kind` of a channel names."""
        ...

    def check(self, config: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
        """The configuration to store, defaults filled in; a masked secret is taken from `previous`.

        Raises:
            InvalidArgumentError: with each wrong field.
        """
        ...

    def mask(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration with every secret masked."""
        ...

    def sender(self, channel: Channel) -> Sender:
        """What sends to the channel."""
        ...
