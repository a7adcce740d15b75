"""How bad the unusual rows are, from evidence alone: how many, how far out, how long, and whether something is used up."""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.analyze.model import Severity

_MANY_ROWS: Final = (3, 10)
_MANY_SHARE: Final = 0.02
_FAR_SCORES: Final = (12.0, 40.0)
"""-log10 of the chance in calm data; the limit of notice is near 6 for a thousand rows."""
_LONG_RUNS: Final = (3, 10)
_LEVELS: Final[tuple[Severity, ...]] = ("low", "medium", "medium", "high")


def severity_of(
    rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], count: int, *, new_level: bool, used_up: bool
) -> Severity:
    """Severity of unusual rows.

    One point each for at least 3 and at least 10 rows (or 2 % of the window), for the furthest row beyond 12 and beyond 40, for 3
    and for 10 rows on end (a new level counts as the former), and one when a utilisation is all but used up: 0 points are low, 1 and
    2 medium, more are high. No unusual row is normal.

    Args:
        rows: int64[k], places of the unusual rows in order of time, ascending.
        scores: float64[k], their scores.
        count: rows of the window.
        new_level: whether a new level begins at one of them.
        used_up: whether a utilisation among them is all but used up.
    """
    if not rows.size:
        return "normal"
    many = sum(rows.size >= least for least in _MANY_ROWS)
    if rows.size >= _MANY_ROWS[0] and rows.size >= _MANY_SHARE * count:
        many = len(_MANY_ROWS)
    far = sum(float(scores.max()) >= least for least in _FAR_SCORES)
    longest = _longest_run(rows)
    long = max(sum(longest >= least for least in _LONG_RUNS), int(new_level))
    return _LEVELS[min(many + far + long + int(used_up), len(_LEVELS) - 1)]


def _longest_run(rows: npt.NDArray[np.int64]) -> int:
    breaks = np.flatnonzero(np.diff(rows) != 1)
    edges = np.concatenate([[-1], breaks, [rows.size - 1]])
    return int(np.diff(edges).max())
