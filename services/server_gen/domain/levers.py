"""What disturbs servers, in terms that the physics understands: the faults pull levers, and every series follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.server_gen.domain.noise import Floats


@dataclass
class Levers:
    """The levers of n servers at m times; each is float64[m, n] and stands at rest as made by `at_rest`.

    Attributes:
        traffic: factor on the requests that reach the server, at least 0; 1 at rest.
        cpu: share of all processors kept busy besides the server's own work, 0..1; 0 at rest.
        steal: share of processor time that a neighbour takes away, 0..1; 0 at rest.
        service: factor on the time that one request takes on an idle server, above 0; 1 at rest.
        errors: share of requests that fail besides the usual ones, 0..1; 0 at rest.
        memory: share of memory used besides the usual, 0..1; 0 at rest.
        disk: share of the file system used besides the usual, 0..1; 0 at rest.
        disk_read: factor on bytes read; 1 at rest.
        disk_written: factor on bytes written; 1 at rest.
        disk_busy: share of time that the disk is busy besides the usual, 0..1; 0 at rest.
        loss: share of packets lost, 0..1; 0 at rest.
        clock: seconds that the server's clock is ahead; 0 at rest.
        started: Unix time of the last start of the server's service that a fault brought about; -inf at rest.
        down: 1 where the service does not answer, although the machine runs; 0 at rest.
        silent: 1 where no samples come from the machine; 0 at rest.
    """

    traffic: Floats
    cpu: Floats
    steal: Floats
    service: Floats
    errors: Floats
    memory: Floats
    disk: Floats
    disk_read: Floats
    disk_written: Floats
    disk_busy: Floats
    loss: Floats
    clock: Floats
    started: Floats
    down: Floats
    silent: Floats

    @staticmethod
    def at_rest(times: int, servers: int) -> "Levers":
        """Levers that nobody pulls."""

        def full(value: float) -> Floats:
            return np.full((times, servers), value)

        return Levers(
            traffic=full(1.0),
            cpu=full(0.0),
            steal=full(0.0),
            service=full(1.0),
            errors=full(0.0),
            memory=full(0.0),
            disk=full(0.0),
            disk_read=full(1.0),
            disk_written=full(1.0),
            disk_busy=full(0.0),
            loss=full(0.0),
            clock=full(0.0),
            started=full(-np.inf),
            down=full(0.0),
            silent=full(0.0),
        )


@dataclass(frozen=True)
class Span:
    """A stretch of Unix time, start inclusive and end exclusive, in seconds."""

    start: float
    end: float


class Disturbances(Protocol):
    """What pulls the levers: a pure function of time, the same for every caller."""

    def spans(self) -> dict[int, Sequence[Span]]:
        """For each disturbed server, by its index in the roster: when any lever may be away from rest. Ascending, not touching."""
        ...

    def levers(self, times: Floats, servers: Sequence[int]) -> Levers:
        """The levers at Unix times float64[m] of the servers of these indices in the roster."""
        ...


@dataclass(frozen=True)
class Undisturbed:
    """A world without faults."""

    none: dict[int, Sequence[Span]] = field(default_factory=dict)

    def spans(self) -> dict[int, Sequence[Span]]:
        """No server is disturbed."""
        return self.none

    def levers(self, times: Floats, servers: Sequence[int]) -> Levers:
        """All at rest."""
        return Levers.at_rest(len(times), len(servers))
