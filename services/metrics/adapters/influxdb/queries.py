"""InfluxQL for series that the catalogue has found.

The catalogue answers which series are meant; InfluxQL only has to bring them, and may bring more: what was not asked for is left
out on reading. So conditions are exact where that is cheap to say, and coarse where it would be long.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from services.metrics.adapters.influxdb.names import BITS_FIELD, VALUE_FIELD, quoted, tag_key, tag_value, text
from services.metrics.domain.ports import NAME_LABEL, Labels

_EXACT_SERIES: Final = 64
"""Up to so many series of a measurement are named one by one."""
_MEASUREMENTS: Final = 50
"""Measurements in one statement at most."""
_DROPPED_SERIES: Final = 50
"""Series in one statement that deletes at most."""
_LIMIT_MS: Final = 9_223_372_036_854
"""Times in InfluxDB are int64 nanoseconds, so that nothing lies beyond this."""

FIELDS: Final = (VALUE_FIELD, BITS_FIELD)
"""Statement 2i of a selection reads the first of these and statement 2i + 1 the second."""


def selections(wanted: Iterable[Labels], counts: Mapping[str, int], start_ms: int, end_ms: int) -> Iterator[str]:
    """Pairs of statements, one pair a request, that bring all samples of the series in the range, inclusive at both ends.

    Args:
        wanted: label sets.
        counts: series in the catalogue by metric name, of all metric names that are wanted.
        start_ms: first Unix ms.
        end_ms: last Unix ms.
    """
    by_name: dict[str, list[Labels]] = {}
    for labels in wanted:
        by_name.setdefault(dict(labels)[NAME_LABEL], []).append(labels)
    by_condition: dict[str, list[str]] = {}
    for name, series in by_name.items():
        condition = "" if len(series) >= counts.get(name, 0) else _condition(series)
        by_condition.setdefault(condition, []).append(name)
    times = f"time >= {_bounded(start_ms)}ms AND time <= {_bounded(end_ms)}ms"
    for condition, names in by_condition.items():
        where = f"{times} AND ({condition})" if condition else times
        for begin in range(0, len(names), _MEASUREMENTS):
            source = ", ".join(map(quoted, names[begin : begin + _MEASUREMENTS]))
            yield "; ".join(f"SELECT {quoted(field)} FROM {source} WHERE {where} GROUP BY *" for field in FIELDS)  # noqa: S608  all quoted


def edges(function: str, floor_ms: int) -> str:
    """Two statements, see `FIELDS`, that bring the `first` or `last` sample of every series of the database since the floor."""
    where = f" WHERE time >= {_bounded(floor_ms)}ms"
    return "; ".join(f"SELECT {function}({quoted(field)}) FROM /.*/{where} GROUP BY *" for field in FIELDS)  # noqa: S608  all ours


def removals(series: Sequence[Labels], tag_keys: Iterable[str], *, verb: str) -> Iterator[str]:
    """Statements that delete exactly these series of one measurement.

    Args:
        series: label sets with one metric name.
        tag_keys: all tags that the measurement has in the database: a series is without those that it does not name.
        verb: `DROP SERIES`, or `DELETE` for servers that do not have it.
    """
    keys = sorted({*tag_keys, *(tag_key(name) for labels in series for name, _ in labels if name != NAME_LABEL)})
    for begin in range(0, len(series), _DROPPED_SERIES):
        part = series[begin : begin + _DROPPED_SERIES]
        exact = []
        for labels in part:
            tags = {tag_key(name): tag_value(value) for name, value in labels if name != NAME_LABEL}
            exact.append("(" + " AND ".join(f"{quoted(key)} = {text(tags.get(key, ''))}" for key in keys) + ")")
        where = f" WHERE {' OR '.join(exact)}" if keys else ""
        yield f"{verb} FROM {quoted(dict(part[0])[NAME_LABEL])}{where}"


def purge(time_ms: int) -> str:
    """A statement that deletes every sample before a time."""
    return f"DELETE WHERE time < {_bounded(time_ms)}ms"


def _condition(series: list[Labels]) -> str:
    """Holds for all of these series of one measurement."""
    shared = set(series[0]).intersection(*series[1:])
    shared = {pair for pair in shared if pair[0] != NAME_LABEL}
    terms = [_equal(pair) for pair in sorted(shared)]
    if 1 < len(series) <= _EXACT_SERIES:
        alternatives = [
            " AND ".join(_equal(pair) for pair in labels if pair[0] != NAME_LABEL and pair not in shared) for labels in series
        ]
        if all(alternatives):
            terms.append("(" + " OR ".join(f"({alternative})" for alternative in alternatives) + ")")
    return " AND ".join(terms)


def _equal(pair: tuple[str, str]) -> str:
    return f"{quoted(tag_key(pair[0]))} = {text(tag_value(pair[1]))}"


def _bounded(time_ms: int) -> int:
    return min(max(time_ms, -_LIMIT_MS), _LIMIT_MS)
