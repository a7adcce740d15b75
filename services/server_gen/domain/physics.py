"""How machines answer to load: processors, queues, disks and networks, undisturbed or with levers pulled."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.server_gen.domain.levers import Levers
from services.server_gen.domain.machines import Drive, Machines
from services.server_gen.domain.noise import Floats

REST: Final = Levers.at_rest(1, 1)

_QUEUE_LIMIT: Final = 160.0
"""Requests that wait at most, on average: others give up."""
_RUN_QUEUE_LIMIT: Final = 3.0
"""Processes that wait at most for each processor: there are only so many."""
_BASE_USER: Final = 0.6
_JOB_USER: Final = 0.85
"""Parts of the machine's own needs and of planned work that are spent outside the kernel."""
_DISK_BYTES_PER_SECOND: Final = 2.5e7
"""What the disks carry, per core: larger machines come with faster disks."""
_WAIT_PER_BUSY_DISK: Final = 0.12
"""Share of processor time spent waiting for a disk that is busy all the time."""
_DISK_QUEUE_LIMIT: Final = 0.02
_RECEIVED_PACKET: Final = 900.0
_SEGMENT: Final = 1400.0
_DROPS: Final = 1e-6
_RETRANSMITS: Final = 2e-4
_QUIET_BYTES: Final = 8e3
"""Bytes per second that monitoring and time servers exchange with every machine."""
_RETRANSMIT_MS: Final = 200.0
"""Least time before a lost segment is sent again (RFC 6298 allows less than its 1 s; Linux takes 200 ms)."""
_SWITCHES_PER_CORE: Final = 300.0
_SWITCHES_PER_REQUEST: Final = 9.0


@dataclass(frozen=True)
class Flow:
    """What happens on machines; each is float64[n, m], shares of all processors from 0 to 1, or per second.

    Attributes:
        rates: of the counters, by their keys in the catalogue.
        utilisation: demand for processors relative to what there is; above 1 when there is not enough.
        latency_ms: mean time of a request, before chance.
        asked: requests that arrive, relative to the average.
        waiting: requests that wait for the narrow place.
        in_flight: requests that are being served or wait.
        runnable: processes that run, want to run, or wait for the disk.
        blocked: those of them that wait for the disk.
    """

    rates: dict[str, Floats]
    utilisation: Floats
    latency_ms: Floats
    asked: Floats
    waiting: Floats
    in_flight: Floats
    runnable: Floats
    blocked: Floats


def healthy_rates(machines: Machines, drive: Drive) -> dict[str, Floats]:
    """The rates of the counters of undisturbed machines: linear in the drive, so the drive's integrals give the counters."""
    of, one, level, jobs = machines.of, drive.one, machines.level(drive), drive.jobs
    cores, requests = of["cores"], of["cores"] * of["requests"]
    work = of["utilisation"] * level
    read = cores * (of["read"] * level + jobs["read"])
    written = cores * (of["written"] * level + jobs["written"])
    busy = (read + written) / (_DISK_BYTES_PER_SECOND * cores)
    payload = level + drive.payload
    received = cores * of["received"] * payload + _QUIET_BYTES * one + 0.03 * cores * jobs["sent"]
    transmitted = cores * of["transmitted"] * payload + _QUIET_BYTES * one + cores * jobs["sent"]
    user = (1.0 - of["system_share"]) * work + _BASE_USER * of["base_cpu"] * one + _JOB_USER * jobs["cpu"] + drive.wander
    system = of["system_share"] * work + (1.0 - _BASE_USER) * of["base_cpu"] * one + (1.0 - _JOB_USER) * jobs["cpu"]
    iowait = _WAIT_PER_BUSY_DISK * busy
    steal = of["steal"] * one
    return {
        "requests": requests * level,
        "errors": requests * of["errors"] * level,
        "cpu_idle": one - user - system - iowait - steal,
        "cpu_user": user,
        "cpu_system": system,
        "cpu_iowait": iowait,
        "cpu_steal": steal,
        "context_switches": _SWITCHES_PER_CORE * cores * one + _SWITCHES_PER_REQUEST * requests * level,
        "disk_read": read,
        "disk_written": written,
        "disk_io_time": busy,
        "received": received,
        "transmitted": transmitted,
        "receive_drops": _DROPS / _RECEIVED_PACKET * received,
        "retransmits": _RETRANSMITS / _SEGMENT * transmitted,
    }


