"""How fast the virtual fleet is computed, against the bar of a million samples per CPU second.

Run: `python -m benchmarks.bench_fleet_generation`. Two shapes: fourteen days of history of twenty servers at one minute, from nothing
known to the last sample, and the live feed of a thousand servers every ten seconds. Storing and sending are not in it.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.support import print_table, rate, ratio
from services.server_gen.domain.catalogue import CATALOGUE
from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation

START = 1_794_960_000.0
BAR_SAMPLES_PER_CPU_SECOND = 1e6
LIVE_STEPS = 60


def main() -> None:
    started = time.process_time()
    simulation = Simulation(20, roster(20))
    times = START + 60.0 * np.arange(14 * DAY / 60.0)
    history_cpu = time.process_time() - started + _cpu_seconds(lambda: simulation.over(times))
    history = len(CATALOGUE) * 20 * len(times)

    started = time.process_time()
    fleet = Simulation(20, roster(1000))
    built_cpu = time.process_time() - started
    first_cpu = _cpu_seconds(lambda: fleet.at(START))
    steps = [_cpu_seconds(partial(fleet.at, START + 10.0 * step)) for step in range(1, LIVE_STEPS + 1)]
    live = len(CATALOGUE) * 1000 * LIVE_STEPS

    print_table(
        "generation of the virtual fleet, one process",
        ("", "samples", "CPU s", "samples/CPU s", "bar of 1 M"),
        [_row("history: 20 servers x 14 days x 60 s", history, history_cpu), _row("live: 1,000 servers x 10 s", live, sum(steps))],
    )
    print(f"  1,000 servers: built in {1e3 * built_cpu:.0f} ms, first step {1e3 * first_cpu:.0f} ms,", end=" ")
    print(
        f"further steps {1e3 * float(np.median(steps)):.1f} ms (worst {1e3 * max(steps):.1f} ms): {sum(steps) / LIVE_STEPS / 10:.2%} of a core"
    )


def _row(name: str, samples: int, cpu: float) -> tuple[str, ...]:
    return name, f"{samples:,}", f"{cpu:.2f}", rate(samples / cpu), ratio(samples / cpu, BAR_SAMPLES_PER_CPU_SECOND)


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
