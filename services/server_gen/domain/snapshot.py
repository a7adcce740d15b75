"""The fleet as it is at one moment, and how it is made."""

import hashlib
import math
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.plan import Plan, reached_servers
from services.server_gen.domain.faults.reach import Graph
from services.server_gen.domain.faults.scenario import Scenario
from services.server_gen.domain.faults.timing import seeds_of
from services.server_gen.domain.faults.truth import Truth, truth_of
from services.server_gen.domain.machines import RESTART_SECONDS
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.ports import FleetRecord
from services.server_gen.domain.roster import VirtualServer, roster
from services.server_gen.domain.simulation import Simulation

HISTORY_SECONDS: Final = 14 * 86_400.0
"""How long before its beginning the fleet has a past in which the scenario already happened."""
FORESIGHT_SECONDS: Final = 2 * 86_400.0
"""How far ahead the faults of the scenario are known to the simulation."""
_MEMORY_SECONDS: Final = RESTART_SECONDS + 33 * 86_400.0
"""A fault leaves its trace in the counters until the machine is started again, and 31 days of the past can be read at once."""
_WORLD: Final = 2
"""Raised whenever the same seed gives other samples than the release before."""


class Snapshot:
    """Servers, faults and simulation that belong together; a change of the fleet makes another one.

    Attributes:
        record: what makes the fleet the one that it is.
        servers: in the order they were added.
        graph: who depends on whom.
        plan: all faults that act, those of the scenario and those that were injected.
        injected: faults that were injected on servers of this fleet, cancelled ones included.
        foreseen: Unix time up to which the faults of the scenario are in the plan.
    """

    def __init__(
        self,
        record: FleetRecord,
        graph: Graph,
        plan: Plan,
        injected: tuple[Fault, ...],
        foreseen: float,
        simulate: Callable[[Sequence[VirtualServer], Plan], Simulation],
    ) -> None:
        self.record = record
        self.graph = graph
        self.servers = graph.servers
        self.plan = plan
        self.injected = injected
        self.foreseen = foreseen
        self._simulate = simulate
        self._whole = simulate(self.servers, plan)
        self._computing = threading.Lock()

    @property
    def generation(self) -> int:
        """Names the fleet."""
        return self.record.generation

    def figures(self, times: Floats) -> Floats:
        """Figures of all servers at Unix times float64[m], ascending: float64[len(CATALOGUE), m, n]. Any thread may ask."""
        with self._computing:
            return self._whole.over(times)

    def part(self, servers: Sequence[VirtualServer]) -> Simulation:
        """The same simulation for some of the servers, for one thread alone."""
        simulation = self._simulate(servers, self.plan)
        with self._computing:
            simulation.take_over(self._whole, {server.index: math.inf for server in servers})
        return simulation

    def take_over(self, earlier: "Snapshot", same_until: Mapping[int, float]) -> None:
        """Keep what an earlier snapshot has computed; see Simulation.take_over."""
        with earlier._computing:
            self._whole.take_over(earlier._whole, same_until)


class World:
    """What samples follow from, besides what is kept of the fleet.

    Args:
        seed: of the simulation.
        scenario: whose faults befall the fleet.
        holidays: dates on which people stay at home besides public holidays.
    """

    def __init__(self, seed: int, scenario: Scenario, holidays: Sequence[date] = ()) -> None:
        self.seed = seed
        self.scenario = scenario
        self.holidays = tuple(sorted(holidays))
        self.fingerprint: str = hashlib.sha256(repr((_WORLD, seed, scenario, self.holidays)).encode()).hexdigest()

    def snapshot(self, record: FleetRecord, faults: Sequence[Fault], now: float, earlier: Snapshot | None = None) -> Snapshot:
        """The fleet of this record, with these injected faults. Takes up to a second for thousands of servers.

        Args:
            record: what makes the fleet the one that it is.
            faults: all that were injected.
            now: Unix time in seconds.
            earlier: the same fleet before a change; saves computing again what the change leaves as it was.
        """
        graph = Graph(roster(record.size))
        # A smaller target may have taken the server of a fault away.
        injected = tuple(fault for fault in faults if fault.server in graph.place)
        foreseen = now + FORESIGHT_SECONDS
        of_scenario = self.scenario_faults(record, graph.servers, now - _MEMORY_SECONDS, foreseen)
        plan = Plan(self.seed, graph.servers, [*of_scenario, *injected], graph)
        snapshot = Snapshot(record, graph, plan, injected, foreseen, self._simulate)
        if earlier is not None:
            snapshot.take_over(earlier, self._same_until(earlier, snapshot))
        return snapshot

    def scenario_faults(self, record: FleetRecord, servers: Sequence[VirtualServer], start: float, end: float) -> list[Fault]:
        """The faults of the scenario that are under way or pass somewhere in [start, end), from the fleet's past on."""
        start = max(start, record.epoch - HISTORY_SECONDS)
        return self.scenario.faults(record.epoch, servers, start, end) if start < end else []

    def truth(self, snapshot: Snapshot, fault: Fault) -> Truth:
        """What is really the matter with one fault. Takes tens of milliseconds."""
        return truth_of(fault, self.seed, snapshot.servers, snapshot.graph, self.holidays)

    def reach(self, snapshot: Snapshot, fault: Fault) -> tuple[Fault, Hashable]:
        """The fault and all of the fleet that its truth depends on: the same truth holds wherever this is the same."""
        root = snapshot.graph.place.get(fault.server)
        if root is None:
            return fault, None
        seeds = seeds_of(fault, self.seed)
        relations = dict.fromkeys(pull.whom for pull in KINDS[fault.kind].pulls)
        reached = [snapshot.graph.reach(whom, root, seeds) for whom in relations]
        return fault, tuple((one.servers.tobytes(), one.delay.tobytes(), one.weight.tobytes()) for one in reached)

    def _same_until(self, earlier: Snapshot, later: Snapshot) -> dict[int, float]:
        """For each server of both, by its index, the Unix time before which the same faults do the same to it."""
        same = {server.index: math.inf for server in later.servers[: len(earlier.servers)]}
        before, after = self._faults_by_reach(earlier), self._faults_by_reach(later)
        for snapshot, here, there in ((earlier, before, after), (later, after, before)):
            for key, cancelled_at in here.items():
                fault, moment = key[0], key[0].start
                if key in there:
                    if there[key] == cancelled_at:
                        continue
                    moment = min(at for at in (cancelled_at, there[key]) if at is not None)
                for place in reached_servers(fault, self.seed, snapshot.graph):
                    index = snapshot.servers[place].index
                    same[index] = min(same.get(index, math.inf), moment)
        return same

    def _faults_by_reach(self, snapshot: Snapshot) -> dict[tuple[Fault, Hashable], float | None]:
        """When each fault that acts was withdrawn, by what it would be without that, and whom it reaches."""
        return {
            (replace(fault, cancelled_at=None), self.reach(snapshot, fault)[1]): fault.cancelled_at
            for fault in snapshot.plan.faults
            if fault.server in snapshot.graph.place
        }

    def _simulate(self, servers: Sequence[VirtualServer], plan: Plan) -> Simulation:
        return Simulation(self.seed, servers, plan, self.holidays)
