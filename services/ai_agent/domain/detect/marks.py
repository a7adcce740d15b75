"""Unusual values as columns, whichever signal found them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BAND_Z: Final = 3.0
"""The expected band is passed by calm rows as seldom as three standard deviations by a normal variable."""
POINT, SHIFT, JOINT = 0, 1, 2
_SAME_SHIFT_ROWS: Final = 3


@dataclass(frozen=True)
class Marks:
    """Unusual values, K of them: int64[K] rows, columns and kinds (POINT, SHIFT or JOINT), float64[K] the rest.

    `score` is -log10 of the chance of the value in calm data; `low` and `high` are the expected band.
    """

    row: Ints
    column: Ints
    kind: Ints
    score: Floats
    value: Floats
    low: Floats
    high: Floats

    def where(self, chosen: Flags | Ints) -> "Marks":
        """The chosen marks."""
        return Marks(*(getattr(self, name)[chosen] for name in Marks.__dataclass_fields__))


def no_marks() -> Marks:
    """Nothing unusual."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return Marks(whole, whole, whole, real, real, real, real)


def merged(points: Marks, shifts: Marks, joint: Marks) -> Marks:
    """All marks but those that say again what a point says: a combination of its row, a shift of its column beside it."""
    if not shifts.row.size and not joint.row.size:
        return points
    joint = joint.where(~np.isin(joint.row, points.row))
    fresh = [
        not np.any(np.abs(points.row[points.column == column] - row) <= _SAME_SHIFT_ROWS)
        for row, column in zip(shifts.row, shifts.column, strict=True)
    ]
    shifts = shifts.where(np.array(fresh, dtype=bool))
    return Marks(
        *(np.concatenate([getattr(part, name) for part in (points, shifts, joint)]) for name in Marks.__dataclass_fields__)
    )
