"""Samples as one compressed piece of bytes.

Byte k of every number stands beside byte k of the others: ids and times differ in their low bytes only, so that the rest is runs.
"""

from typing import Final

import cramjam
import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import Columns

_LEVEL: Final = 1
_WIDTH: Final = 8
_COLUMNS: Final = 3


def pack(columns: Columns) -> bytes:
    """The columns as bytes."""
    planes = b"".join(
        np.ascontiguousarray(column).view(np.uint8).reshape(-1, _WIDTH).T.tobytes()
        for column in (columns.ids, columns.timestamps_ms, columns.values)
    )
    return bytes(cramjam.zstd.compress(planes, _LEVEL))


def unpack(packed: bytes) -> Columns:
    """The columns again.

    Raises:
        ValueError: the bytes are not what `pack` gives.
    """
    try:
        planes = np.frombuffer(bytes(cramjam.zstd.decompress(packed)), np.uint8)
    except cramjam.DecompressionError as error:
        raise ValueError("damaged samples") from error
    if len(planes) % (_WIDTH * _COLUMNS):
        raise ValueError("damaged samples")
    ids, times, values = planes.reshape(_COLUMNS, _WIDTH, -1)
    return Columns(_column(ids).view(np.uint64), _column(times).view(np.int64), _column(values).view(np.float64))


def _column(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(planes.T).reshape(-1)
