"""The samples of the past, part by part."""

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.common.errors import ConflictError, FieldError, InvalidArgumentError
from services.common.pools.pool import Pool
from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.fleet import Fleet
from services.server_gen.domain.injection import unknown_server
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.roster import VirtualServer
from services.server_gen.domain.simulation import Simulation
from services.server_gen.domain.snapshot import Snapshot
from services.server_gen.domain.watching import COMPUTE_SECONDS, interval_ms

MAX_RANGE_SECONDS: Final = 31 * 86_400.0
_SAMPLES_AT_ONCE: Final = 250_000
"""24 bytes each on the wire, besides the labels of the series."""
_SERVERS_AT_ONCE: Final = 250
"""The labels of 40 series of each stay around a megabyte."""


@dataclass(frozen=True)
class Part:
    """The samples of some servers over some steps.

    Attributes:
        snapshot: the fleet that they are of.
        servers: n of its servers.
        times_ms: int64[m], Unix time in milliseconds, ascending.
        figures: float64[len(CATALOGUE), m, n], NaN where there is no sample.
    """

    snapshot: Snapshot
    servers: Sequence[VirtualServer]
    times_ms: np.ndarray[tuple[int], np.dtype[np.int64]]
    figures: Floats


@dataclass(frozen=True)
class Range:
    """Steps of the past: from `start_ms`, inclusive, to `end_ms`, exclusive, at whole multiples of `step_ms`."""

    start_ms: int
    end_ms: int
    step_ms: int


def past_range(start: float, end: float, step_seconds: float, now: float) -> Range:
    """The range between two Unix times in seconds.

    Raises:
        InvalidArgumentError: `INVALID_INTERVAL`; `INVALID_TIME_RANGE` when the range is empty, too long, or not of the past.
    """
    step_ms = interval_ms(step_seconds)
    wrong = []
    if not start >= 0.0:
        wrong.append(FieldError("start", "is before 1970"))
    if not end <= now:
        wrong.append(FieldError("end", "is in the future"))
    if not wrong and not start < end:
        wrong.append(FieldError("end", "is not after the start"))
    if not wrong and end - start > MAX_RANGE_SECONDS:
        wrong.append(FieldError("end", "is more than 31 days after the start"))
    if wrong:
        message = "; ".join(f"{error.field} {error.message}" for error in wrong)
        raise InvalidArgumentError(message, reason="INVALID_TIME_RANGE", fields=wrong)
    return Range(math.ceil(start * 1000 / step_ms) * step_ms, math.ceil(end * 1000 / step_ms) * step_ms, step_ms)


async def read_history(
    fleet: Fleet, pool: Pool, steps: Range, hostnames: Sequence[str], generation: int | None
) -> AsyncIterator[Part]:
    """The samples of these servers, or of all when none is named, server by server in time order.

    Raises:
        RefusedError: the fleet has no such server (`UNKNOWN_SERVER`).
        ConflictError: the fleet is, or becomes, of another generation (`FLEET_CHANGED`).
    """
    snapshot = await fleet.current()
    expected = snapshot.generation if generation is None else generation
    _check(fleet, expected)
    for group in _groups(_chosen(snapshot, hostnames), steps):
        simulation = await pool.run(COMPUTE_SECONDS, snapshot.part, group)
        for times_ms in _times(steps, len(group)):
            figures = await pool.run(COMPUTE_SECONDS, Simulation.over, simulation, times_ms / 1000)
            _check(fleet, expected)
            yield Part(snapshot, group, times_ms, figures)


def _check(fleet: Fleet, expected: int) -> None:
    generation = fleet.snapshot.generation
    if generation != expected:
        raise ConflictError(
            f"the fleet is of generation {generation} now and no longer of {expected}; ask for the fleet and begin anew",
            reason="FLEET_CHANGED",
        )


def _chosen(snapshot: Snapshot, hostnames: Sequence[str]) -> tuple[VirtualServer, ...]:
    if not hostnames:
        return snapshot.servers
    place = snapshot.graph.place
    for name in hostnames:
        if name not in place:
            raise unknown_server(name)
    return tuple(snapshot.servers[position] for position in sorted({place[name] for name in hostnames}))


def _groups(servers: Sequence[VirtualServer], steps: Range) -> Iterator[Sequence[VirtualServer]]:
    """Few servers over many steps rather than the other way round: the series that a part has are long."""
    count = (steps.end_ms - steps.start_ms) // steps.step_ms
    if count > 0:
        size = min(_SERVERS_AT_ONCE, max(1, _SAMPLES_AT_ONCE // (len(CATALOGUE) * count)))
        for first in range(0, len(servers), size):
            yield servers[first : first + size]


def _times(steps: Range, servers: int) -> Iterator[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    count = max(1, _SAMPLES_AT_ONCE // (len(CATALOGUE) * servers))
    for first in range(steps.start_ms, steps.end_ms, count * steps.step_ms):
        yield np.arange(first, min(first + count * steps.step_ms, steps.end_ms), steps.step_ms, dtype=np.int64)
