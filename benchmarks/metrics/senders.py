"""Processes that send what was made before, all starting at the same moment."""

import asyncio
import multiprocessing
import queue
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.metrics.http_client import HttpClient
from benchmarks.metrics.payloads import bodies_path, read_bodies, values_path
from benchmarks.metrics.workload import METRICS, SENDERS, STEP_MS, Workload
from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2 as pb
from openmanager.metrics.v1 import metrics_pb2_grpc
from services.common.rpc.connect import connect

BUILD_SECONDS: Final = 120.0
SEND_SECONDS: Final = 300.0
WATCH_SECONDS: Final = 0.1
AHEAD: Final = 4
"""Batches of a stream that are under way at once."""

Go: TypeAlias = Callable[[], None]
Stub: TypeAlias = "metrics_pb2_grpc.MetricsServiceAsyncStub"


class Sender(Protocol):
    """Prepares its part, calls `go` when it can start, and sends until everything is acknowledged."""

    def __call__(self, sender: int, go: Go) -> float: ...


@dataclass(frozen=True)
class HttpSender:
    """Posts bodies, one under way at a time; returns the moment of the start.

    Attributes:
        url: the server.
        path: the door.
        headers: of every request.
        folder: where the bodies are.
        wire: which of them.
    """

    url: str
    path: str
    headers: Mapping[str, str]
    folder: Path
    wire: str

    def __call__(self, sender: int, go: Go) -> float:
        bodies = list(read_bodies(bodies_path(self.folder, self.wire, sender)))
        client = HttpClient(self.url, self.headers)
        go()
        started = time.monotonic()
        for body in bodies:
            client.post(self.path, body)
        return started


@dataclass(frozen=True)
class ColumnsSender:
    """Writes columns over gRPC: a call a batch, or as a stream with a few batches under way; returns the moment of the start.

    Attributes:
        address: `host:port` of the metrics service.
        store_id: the store that gave the ids.
        ids: of all series, host by host.
        folder: where the values are.
        workload: what they are.
        stream: whether it is a stream.
    """

    address: str
    store_id: str
    ids: npt.NDArray[np.uint64]
    folder: Path
    workload: Workload
    stream: bool

    def __call__(self, sender: int, go: Go) -> float:
        return asyncio.run(self._run(self._requests(sender), go))

    def _requests(self, sender: int) -> list[pb.WriteRequest]:
        values = np.load(values_path(self.folder), mmap_mode="r")
        found = []
        for step in range(self.workload.steps):
            for hosts in self.workload.batches(sender):
                ids = self.ids[hosts.start * METRICS : hosts.stop * METRICS]
                columns = label_pb2.SampleColumns(
                    series_ids=ids.astype("<u8").tobytes(),
                    timestamps_ms=np.full(len(ids), self.workload.start_ms + step * STEP_MS, "<i8").tobytes(),
                    values=values[step, hosts.start : hosts.stop].astype("<f8").tobytes(),
                )
                found.append(pb.WriteRequest(store_id=self.store_id, samples=columns, mode=pb.WRITE_MODE_LIVE))
        return found

    async def _run(self, requests: list[pb.WriteRequest], go: Go) -> float:
        channel = connect(self.address, caller="bench")
        try:
            stub: Stub = metrics_pb2_grpc.MetricsServiceStub(channel)
            await channel.channel_ready()
            go()
            started = time.monotonic()
            await (self._stream(stub, requests) if self.stream else self._calls(stub, requests))
            return started
        finally:
            await channel.close()

    async def _calls(self, stub: Stub, requests: list[pb.WriteRequest]) -> None:
        for request in requests:
            _check(request, await stub.Write(request))

    async def _stream(self, stub: Stub, requests: list[pb.WriteRequest]) -> None:
        room, under_way = asyncio.Semaphore(AHEAD), deque[pb.WriteRequest]()

        async def send() -> AsyncIterator[pb.WriteStreamRequest]:
            for request in requests:
                await room.acquire()
                under_way.append(request)
                yield pb.WriteStreamRequest(batch=request)

        answers = stub.WriteStream(send())
        count = 0
        async for answer in answers:
            _check(under_way.popleft(), answer.result)
            room.release()
            count += 1
        if count != len(requests):
            raise RuntimeError(f"{count} of {len(requests)} batches were answered")


def send_all(sender: Sender, at_start: Callable[[], None], watch: Callable[[], None]) -> float:
    """Run every sender in a process of its own; returns the seconds from the first batch to the last acknowledgement.

    Args:
        sender: what each process runs.
        at_start: called once when all are ready, right before they begin.
        watch: called ten times a second while they send.

    Raises:
        RuntimeError: when one failed or took too long.
    """
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(SENDERS + 1), context.Queue()
    processes = [context.Process(target=_process, args=(sender, number, barrier, told)) for number in range(SENDERS)]
    for process in processes:
        process.start()
    try:
        deadline = time.monotonic() + BUILD_SECONDS
        while barrier.n_waiting < SENDERS:
            if time.monotonic() > deadline or not told.empty():
                raise RuntimeError(f"a sender is not ready: {told.get(timeout=1)}")
            time.sleep(0.01)
        at_start()
        barrier.wait(BUILD_SECONDS)
        deadline = time.monotonic() + SEND_SECONDS
        spans: list[tuple[float, float]] = []
        while len(spans) < SENDERS:
            watch()
            try:
                answer = told.get(timeout=WATCH_SECONDS)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"not all was sent within {SEND_SECONDS:.0f} s") from None
                continue
            if isinstance(answer, str):
                raise RuntimeError(answer)
            spans.append(answer)
        return max(end for _, end in spans) - min(start for start, _ in spans)
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _process(sender: Sender, number: int, barrier: Barrier, told: Any) -> None:
    try:
        started = sender(number, lambda: _wait(barrier))
        told.put((started, time.monotonic()))
    except Exception as error:  # noqa: BLE001  whoever waits for the process tells it
        told.put(f"sender {number}: {error!r}")


def _wait(barrier: Barrier) -> None:
    barrier.wait(BUILD_SECONDS)


def _check(request: pb.WriteRequest, response: pb.WriteResponse) -> None:
    count = len(request.samples.values) // 8
    if response.accepted != count:
        raise RuntimeError(f"the metrics service took {response.accepted} of {count} samples: {response.errors[:1]}")
