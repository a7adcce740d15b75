"""Samples as lines of InfluxDB's line protocol, times in milliseconds."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from services.metrics.adapters.influxdb.names import BITS_FIELD, VALUE_FIELD
from services.metrics.domain.ports import MaskArray, TimeArray, ValueArray

MAX_BODY_BYTES: Final = 8 << 20
"""Of one request, before compression; servers take 10 MB (3) to 25 MB (1.x) unless told otherwise."""


def unrepresentable(values: ValueArray) -> MaskArray:
    """Which doubles InfluxDB cannot hold, or cannot tell again, as numbers: NaN, the infinities, minus zero."""
    mask: MaskArray = ~np.isfinite(values) | ((values == 0) & np.signbit(values))
    return mask


def encode(keys: Sequence[str], times: TimeArray, values: ValueArray) -> bytes:
    """One line a sample.

    Args:
        keys: n beginnings of lines, see `names.line_key`.
        times: i64[n], Unix ms.
        values: f64[n]; `repr` gives the shortest decimals that read back as the same double.
    """
    rare = unrepresentable(values)
    if rare.any():
        bits = values.view(np.int64).tolist()
        fields = [
            f"{BITS_FIELD}={bits[row]}i" if is_rare else f"{VALUE_FIELD}={value!r}"
            for row, (is_rare, value) in enumerate(zip(rare.tolist(), values.tolist(), strict=True))
        ]
        lines = [f"{key} {field} {time}" for key, field, time in zip(keys, fields, times.tolist(), strict=True)]
    else:
        lines = [
            f"{key} {VALUE_FIELD}={value!r} {time}" for key, value, time in zip(keys, values.tolist(), times.tolist(), strict=True)
        ]
    return "\n".join(lines).encode()


def pieces(body: bytes, max_bytes: int = MAX_BODY_BYTES) -> Iterator[bytes]:
    """The lines in bodies of bounded size; a line longer than that is a body of its own."""
    start = 0
    while len(body) - start > max_bytes:
        end = body.rfind(b"\n", start, start + max_bytes)
        if end < 0:
            end = body.find(b"\n", start)
            if end < 0:
                break
        yield body[start:end]
        start = end + 1
    yield body[start:]
