"""From what happens on machines to the series they report."""

from typing import Final

import numpy as np

from services.server_gen.domain.catalogue import CATALOGUE, ROW
from services.server_gen.domain.levers import Levers
from services.server_gen.domain.machines import Machines
from services.server_gen.domain.moments import UNITS, Moment
from services.server_gen.domain.noise import Floats
from services.server_gen.domain.physics import Flow
from services.server_gen.domain.roles import DAY, HOUR

_PAGE: Final = 4096.0
_SWAP_IDLE_FROM: Final = 0.5
_SWAP_IDLE: Final = 0.08
"""Pages that nobody has used for long go first, when there is no need yet."""
_SWAP_SHORT_FROM: Final = 0.85
_SWAP_SHORT: Final = 0.9
_MAX_SWAP_BYTES: Final = 8 * 2.0**30
_FILL_SECONDS: Final = 0.8 * DAY
"""Work after which the caches of a service are half full."""
_PAGES_SECONDS: Final = 5 * HOUR
_PAGES_SHARE: Final = 0.82
"""Most of the memory that nobody uses holds files that were read."""
_FULL_EVERY: Final = 7.0
"""Collections of which one is thorough; the others leave a little more behind each time."""
_POOL_IDLE: Final = 0.35
"""Part of the pooled connections that stay open when nobody comes."""
_SLOW_FROM: Final = 0.35
_SLOW_HEIGHT: Final = 8.0


def figures(
    machines: Machines,
    moment: Moment,
    happening: Flow,
    levers: Levers,
    counters: dict[str, Floats],
    loads: tuple[Floats, Floats, Floats],
    start: Floats,
    work_since_start: Floats,
) -> Floats:
    """All series of machines at some times: float64[len(CATALOGUE), n, m], NaN where there is no sample.

    Args:
        machines: n of them.
        moment: what is known of them undisturbed.
        happening: what happens.
        levers: what disturbs them.
        counters: since the start of machine or service, in units.
        loads: processes that run or wait, on average over 1, 5 and 15 minutes.
        start: Unix time of the last start of the service.
        work_since_start: the work done since then.
    """
    of, noises, times = machines.of, machines.noises, moment.times
    rates = happening.rates
    out = np.empty((len(CATALOGUE), machines.size, times.shape[-1]))

    def put(key: str, values: Floats) -> None:
        out[ROW[key]] = values

    memory_wanted = _memory_share(machines, moment, loads[1], work_since_start, levers)
    memory = np.clip(memory_wanted, 0.01, 0.997)
    idle_pages = _SWAP_IDLE * np.maximum(memory_wanted - _SWAP_IDLE_FROM, 0.0)
    swap = np.minimum(idle_pages + _SWAP_SHORT * np.maximum(memory_wanted - _SWAP_SHORT_FROM, 0.0), 1.0)
    swap_total = np.floor(np.minimum(of["memory_bytes"] / 8.0, _MAX_SWAP_BYTES) / _PAGE) * _PAGE
    disk = np.clip(_disk_share(machines, moment) + levers.disk, 0.0, 1.0)
    disk_available = _PAGE * np.floor((1.0 - disk) * of["disk_bytes"] / _PAGE)
    age = moment.times - moment.boot
    busy = rates["cpu_user"] + rates["cpu_system"] + rates["cpu_steal"]
    put("cpu", np.round(100.0 * np.minimum(busy, 1.0), 2))
    put("memory", np.round(100.0 * memory, 2))
    put("disk", np.round(100.0 * (1.0 - disk_available / of["disk_bytes"]), 2))
    put("swap", np.round(100.0 * swap, 2))
    put("memory_total", of["memory_bytes"])
    put("memory_available", _PAGE * np.floor((1.0 - memory) * of["memory_bytes"] / _PAGE))
    put(
        "memory_cached", _PAGE * np.floor(_PAGES_SHARE * age / (age + _PAGES_SECONDS) * (1.0 - memory) * of["memory_bytes"] / _PAGE)
    )
    put("swap_total", swap_total)
    put("swap_free", _PAGE * np.floor((1.0 - swap) * swap_total / _PAGE))
    put("disk_size", of["disk_bytes"])
    put("disk_available", disk_available)

    for key, load in zip(("load1", "load5", "load15"), loads, strict=True):
        put(key, np.round(load, 2))
    put("procs_running", np.maximum(np.rint(happening.runnable - happening.blocked), 1.0))
    put("procs_blocked", np.floor(happening.blocked))

    chance = 1.0 + noises["latency"].value(times)
    slow = np.maximum(noises["slow"].value(times) - _SLOW_FROM, 0.0)
    kept_open = of["pooled"] * of["cores"] * (1.0 - levers.down) * (_POOL_IDLE + (1.0 - _POOL_IDLE) * happening.asked)
    connections = np.rint(kept_open + happening.in_flight * chance)
    established = connections + 14.0
    serves = of["requests"] > 0.0
    answers = serves & (levers.down < 0.5)
    put("latency", np.where(answers, np.round(happening.latency_ms * (chance + _SLOW_HEIGHT * slow * slow), 2), np.nan))
    put("connections", np.where(serves, connections, np.nan))
    put("queue_depth", np.where(serves, np.rint(happening.waiting * chance), np.nan))
    put("established", established)
    put("files_open", 32.0 * np.ceil((38.0 * of["cores"] + 1.25 * established + 900.0) / 32.0))

    for key, counter in counters.items():
        if key in ("requests", "errors"):
            put(key, np.where(serves, np.floor(counter / UNITS[key]), np.nan))
        elif key.startswith("cpu_"):
            put(key, np.floor(counter / (UNITS[key] / 100.0)) / 100.0)
        elif key == "disk_io_time":
            put(key, np.floor(counter / (UNITS[key] / 1000.0)) / 1000.0)
        else:
            put(key, np.floor(counter / UNITS[key]))

    put("clock_offset", np.round(noises["clock"].value(times) + levers.clock, 6))
    put("time", np.round(times + levers.clock, 3))
    put("boot_time", moment.boot)
    put("start_time", start)
    silent = levers.silent >= 0.5
    if silent.any():
        out[:, np.broadcast_to(silent, out.shape[1:])] = np.nan
    return out


def _memory_share(machines: Machines, moment: Moment, load: Floats, work: Floats, levers: Levers) -> Floats:
    """What is needed, what the work of the last minutes takes, what caches keep, and garbage until it is collected."""
    of = machines.of
    work = np.maximum(work, 0.0)
    filled = work / (work + _FILL_SECONDS)
    turns = work / (of["collect_hours"] * HOUR) + of["saw_key"]
    turn = np.floor(turns)
    thorough = (turn - _FULL_EVERY * np.floor(turn / _FULL_EVERY)) / _FULL_EVERY
    garbage = of["memory_saw"] * (0.75 * (turns - turn) + 0.6 * thorough)
    busy = np.minimum(load / of["cores"], 1.0)
    usual = of["memory_base"] + of["memory_fill"] * filled + of["memory_work"] * busy + garbage
    return usual + machines.noises["memory"].value(moment.times) + levers.memory


def _disk_share(machines: Machines, moment: Moment) -> Floats:
    """Files grow with the work, and are removed on the day of the rotation."""
    of = machines.of
    since = moment.amount.since(moment.rotation_amount)
    grown = (0.5 * machines.level(since) + 0.5 * since.one) / (of["rotation_days"] * DAY)
    return of["disk_base"] + of["disk_growth"] * grown
