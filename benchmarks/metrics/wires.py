"""The workload as senders put it on the wire: remote write and InfluxDB lines."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import cramjam
import numpy as np
import numpy.typing as npt

from benchmarks.metrics.workload import DAY_HOST, DAY_JOB, DAY_STEPS, JOB, METRICS, STEP_MS, Floats, host_name, metric_name, steps
from tests.support.remote_write import write_request

REMOTE_WRITE, LINES = "remote write", "InfluxDB lines"
HEADERS: Final = {
    REMOTE_WRITE: {
        "Content-Encoding": "snappy",
        "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    },
    LINES: {"Content-Type": "text/plain"},
}
_DAY_REQUESTS: Final = 18
_DAY_SEED: Final = 21
_FIELDS: Final = ",".join(f"m{metric:02}=%r" for metric in range(METRICS))
_TIME_BYTES, _VALUE_BYTES = 6, 8

Encoder: TypeAlias = Callable[[int, Floats], bytes]
"""Makes a body of a time and values of [hosts, METRICS]."""


def encoder(wire: str, hosts: Sequence[int]) -> Encoder:
    """Encodes batches of these hosts."""
    names = [host_name(host) for host in hosts]
    return _remote_write_encoder(names) if wire == REMOTE_WRITE else _lines_encoder(names)


def day_bodies(wire: str, end_ms: int) -> Iterator[bytes]:
    """Bodies with the day of one host up to the step before `end_ms`."""
    values = np.concatenate([next_ for next_, _ in zip(steps(1, _DAY_SEED), range(DAY_STEPS), strict=False)])
    times = end_ms + np.arange(-DAY_STEPS, 0) * STEP_MS
    for part in np.split(np.arange(DAY_STEPS), _DAY_REQUESTS):
        if wire == LINES:
            rows = zip(times[part].tolist(), values[part].tolist(), strict=True)
            yield "".join(_line(DAY_JOB, DAY_HOST, row, time_ms) for time_ms, row in rows).encode()
        else:
            series = [
                (_labels(DAY_JOB, DAY_HOST, metric), list(zip(values[part, metric].tolist(), times[part].tolist(), strict=True)))
                for metric in range(METRICS)
            ]
            yield bytes(cramjam.snappy.compress_raw(write_request(*series)))


def _labels(job: str, host: str, metric: int) -> dict[str, str]:
    return {"__name__": metric_name(metric), "host": host, "job": job}


def _line(job: str, host: str, row: Sequence[float], time_ms: int) -> str:
    return f"node,host={host},job={job} {_FIELDS % tuple(row)} {time_ms}000000\n"


def _lines_encoder(names: Sequence[str]) -> Encoder:
    def encode(time_ms: int, values: Floats) -> bytes:
        return "".join(_line(JOB, name, row, time_ms) for name, row in zip(names, values.tolist(), strict=True)).encode()

    return encode


def _remote_write_encoder(names: Sequence[str]) -> Encoder:
    """Writes values and times into requests made once: all rows have one length, with the value and the time at their ends."""
    sample = (1.25, 1_700_000_000_000)
    rows = [write_request((_labels(JOB, name, metric), [sample])) for name in names for metric in range(METRICS)]
    table = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1).copy()
    value = slice(-_TIME_BYTES - 1 - _VALUE_BYTES, -_TIME_BYTES - 1)

    def encode(time_ms: int, values: Floats) -> bytes:
        table[:, value] = values.astype("<f8").reshape(-1, 1).view(np.uint8)
        table[:, -_TIME_BYTES:] = _varint(time_ms)
        return bytes(cramjam.snappy.compress_raw(table.tobytes()))

    return encode


def _varint(number: int) -> npt.NDArray[np.uint8]:
    """A time of our days as a protobuf varint, which has 6 bytes until the year 2109."""
    return np.array([number >> 7 * k & 0x7F | (0x80 if k < _TIME_BYTES - 1 else 0) for k in range(_TIME_BYTES)], np.uint8)
