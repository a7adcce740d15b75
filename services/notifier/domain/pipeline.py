"""From the alerts of one rule to the notifications that go out, on one screen.

Each stage takes the news of one group of alerts and either hands it on or stops it. What passes the last stage becomes one
notification a channel, committed to the outbox in the transaction that commits the alerts' own transitions.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.notifier.domain.alerts import Alert, Status
from services.notifier.domain.labels import ALERT_NAME, Labels, fingerprint
from services.notifier.domain.notifications import Notification
from services.notifier.domain.rules import Rule


@dataclass(frozen=True)
class Group:
    """Alerts that are told of together. Times are Unix seconds.

    `flush_at` is when its receivers are to be told next, `told_at` when they were told last; None when there is no such time.
    """

    key: str
    rule_id: str
    labels: Labels
    flush_at: float | None = None
    told_at: float | None = None


@dataclass(frozen=True)
class News:
    """A group on its way through the stages. A stage that stops it names itself in `stopped_by`."""

    rule: Rule
    group: Group
    alerts: tuple[Alert, ...]
    now: float
    stopped_by: str = ""


@dataclass
class Decision:
    """What the pipeline decided: alerts with what their receivers now know, groups as they are now, and notifications to send."""

    alerts: list[Alert] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    notifications: list[Notification] = field(default_factory=list)


Stage = Callable[[News], News]
Compose = Callable[[News], Iterable[Notification]]


def schedule(news: News) -> News:
    """Says when the group is due: a new one after `group_wait`, a told one `group_interval` after that, unchanged ones on repeat."""
    rule, group, times = news.rule, news.group, []
    if any(alert.is_untold for alert in news.alerts):
        times.append(group.flush_at)
        times.append(news.now + rule.group_wait_seconds if group.told_at is None else group.told_at + rule.group_interval_seconds)
    if (repeat_at := _repeat_at(news)) is not None:
        times.append(repeat_at)
    return replace(news, group=replace(group, flush_at=min((time for time in times if time is not None), default=None)))


def wait(news: News) -> News:
    """Holds the group back until it is due."""
    due = news.group.flush_at is not None and news.group.flush_at <= news.now
    return news if due else replace(news, stopped_by="wait")


def deduplicate(news: News) -> News:
    """Drops what the receivers know already, unless it is time to repeat it."""
    repeat_at = _repeat_at(news)
    if any(alert.is_untold for alert in news.alerts) or (repeat_at is not None and repeat_at <= news.now):
        return news
    return replace(news, stopped_by="deduplicate")


STAGES: tuple[Stage, ...] = (schedule, wait, deduplicate)


def decide(rule: Rule, alerts: Iterable[Alert], groups: Mapping[str, Group], now: float, compose: Compose) -> Decision:
    """Runs every group of the rule's alerts through the stages.

    Args:
        rule: the rule.
        alerts: its open alerts, and those that are over while their receivers do not know.
        groups: its groups as they were, by key.
        now: Unix seconds.
        compose: writes the notifications of a group that passed, one a channel.
    """
    decision = Decision()
    for key, members in _by_group(alerts).items():
        news = News(rule, groups.get(key) or Group(key, rule.id, group_labels(rule, members[0].labels)), members, now)
        for stage in STAGES:
            news = stage(news)
            if news.stopped_by:
                break
        else:
            decision.notifications.extend(compose(news))
            news = schedule(_told(news))
        decision.alerts.extend(news.alerts)
        if any(alert.is_open or alert.is_untold for alert in news.alerts):
            decision.groups[key] = news.group
    return decision


def group_labels(rule: Rule, labels: Labels) -> dict[str, str]:
    """The labels that an alert is grouped by; all of them when the rule names none, so that each alert is alone."""
    if not rule.group_by:
        return dict(labels)
    return {name: labels[name] for name in (ALERT_NAME, *rule.group_by) if name in labels}


def group_key(rule: Rule, labels: Labels) -> str:
    """Names the group of an alert, the same after a restart."""
    return f"{rule.id}:{fingerprint(group_labels(rule, labels))}"


def _by_group(alerts: Iterable[Alert]) -> dict[str, tuple[Alert, ...]]:
    members: defaultdict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        members[alert.group_key].append(alert)
    return {key: tuple(group) for key, group in members.items()}


def _repeat_at(news: News) -> float | None:
    if news.rule.repeat_interval_seconds <= 0 or news.group.told_at is None:
        return None
    if not any(alert.status is Status.FIRING for alert in news.alerts):
        return None
    return news.group.told_at + news.rule.repeat_interval_seconds


def _told(news: News) -> News:
    """The same news, now that its receivers will be told."""
    alerts = tuple(replace(alert, told=alert.status) if alert.is_untold else alert for alert in news.alerts)
    return replace(news, alerts=alerts, group=replace(news.group, told_at=news.now, flush_at=None))
