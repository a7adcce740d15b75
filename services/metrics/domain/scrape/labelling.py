"""The labels under which a scraped series is stored."""

from services.metrics.domain.ports import NAME_LABEL, Labels
from services.metrics.domain.scrape.job import Limits
from services.metrics.domain.scrape.line import Series
from services.metrics.domain.scrape.relabel import relabel
from services.metrics.domain.scrape.target import INSTANCE_LABEL, SERVER_LABEL, Target, without_port

_EXPORTED = "exported_"


class LabelLimitError(ValueError):
    """A series with more or longer labels than the job lets in."""


class Labeller:
    """Puts a target's labels and rules to work on its series."""

    def __init__(self, target: Target) -> None:
        self._job = target.job
        self._own = dict(target.labels)
        self._all = dict(target.all_labels)

    def labels_of(self, series: Series) -> Labels | None:
        """The labels of a series, ascending by name; None when a rule drops it.

        Where the page and the target both have a label, the target's wins and the page's is kept as `exported_…`; with
        `honor_labels` the page's wins. A series belongs to the server that its label `server` names, else to the one of `instance`.

        Raises:
            LabelLimitError: there are more or longer ones than the job lets in.
        """
        if self._job.honor_labels:
            merged = self._own | dict(series.labels)
            # A page that speaks for others says so by `instance`; with an empty label it says that there is none.
            if SERVER_LABEL not in merged and (instance := merged.get(INSTANCE_LABEL)):
                merged[SERVER_LABEL] = without_port(instance)
        else:
            merged = dict(self._all)
            clashing = []
            for name, value in series.labels:
                if name in self._all:
                    clashing.append((name, value))
                else:
                    merged[name] = value
            for name, value in clashing:
                moved = _EXPORTED + name
                while moved in merged:
                    moved = _EXPORTED + moved
                if value:
                    merged[moved] = value
        merged[NAME_LABEL] = series.name
        kept = relabel(merged, self._job.metric_relabel_rules)
        if not kept or NAME_LABEL not in kept:
            return None
        labels = tuple(sorted(kept.items()))
        _check(labels, self._job.limits)
        return labels


def _check(labels: Labels, limits: Limits) -> None:
    metric = dict(labels)[NAME_LABEL]
    if limits.labels and len(labels) > limits.labels:
        raise LabelLimitError(f"{metric} has {len(labels)} labels, and label_limit is {limits.labels}")
    for name, value in labels:
        if limits.label_name_characters and len(name) > limits.label_name_characters:
            raise LabelLimitError(f"label {name[:60]} of {metric} is longer than label_name_length_limit")
        if limits.label_value_characters and len(value) > limits.label_value_characters:
            raise LabelLimitError(f"the value of label {name[:60]} of {metric} is longer than label_value_length_limit")
