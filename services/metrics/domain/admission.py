"""Which samples of a batch a store may take, and the receipt that says so."""

import enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import (
    MAX_ROW_ERRORS,
    MIN_TIME_MS,
    Columns,
    MaskArray,
    Reason,
    Receipt,
    RowError,
    StoreLimits,
    TimeArray,
    WriteMode,
)


class Verdict(enum.IntEnum):
    """What becomes of one sample."""

    ACCEPTED = 0
    DUPLICATE = 1
    LATE = 2
    UNKNOWN_SERIES = 3
    TOO_OLD = 4
    IN_FUTURE = 5
    REFUSED = 6


Verdicts = NDArray[np.uint8]

_REASONS: Final = {
    Verdict.LATE: Reason.LATE,
    Verdict.UNKNOWN_SERIES: Reason.UNKNOWN_SERIES,
    Verdict.TOO_OLD: Reason.TOO_OLD,
    Verdict.IN_FUTURE: Reason.IN_FUTURE,
    Verdict.REFUSED: Reason.STORE_REFUSED,
}


def screen(
    columns: Columns,
    known: MaskArray,
    newest_ms: TimeArray,
    *,
    mode: WriteMode,
    now_ms: int,
    limits: StoreLimits,
    floor_ms: int = MIN_TIME_MS,
) -> Verdicts:
    """Judge each sample by itself, duplicates apart.

    Values are not looked at: any double may be kept, and the NaN 0x7ff0000000000002 says that a series has ended (Prometheus's
    staleness marker).

    Args:
        columns: n samples.
        known: bool[n], whether the series exists.
        newest_ms: i64[n], newest time of each sample's series before this batch, `MIN_TIME_MS` without one.
        mode: live samples may be late, imported ones may not.
        now_ms: the present.
        limits: what the store takes.
        floor_ms: what is older has been deleted, and stays so.

    Returns:
        u8[n] of `Verdict`.
    """
    times = columns.timestamps_ms
    verdicts = np.zeros(len(columns), np.uint8)
    if mode is WriteMode.LIVE:
        verdicts[times < newest_ms - limits.late_ms] = Verdict.LATE
    # The worse reason is written last.
    verdicts[times > now_ms + limits.future_ms] = Verdict.IN_FUTURE
    verdicts[times < max(now_ms - limits.retention_ms, floor_ms)] = Verdict.TOO_OLD
    verdicts[~known] = Verdict.UNKNOWN_SERIES
    return verdicts


def receipt_of(columns: Columns, verdicts: Verdicts) -> Receipt:
    """The receipt of a batch whose verdicts are complete."""
    mask = verdicts == Verdict.ACCEPTED
    accepted = int(np.count_nonzero(mask))
    if accepted == len(verdicts):
        return Receipt(accepted, 0, 0, 0, (), mask)
    counts = np.bincount(verdicts, minlength=len(Verdict))
    refused = np.flatnonzero(verdicts >= Verdict.LATE)[:MAX_ROW_ERRORS]
    errors = tuple(_row_error(int(row), columns, Verdict(int(verdicts[row]))) for row in refused)
    duplicate, late = int(counts[Verdict.DUPLICATE]), int(counts[Verdict.LATE])
    return Receipt(accepted, len(verdicts) - accepted - duplicate - late, duplicate, late, errors, mask)


def _row_error(row: int, columns: Columns, verdict: Verdict) -> RowError:
    time_ms = int(columns.timestamps_ms[row])
    message = {
        Verdict.LATE: f"time {time_ms} is too long before the newest sample of its series; import it instead",
        Verdict.UNKNOWN_SERIES: f"series {int(columns.ids[row])} is not registered",
        Verdict.TOO_OLD: f"time {time_ms} (Unix ms) is before the retention of the store",
        Verdict.IN_FUTURE: f"time {time_ms} (Unix ms) is too far in the future; is the sender's clock right?",
        Verdict.REFUSED: "the database that keeps the samples does not take this one; the service's log has its reason",
    }[verdict]
    return RowError(row, _REASONS[verdict], message)
