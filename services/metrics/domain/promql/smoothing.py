"""`holt_winters`: double exponential smoothing over each window."""

import numpy as np

from services.metrics.domain.ports import ValueArray
from services.metrics.domain.promql.errors import ExecutionError
from services.metrics.domain.promql.over_time import window_chunks
from services.metrics.domain.promql.values import Grid, IndexArray, Windows


def holt_winters(windows: Windows, smoothing: ValueArray, trend: ValueArray) -> Grid:
    """Smoothed value at the end of each window of two samples or more; factors f64[steps], between 0 and 1.

    Source: Prometheus 2.x, `holt_winters`; C. C. Holt, "Forecasting seasonals and trends by exponentially weighted moving
    averages" (1957), without the seasons that the name promises.

    Raises:
        ExecutionError: a factor is out of bounds at a step at which there is a window.
    """
    used = (windows.counts > 0).any(axis=0)
    _check(smoothing[used], "smoothing factor", "sf")
    _check(trend[used], "trend factor", "tf")
    shape = windows.low.shape
    smoothing, trend = (np.broadcast_to(factor, shape).ravel() for factor in (smoothing, trend))
    result = np.empty(windows.low.size)
    for rows, padded, lengths in window_chunks(windows):
        result[rows] = _smooth(padded, lengths, smoothing[rows], trend[rows])
    return result.reshape(shape), windows.counts >= 2


def _smooth(padded: ValueArray, lengths: IndexArray, smoothing: ValueArray, trend: ValueArray) -> ValueArray:
    """Level after the last sample of each row; one turn a column, all windows at once."""
    if padded.shape[1] < 2:
        return padded[:, 0]
    before, level = np.zeros(len(padded)), padded[:, 0].copy()
    slope = padded[:, 1] - padded[:, 0]
    for column in range(1, padded.shape[1]):
        inside = lengths > column
        if column > 1:
            slope = np.where(inside, trend * (level - before) + (1 - trend) * slope, slope)
        smoothed = smoothing * padded[:, column] + (1 - smoothing) * (level + slope)
        before, level = np.where(inside, level, before), np.where(inside, smoothed, level)
    return level


def _check(factor: ValueArray, name: str, short: str) -> None:
    wrong = factor[(factor <= 0) | (factor >= 1)]
    if len(wrong):
        raise ExecutionError(f"invalid {name}. Expected: 0 < {short} < 1, got: {wrong[0]:f}")