def flow(machines: Machines, drive: Drive, levers: Levers) -> Flow:
    """What happens at the rates of `drive` with levers of shape [n, m]; with all at rest, the rates are those of `healthy_rates`."""
    of, level, jobs = machines.of, machines.level(drive), drive.jobs
    cores, requests = of["cores"], of["cores"] * of["requests"]
    offered = level * levers.traffic * (1.0 - levers.down)

    # Processors: the work gets at least half of what there is, whatever else runs; what does not fit is refused.
    steal = np.minimum(of["steal"] + levers.steal, 0.95)
    available = 1.0 - steal
    work = (of["utilisation"] + drive.wander / level) * offered
    other_user = _BASE_USER * of["base_cpu"] + _JOB_USER * jobs["cpu"] + levers.cpu
    other_system = (1.0 - _BASE_USER) * of["base_cpu"] + (1.0 - _JOB_USER) * jobs["cpu"]
    other = other_user + other_system
    pool = of["pool_utilisation"] * offered * levers.service
    fits = np.minimum(1.0, np.maximum(available - other, 0.5 * available) / np.maximum(work, 1e-9))
    fits = np.minimum(fits, 1.0 / np.maximum(pool, 1.0))
    served = offered * fits
    working = work * fits
    squeezed = np.minimum(1.0, np.maximum(available - working, 0.0) / other)
    in_kernel = of["system_share"] * of["utilisation"] * served
    user = working - in_kernel + squeezed * other_user
    system = in_kernel + squeezed * other_system
    utilisation = (work + other) / available

    # Disk: what exceeds its speed has to wait.
    read = cores * (of["read"] * served + jobs["read"]) * levers.disk_read
    written = cores * (of["written"] * served + jobs["written"]) * levers.disk_written
    asked = (read + written) / (_DISK_BYTES_PER_SECOND * cores)
    slowed = np.minimum(1.0, 1.0 / np.maximum(asked, 1e-9))
    busy = np.minimum(1.0, asked)
    busy = busy + (1.0 - busy) * levers.disk_busy
    disk_queue = busy / (1.0 - busy + _DISK_QUEUE_LIMIT)
    iowait = np.minimum(
        _WAIT_PER_BUSY_DISK * asked * slowed + 0.45 * levers.disk_busy, 0.9 * np.maximum(available - user - system, 0.0)
    )

    # Network.
    arriving, leaving = 1.0 - levers.loss, 1.0 + levers.loss
    payload = 1.0 + drive.payload / level
    received = (cores * of["received"] * payload * offered + _QUIET_BYTES + 0.03 * cores * jobs["sent"]) * arriving
    transmitted = (cores * of["transmitted"] * payload * served + _QUIET_BYTES + cores * jobs["sent"]) * leaving

    # Requests: they queue for the narrow place and for the processors, wait for the disk, and for segments that were lost.
    pool_wait, processor_wait = _wait(pool, of["lanes"], _QUEUE_LIMIT), _wait(utilisation, cores, _RUN_QUEUE_LIMIT * cores)
    latency = of["service_ms"] * levers.service * (1.0 + pool_wait + processor_wait + 4.0 * of["disk_share"] * disk_queue)
    latency = latency + 3.0 * _RETRANSMIT_MS * levers.loss / (1.0 - np.minimum(levers.loss, 0.95))
    failing = np.minimum(1.0, of["errors"] + levers.errors + 0.5 * levers.loss**3)
    per_second = requests * offered
    service_seconds = 1e-3 * of["service_ms"] * levers.service
    blocked = 0.5 * disk_queue + 4.0 * levers.disk_busy
    return Flow(
        rates={
            "requests": per_second,
            "errors": requests * (offered - served + served * failing),
            "cpu_idle": np.maximum(available - user - system - iowait, 0.0),
            "cpu_user": user,
            "cpu_system": system,
            "cpu_iowait": iowait,
            "cpu_steal": steal,
            "context_switches": _SWITCHES_PER_CORE * cores * (1.0 + levers.cpu) + _SWITCHES_PER_REQUEST * requests * served,
            "disk_read": read * slowed,
            "disk_written": written * slowed,
            "disk_io_time": busy,
            "received": received,
            "transmitted": transmitted,
            "receive_drops": (_DROPS + 0.3 * levers.loss) / _RECEIVED_PACKET * received,
            "retransmits": (_RETRANSMITS + levers.loss) / _SEGMENT * transmitted,
        },
        utilisation=utilisation,
        latency_ms=latency,
        asked=offered,
        waiting=of["backlog"] * per_second * service_seconds * pool_wait,
        in_flight=per_second * 1e-3 * latency,
        runnable=running(machines, work + other, available) + blocked,
        blocked=blocked,
    )


def running(machines: Machines, demand: Floats, available: Floats) -> Floats:
    """Mean number of processes that run or want to, when `demand` of the processors is asked for and `available` is there."""
    cores = machines.of["cores"]
    busy = np.minimum(demand, available)
    return cores * (
        busy + np.maximum(demand - available, 0.0) + demand / available * _wait(demand / available, cores, _RUN_QUEUE_LIMIT * cores)
    )


def _wait(utilisation: Floats, places: Floats, limit: Floats | float) -> Floats:
    """Mean time in the queue, in service times, when so many places serve one queue that holds `limit` at most.

    H. Sakasegawa, "An approximation formula L_q ~ a·rho^b/(1-rho)", 1977, for M/M/c.
    """
    rho = np.minimum(utilisation, 1.0)
    return np.asarray(rho ** (np.sqrt(2.0 * (places + 1.0)) - 1.0) / (places * (1.0 - rho + 1.0 / limit)))
