"""What every pool does, and what only one of them can."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from services.common.errors import DeadlineExceededError, ResourceExhaustedError, UnavailableError
from services.common.pools.pool import Pool, PoolInstruments
from services.common.pools.processes import WorkerPool
from services.common.pools.threads import ThreadPool
from services.common.telemetry import Telemetry
from tests.support import pool_tasks

LONG = 30.0
MakePool = Callable[[int, int], Pool]


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("test")


@pytest.fixture(params=[ThreadPool, WorkerPool], ids=["threads", "processes"])
async def make_pool(request: pytest.FixtureRequest, telemetry: Telemetry) -> AsyncIterator[MakePool]:
    made: list[Pool] = []
    instruments = PoolInstruments(telemetry)

    def make(workers: int, queue_size: int) -> Pool:
        pool: Pool = request.param("test", workers=workers, queue_size=queue_size, instruments=instruments)
        made.append(pool)
        return pool

    yield make
    for pool in made:
        await pool.stop()


@pytest.fixture
async def processes() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool("test", workers=1, queue_size=4)
    yield pool
    await pool.stop()


async def appears(path: Path) -> str:
    async with asyncio.timeout(LONG):
        while not (path.exists() and path.read_text(encoding="utf-8")):  # noqa: ASYNC110  the other side is another process
            await asyncio.sleep(0.005)
    return path.read_text(encoding="utf-8")


async def ends(pid: int) -> None:
    async with asyncio.timeout(LONG):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_gives_back_what_the_function_returns(make_pool: MakePool) -> None:
    pool = make_pool(2, 50)
    assert await asyncio.gather(*(pool.run(LONG, pool_tasks.add, i, b=i) for i in range(20))) == [2 * i for i in range(20)]


async def test_raises_what_the_function_raises(make_pool: MakePool) -> None:
    pool = make_pool(1, 4)
    with pytest.raises(ValueError, match="no such thing"):
        await pool.run(LONG, pool_tasks.fail, "no such thing")
    with pytest.raises(TimeoutError, match="own"):
        await pool.run(LONG, pool_tasks.own_timeout)
    with pytest.raises((pool_tasks.AwkwardError, RuntimeError), match="1 and 2"):
        await pool.run(LONG, pool_tasks.fail_awkwardly)
    assert await pool.run(LONG, pool_tasks.add, 1, 1) == 2


async def test_a_task_may_print(make_pool: MakePool) -> None:
    pool = make_pool(1, 4)
    assert await pool.run(LONG, pool_tasks.chatter, 7) == 7
    assert await pool.run(LONG, pool_tasks.chatter, 8) == 8


async def test_megabytes_make_the_way(make_pool: MakePool) -> None:
    assert await make_pool(1, 4).run(LONG, pool_tasks.double, b"x" * 3_000_000) == b"x" * 6_000_000


async def test_a_full_pool_refuses_and_says_when_to_come_back(make_pool: MakePool, tmp_path: Path, telemetry: Telemetry) -> None:
    pool = make_pool(1, 1)
    running = asyncio.create_task(pool.run(LONG, pool_tasks.wait_for, str(tmp_path / "a")))
    await appears(tmp_path / "a")
    waiting = asyncio.create_task(pool.run(LONG, pool_tasks.add, 1, 1))
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhaustedError) as refused:
        await pool.run(LONG, pool_tasks.add, 1, 1)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("POOL_FULL", 1.0)
    text = telemetry.exposition().decode()
    assert 'openmanager_pool_busy_workers{pool="test"} 1.0' in text
    assert 'openmanager_pool_waiting_tasks{pool="test"} 1.0' in text
    (tmp_path / "a").unlink()
    assert await running == "done"
    assert await waiting == 2
    assert 'openmanager_pool_tasks_total{outcome="refused",pool="test"} 1.0' in telemetry.exposition().decode()


async def test_a_deadline_ends_waiting_and_running(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(1, 4)
    await pool.run(LONG, pool_tasks.add, 0, 0)  # the worker is up
    late = asyncio.create_task(pool.run(0.5, pool_tasks.wait_for, str(tmp_path / "a")))
    await appears(tmp_path / "a")
    waiting = asyncio.create_task(pool.run(0.01, pool_tasks.add, 1, 1))
    for task in (waiting, late):
        with pytest.raises(DeadlineExceededError):
            await task
    (tmp_path / "a").unlink()
    assert await pool.run(LONG, pool_tasks.add, 2, 2) == 4


async def test_a_caller_may_give_up(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(1, 4)
    task = asyncio.create_task(pool.run(LONG, pool_tasks.wait_for, str(tmp_path / "a")))
    await appears(tmp_path / "a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (tmp_path / "a").unlink()
    assert await pool.run(LONG, pool_tasks.add, 2, 2) == 4


async def test_a_stopped_pool_says_so_to_all(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(1, 4)
    running = asyncio.create_task(pool.run(LONG, pool_tasks.wait_for, str(tmp_path / "a")))
    await appears(tmp_path / "a")
    waiting = asyncio.create_task(pool.run(LONG, pool_tasks.add, 1, 1))
    await asyncio.sleep(0)
    await pool.stop()
    (tmp_path / "a").unlink()
    for task in (running, waiting, asyncio.create_task(pool.run(LONG, pool_tasks.add, 1, 1))):
        with pytest.raises(UnavailableError) as stopped:
            await task
        assert stopped.value.reason == "POOL_STOPPED"


async def test_a_late_task_is_killed_with_its_worker(processes: WorkerPool, tmp_path: Path) -> None:
    late = asyncio.create_task(processes.run(LONG, pool_tasks.wait_for, str(tmp_path / "a")))
    pid = int(await appears(tmp_path / "a"))
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    await ends(pid)
    assert await processes.run(LONG, pool_tasks.process_id) != pid


async def test_a_dead_worker_is_replaced_and_its_task_may_be_tried_again(processes: WorkerPool) -> None:
    with pytest.raises(UnavailableError) as died:
        await processes.run(LONG, pool_tasks.die)
    assert died.value.reason == "WORKER_DIED"
    pid = await processes.run(LONG, pool_tasks.process_id)
    os.kill(pid, signal.SIGKILL)
    await ends(pid)
    with_retry = await asyncio.gather(processes.run(LONG, pool_tasks.process_id), return_exceptions=True)
    assert isinstance(with_retry[0], (int, UnavailableError))
    assert await processes.run(LONG, pool_tasks.process_id) != pid


async def test_a_worker_inherits_nothing_of_its_parent(processes: WorkerPool) -> None:
    assert await processes.run(LONG, pool_tasks.process_id) != os.getpid()
    for name in ("grpc", "uvloop", "asyncio", "sklearn"):
        assert not await processes.run(LONG, pool_tasks.loaded, name), name


PARENT = """
import asyncio, sys
from services.common.pools.processes import WorkerPool
from tests.support import pool_tasks

async def main():
    pool = WorkerPool("test", workers=2)
    print(await pool.run(30, pool_tasks.process_id), flush=True)
    await pool.run(60, pool_tasks.wait_for, sys.argv[1], 60.0)

asyncio.run(main())
"""


async def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    file = tmp_path / "busy"
    root = Path(__file__).parents[3]
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(file)), cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        busy = int(await appears(file))
    finally:
        parent.kill()
        await parent.wait()
    await ends(busy)
    assert file.exists()  # the task did not come to its end
