"""One evaluation: from what the metrics say at one time to the rule's alerts after it. Pure; the caller commits."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.common.ids import IdSource
from services.notifier.domain.alerts import Alert, AlertState, Evidence
from services.notifier.domain.evidence import label_names, single_out
from services.notifier.domain.expressions import Expression
from services.notifier.domain.labels import Labels, alert_labels, fingerprint
from services.notifier.domain.pipeline import group_key
from services.notifier.domain.ports import Sample, WatchedSeries
from services.notifier.domain.rules import NoDataPolicy, Rule
from services.notifier.domain.states import Seen, advance, begin
from services.notifier.domain.templates import AnnotationTemplates


class AmbiguousSeriesError(ValueError):
    """Two series of a result would be the same alert."""


@dataclass(frozen=True)
class Reading:
    """What the metrics said at `time`: series for which the expression holds, has data, and is recovered.

    `present` and `recovered` are None when they were not needed. `gone` are fingerprints of alerts without data whose series were
    deleted.
    """

    time: float
    active: Sequence[Sample]
    present: Sequence[Sample] | None = None
    recovered: Sequence[Sample] | None = None
    gone: Collection[str] = frozenset()

    @property
    def size(self) -> int:
        """How many series it holds."""
        return len(self.active) + len(self.present or ()) + len(self.recovered or ())


@dataclass
class Evaluated:
    """The rule's alerts after an evaluation, those that are no more, series seen for the first time, and series to forget."""

    alerts: list[Alert] = field(default_factory=list)
    dropped: list[Alert] = field(default_factory=list)
    watched: list[WatchedSeries] = field(default_factory=list)
    unwatched: list[WatchedSeries] = field(default_factory=list)


def evaluate(
    rule: Rule,
    expression: Expression,
    alerts: Sequence[Alert],
    watched: Mapping[str, Labels],
    reading: Reading,
    templates: AnnotationTemplates,
    new_id: IdSource,
) -> Evaluated:
    """Moves each alert of the rule by what was read.

    Args:
        rule: the rule.
        expression: its expression, parsed.
        alerts: its open alerts, and those that are over but untold, which stay as they are.
        watched: series seen before by fingerprint, when the policy on missing data is `alert`.
        reading: what the metrics said.
        templates: fills in annotations.
        new_id: names new alerts.

    Raises:
        AmbiguousSeriesError: two series have the same labels once the rule's labels are on them.
    """
    active = _by_fingerprint(rule, reading.active, expression.text)
    present = None if reading.present is None else _by_fingerprint(rule, reading.present, expression.presence or expression.text)
    recovered = None if reading.recovered is None else _by_fingerprint(rule, reading.recovered, rule.recovery_expr or "")
    result = Evaluated(alerts=[alert for alert in alerts if not alert.is_open])
    open_alerts = {alert.fingerprint: alert for alert in alerts if alert.is_open}

    for key, alert in open_alerts.items():
        seen = _seen(key, rule, reading.gone, active, present, recovered)
        moved = advance(_measured(alert, key, seen, expression, active, present, reading.time), seen, rule, reading.time)
        if moved is None:
            result.dropped.append(alert)
        else:
            result.alerts.append(_annotated(moved, rule, templates))
    for key, found in active.items():
        if key not in open_alerts:
            evidence = Evidence(found.expr, reading.time)
            result.alerts.append(_new(rule, key, found.labels, found.value, evidence, templates, new_id))
    if rule.no_data is NoDataPolicy.ALERT and present is not None:
        for key, missing_labels in watched.items():
            if key in present or key in active:
                continue
            if key in reading.gone:
                result.unwatched.append(WatchedSeries(rule.id, key, missing_labels))
            elif key not in open_alerts:
                evidence = Evidence(expression.presence or rule.expr, reading.time)
                result.alerts.append(_new(rule, key, missing_labels, math.nan, evidence, templates, new_id))
        for key, found in (present | active).items():
            if key not in watched:
                result.watched.append(WatchedSeries(rule.id, key, found.labels))
    return result


@dataclass(frozen=True)
class _Found:
    """One series of the result of `whole`: labels of its alert, its value, and how it differs from the other series."""

    labels: dict[str, str]
    value: float
    whole: str
    own: Mapping[str, str]
    differing: Sequence[str]

    @property
    def expr(self) -> str:
        """The expression that gives this value alone."""
        return single_out(self.whole, self.own, self.differing)


def _by_fingerprint(rule: Rule, samples: Sequence[Sample], expr: str) -> dict[str, _Found]:
    names = label_names(sample.labels for sample in samples)
    found: dict[str, _Found] = {}
    for sample in samples:
        labels = alert_labels(sample.labels, rule.name, rule.labels)
        key = fingerprint(labels)
        if key in found:
            raise AmbiguousSeriesError(
                f"the expression gives several series with the same labels {labels}; aggregate them or add labels"
            )
        found[key] = _Found(labels, sample.value, expr, sample.labels, names)
    return found


def _seen(
    key: str,
    rule: Rule,
    gone: Collection[str],
    active: Mapping[str, object],
    present: Mapping[str, object] | None,
    recovered: Mapping[str, object] | None,
) -> Seen:
    if key in active:
        return Seen.ACTIVE
    if present is not None and key not in present:
        return Seen.GONE if key in gone else Seen.MISSING
    if rule.recovery_expr and (recovered is None or key not in recovered):
        return Seen.HELD
    return Seen.CLEAR


def _measured(
    alert: Alert,
    key: str,
    seen: Seen,
    expression: Expression,
    active: Mapping[str, _Found],
    present: Mapping[str, _Found] | None,
    time: float,
) -> Alert:
    """The alert with the newest value that can be re-run: of the expression, or of what the expression compares with a number."""
    if seen is Seen.ACTIVE:
        return replace(alert, value=active[key].value, evidence=Evidence(active[key].expr, time))
    if present is not None and key in present and expression.presence is not None and expression.threshold is not None:
        return replace(alert, value=present[key].value, evidence=Evidence(present[key].expr, time))
    return alert


def _new(
    rule: Rule,
    key: str,
    labels: Labels,
    value: float,
    evidence: Evidence,
    templates: AnnotationTemplates,
    new_id: IdSource,
) -> Alert:
    alert = Alert(
        id=new_id(),
        rule_id=rule.id,
        rule=rule.name,
        state=AlertState.PENDING,
        severity=rule.severity,
        labels=labels,
        fingerprint=key,
        group_key=group_key(rule, labels),
        value=value,
        evidence=evidence,
        started_at=evidence.time,
    )
    return _annotated(begin(alert, rule, evidence.time), rule, templates)


def _annotated(alert: Alert, rule: Rule, templates: AnnotationTemplates) -> Alert:
    annotations = {
        name: templates.render(source, alert.labels, alert.value, alert.evidence) for name, source in rule.annotations.items()
    }
    return replace(alert, annotations=annotations, severity=rule.severity)
