"""What a request must be before it is analysed."""

from typing import Final

import numpy as np

from services.ai_agent.domain.analyze.model import AnalysisRequest
from services.common.errors import FieldError, InvalidArgumentError

_MOST_VALUES_PER_ROW: Final = 10
"""Rows times columns may reach this many times the most rows: wide requests must be shorter."""

_LARGEST: Final = 1e100


def check_request(request: AnalysisRequest, max_rows: int) -> None:
    """Refuse what cannot be analysed.

    Unsorted and equal times are fine, NaN is a missing value; infinity, and what no square can be taken of, is not a value.

    Raises:
        InvalidArgumentError: `NO_ROWS`, `TOO_MANY_ROWS`, `INVALID_ROWS` (unequal lengths, infinite or absurd values).
    """
    if not request.columns:
        raise _refused("NO_ROWS", "metrics", "there is no column to analyse")
    sizes = {name: column.size for name, column in request.columns.items()}
    rows = next(iter(sizes.values()))
    if rows == 0:
        raise _refused("NO_ROWS", "metrics", "there is no row to analyse")
    if rows > max_rows:
        raise _refused(
            "TOO_MANY_ROWS", "metrics", f"{rows} rows are given and at most {max_rows} are taken; send a shorter or coarser window"
        )
    if rows * len(sizes) > max_rows * _MOST_VALUES_PER_ROW:
        most = max_rows * _MOST_VALUES_PER_ROW
        raise _refused(
            "TOO_MANY_ROWS", "metrics", f"{rows} rows of {len(sizes)} columns are more than {most} values; send fewer columns"
        )
    if request.timestamps_ms is not None:
        sizes["timestamp"] = request.timestamps_ms.size
    for name, size in sizes.items():
        if size != rows:
            raise _refused("INVALID_ROWS", f"metrics.{name}", f"has {size} values where the first column has {rows}")
    for name, column in request.columns.items():
        absurd = np.flatnonzero(np.abs(column) > _LARGEST)
        if absurd.size:
            raise _refused("INVALID_ROWS", f"metrics[{absurd[0]}].{name}", f"must be a finite number of at most {_LARGEST:g}")


def _refused(reason: str, field: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field}: {message}", reason=reason, fields=[FieldError(field, message)])
