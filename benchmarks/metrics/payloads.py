"""Bodies of requests in files, made once a run before any clock starts, so that every system gets the same bytes."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.metrics.wires import encoder
from benchmarks.metrics.workload import SENDERS, STEP_MS, Floats, Workload, steps

_LENGTH = struct.Struct("<I")


def bodies_path(folder: Path, wire: str, sender: int) -> Path:
    """Where the bodies of one sender are."""
    return folder / f"{wire.replace(' ', '_')}-{sender}"


def values_path(folder: Path) -> Path:
    """Where the values are, float64 of [steps, hosts, METRICS]."""
    return folder / "values.npy"


def write_payloads(folder: Path, workload: Workload, wires: tuple[str, ...]) -> None:
    """Make everything that senders need."""
    source = steps(workload.hosts)
    values: Floats = np.stack([next(source) for _ in range(workload.steps)])
    np.save(values_path(folder), values)
    for wire in wires:
        for sender in range(SENDERS):
            batches = [(slice(hosts.start, hosts.stop), encoder(wire, hosts)) for hosts in workload.batches(sender)]
            with bodies_path(folder, wire, sender).open("wb") as file:
                for step in range(workload.steps):
                    for rows, encode in batches:
                        body = encode(workload.start_ms + step * STEP_MS, values[step, rows])
                        file.write(_LENGTH.pack(len(body)))
                        file.write(body)


def read_bodies(path: Path) -> Iterator[bytes]:
    """The bodies of a file, in their order."""
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(head)[0])
