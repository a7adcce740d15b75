"""Rows as JSON has them (`[{"a": 1.5, "b": 2, "timestamp": "…"}, …]`) turned into columns, and wrong rows into clear errors.

The usual case, every row with the same keys and plain numbers, costs one list comprehension a column; only when that fails is
each value looked at, to say which row and field is wrong.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.common.errors import FieldError, InvalidArgumentError

TIME_FIELD: Final = "timestamp"
MAX_COLUMNS: Final = 256
MAX_ERRORS: Final = 10
_NUMBERS: Final = frozenset((int, float))
_NUMBERS_OR_NONE: Final = frozenset((int, float, type(None)))
_MILLISECONDS_FROM: Final = 1e11
"""A number of at least this size is milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973."""
_SHORTEST_TIME, _LONGEST_TIME = len("2025-01-27T00:00:00Z"), len("2025-01-27T00:00:00.000000Z")
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last that RFC 3339 can write."""


@dataclass(frozen=True)
class RowColumns:
    """Rows by column, in the order of the rows.

    Attributes:
        timestamps_ms: int64[rows], Unix time in milliseconds; None when no row had a time.
        columns: float64[rows] by name, in order of first appearance; NaN where a row has no value.
    """

    timestamps_ms: npt.NDArray[np.int64] | None
    columns: dict[str, npt.NDArray[np.float64]]


def parse_rows(rows: object, *, field: str = "metrics", max_rows: int) -> RowColumns:
    """Columns of decoded JSON rows.

    A row is an object of numbers; `null` and an absent key mean that the row has no value there. The key `timestamp` is a time in
    RFC 3339 with a zone or a Unix time in seconds (milliseconds from 1e11 on); either every row has one or none.

    Args:
        rows: what the JSON decoder gave.
        field: name of the rows in the request, for the errors.
        max_rows: more rows than this are refused.

    Raises:
        InvalidArgumentError: `TOO_MANY_ROWS`, or `INVALID_ROWS` with the row and field of at most ten faults.
    """
    if not isinstance(rows, list):
        raise _refused([FieldError(field, "must be a list of objects")])
    if not rows:
        raise _refused([FieldError(field, "must hold at least one row")])
    if len(rows) > max_rows:
        message = f"{field} holds {len(rows)} rows and at most {max_rows} are taken; send a shorter or coarser window"
        raise InvalidArgumentError(message, reason="TOO_MANY_ROWS", fields=[FieldError(field, message)])
    if set(map(type, rows)) != {dict}:
        raise _refused([FieldError(f"{field}[{i}]", "must be an object") for i, row in enumerate(rows) if type(row) is not dict])
    values = _values_by_name(rows)
    stamps = values.pop(TIME_FIELD, None)
    if not values:
        raise _refused([FieldError(field, "no row holds a number")])
    if len(values) > MAX_COLUMNS:
        raise _refused([FieldError(field, f"has {len(values)} columns and at most {MAX_COLUMNS} are taken")])
    problems: list[FieldError] = []
    columns = {name: _column(given, name, field, problems) for name, given in values.items()}
    times = None if stamps is None else _times(stamps, field, problems)
    if problems:
        raise _refused(problems)
    return RowColumns(times, columns)


