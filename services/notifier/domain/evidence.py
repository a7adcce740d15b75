"""The expression that gives the value of one alert again, and of no other."""

import json
from collections.abc import Iterable, Mapping


def label_names(series: Iterable[Mapping[str, str]]) -> list[str]:
    """Names of the labels by which these series differ from each other, in order; `__name__` is none of them."""
    series = list(series)
    names = {name for labels in series for name in labels} - {"__name__"}
    return sorted(name for name in names if len({labels.get(name, "") for labels in series}) > 1)


def single_out(expr: str, labels: Mapping[str, str], names: Iterable[str]) -> str:
    """`expr`, whose result has several series, narrowed to the one with these labels.

    PromQL cannot select among the series of a result by label, but it can match them with a series made for the purpose: one
    whose labels in `names` are those wanted. A label that the series does not have counts as empty on both sides.

    Args:
        expr: a PromQL expression that gives an instant vector.
        labels: labels of the series wanted.
        names: the labels by which the series of the result differ; `expr` stays as it is when there are none.
    """
    names = list(names)
    if not names:
        return expr
    wanted = "vector(1)"
    for name in names:
        if labels.get(name):
            # The pattern matches the empty value of a label that does not exist; `$` would start a reference.
            wanted = f'label_replace({wanted}, "{name}", {_quoted(labels[name])}, "", "")'
    return f"({expr}) and on ({', '.join(names)}) {wanted}"


def _quoted(text: str) -> str:
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)
