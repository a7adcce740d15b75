"""A disturbance for tests: one server, one span, some levers held."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.server_gen.domain.levers import Levers, Span
from services.server_gen.domain.noise import Floats


@dataclass(frozen=True)
class Held:
    """Holds levers of one server from start to end; implements Disturbances.

    Attributes:
        server: index in the roster.
        start, end: Unix seconds.
        levers: name and value of each that is held.
        starts: Unix times at which the service was started.
    """

    server: int
    start: float
    end: float
    levers: dict[str, float] = field(default_factory=dict)
    starts: tuple[float, ...] = ()

    def spans(self) -> dict[int, Sequence[Span]]:
        return {self.server: [Span(self.start, self.end)]}

    def levers_of(self, times: Floats) -> dict[str, Floats]:
        on = (times >= self.start) & (times < self.end)
        rest = Levers.at_rest(1, 1)
        held = {name: np.where(on, value, float(getattr(rest, name)[0, 0])) for name, value in self.levers.items()}
        if self.starts:
            started = np.full(len(times), -np.inf)
            for start in self.starts:
                started[on & (times >= start)] = start
            held["started"] = started
        return held


class Pulled:
    """Several of them; implements Disturbances. Those of one server must not touch."""

    def __init__(self, *held: Held) -> None:
        self._held = held

    def spans(self) -> dict[int, Sequence[Span]]:
        spans: dict[int, list[Span]] = {}
        for held in sorted(self._held, key=lambda one: one.start):
            spans.setdefault(held.server, []).append(Span(held.start, held.end))
        return {server: tuple(of_server) for server, of_server in spans.items()}

    def levers(self, times: Floats, servers: Sequence[int]) -> Levers:
        levers = Levers.at_rest(len(times), len(servers))
        for held in self._held:
            for column, server in enumerate(servers):
                if server == held.server:
                    on = (times >= held.start) & (times < held.end)
                    for name, values in held.levers_of(times).items():
                        getattr(levers, name)[on, column] = values[on]
        return levers