def _values_by_name(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The values of each key, in order of first appearance; None where a row has no such key."""
    names = dict.fromkeys(rows[0])
    if set(map(len, rows)) == {len(names)}:
        try:  # as many keys as the first row has, and each of those: the same ones
            return {name: [row[name] for row in rows] for name in names}
        except KeyError:
            pass
    for row in rows:
        names.update(dict.fromkeys(row))
    return {name: [row.get(name) for row in rows] for name in names}


def _column(values: list[Any], name: str, field: str, problems: list[FieldError]) -> npt.NDArray[np.float64]:
    if set(map(type, values)) <= _NUMBERS_OR_NONE:
        try:
            column = np.array(values, dtype=np.float64)
        except OverflowError:  # a whole number beyond the range of a double
            column = np.empty(0)
        # A NaN that the row itself held is refused, one that stands for null is not, so the two are told apart here.
        bad = 0 if not column.size else int(np.count_nonzero(~np.isfinite(column)))
        if column.size and (bad == 0 or bad == values.count(None)):
            return column
    _add(problems, (FieldError(f"{field}[{i}].{name}", fault) for i, value in enumerate(values) if (fault := _fault(value))))
    return np.empty(0)


def _fault(value: object) -> str:
    """What is wrong with a value of a column; empty when nothing is."""
    if value is None:
        return ""
    if type(value) not in _NUMBERS:
        return f"must be a number, not {_described(value)}"
    try:
        return "" if math.isfinite(value) else "must be a finite number"  # type: ignore[arg-type]
    except OverflowError:
        return "is too large"


def _times(values: list[Any], field: str, problems: list[FieldError]) -> npt.NDArray[np.int64] | None:
    kinds = set(map(type, values))
    if kinds == {type(None)}:
        return None
    try:
        if kinds == {str}:
            alike = _times_alike(values)
            if alike is not None:
                return alike
            # timestamp() of a time without a zone would take this machine's zone: such a time is a fault, found below.
            moments = list(map(datetime.fromisoformat, values))
            if None not in [moment.tzinfo for moment in moments]:
                return _milliseconds([moment.timestamp() for moment in moments])
        elif kinds <= _NUMBERS:
            seconds = np.array(values, dtype=np.float64)
            seconds[np.abs(seconds) >= _MILLISECONDS_FROM] /= 1000.0
            if np.all(np.abs(seconds) <= _LAST_MS / 1000.0):
                return _milliseconds(seconds)
    except (ValueError, OverflowError):
        pass  # the faults are found one by one below
    found = [FieldError(f"{field}[{i}].{TIME_FIELD}", fault) for i, value in enumerate(values) if (fault := _time_fault(value))]
    if not found:  # every value is a time, but some are texts and some numbers
        each = [_times([value], field, problems) for value in values]
        return np.concatenate([time for time in each if time is not None])
    _add(problems, found)
    return None


def _times_alike(texts: list[str]) -> npt.NDArray[np.int64] | None:
    """Times that are all written as 2025-01-27T00:00:00Z, with the same number of decimals; None when they are not.

    The usual case by far, and numpy reads them several times faster than they can be read one by one.
    """
    size = len(texts[0])
    joined = "".join(texts)
    if not _SHORTEST_TIME <= size <= _LONGEST_TIME or len(joined) != size * len(texts) or not joined.isascii():
        return None
    letters = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, size)
    if not (np.all(letters[:, -1] == ord("Z")) and np.all(letters[:, 10] == ord("T")) and set(map(len, texts)) == {size}):
        return None
    moments = np.frombuffer(joined.encode(), dtype=f"S{size}").astype(f"S{size - 1}").astype("M8[us]")
    return None if np.isnat(moments).any() else np.asarray(np.rint(moments.astype(np.int64) / 1000.0), dtype=np.int64)


def _milliseconds(seconds: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(np.asarray(seconds, dtype=np.float64) * 1000.0).astype(np.int64)


def _time_fault(value: object) -> str:
    """What is wrong with a time; empty when nothing is."""
    if value is None:
        return "is missing here, while other rows have one"
    if type(value) in _NUMBERS:
        # The comparison is false for NaN, and exact for whole numbers of any size.
        return "" if abs(value) <= _LAST_MS else "is not a Unix time before the year 10000"  # type: ignore[arg-type]
    if not isinstance(value, str):
        return f"must be a time in RFC 3339 or a Unix time, not {_described(value)}"
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return f"is not a time in RFC 3339: {_described(value)}"
    return "" if moment.tzinfo is not None else "has no zone; end it with Z or an offset such as +09:00"


def _described(value: object) -> str:
    kinds = {bool: "a boolean", dict: "an object", list: "a list"}
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return kinds.get(type(value), f"a {type(value).__name__}")


def _add(problems: list[FieldError], found: Iterable[FieldError]) -> None:
    for fault in found:
        if len(problems) >= MAX_ERRORS:
            return
        problems.append(fault)


def _refused(problems: list[FieldError]) -> InvalidArgumentError:
    shown = problems[:MAX_ERRORS]
    return InvalidArgumentError(f"{shown[0].field} {shown[0].message}", reason="INVALID_ROWS", fields=shown)
