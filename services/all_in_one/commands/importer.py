"""`openmanager import`: rows from a file into the store, with their own times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.all_in_one.commands.client import GatewayClient, GatewayError
from services.all_in_one.commands.files import Grid
from services.common.clock import Clock

SAMPLES_PER_REQUEST = 100_000
ATTEMPTS = 6
MAX_WAIT_SECONDS = 30.0


@dataclass
class Receipt:
    """What became of the samples of a whole import.

    Attributes:
        problem: why the first one that was not taken was not; empty when none was refused or no reason was given.
    """

    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    late: int = 0
    problem: str = ""

    @property
    def refused(self) -> int:
        """Samples that are not in the store now."""
        return self.rejected + self.late

    def add(self, answer: dict[str, Any]) -> None:
        """Count one request's receipt."""
        self.accepted += int(answer.get("accepted", 0))
        self.rejected += int(answer.get("rejected", 0))
        self.duplicate += int(answer.get("duplicate", 0))
        self.late += int(answer.get("late", 0))
        for error in answer.get("errors") or ():
            self.problem = self.problem or str(error.get("message") or error.get("reason") or "")

    def __str__(self) -> str:
        counts = {"accepted": self.accepted, "rejected": self.rejected, "duplicate": self.duplicate, "late": self.late}
        return ", ".join(f"{count:,} {name}" for name, count in counts.items())


async def send(client: GatewayClient, grids: Sequence[Grid], clock: Clock, progress: Progress | None = None) -> Receipt:
    """Store the rows, showing progress; returns once every sample is durable or refused.

    A request that fails for a while is sent again, which is harmless: samples that were stored are told as duplicates.

    Raises:
        GatewayError: the gateway refuses for good, or has been away for about half a minute.
    """
    receipt = Receipt()
    total = sum(int(np.isfinite(grid.values).sum()) for grid in grids)
    task = progress.add_task("importing", total=total) if progress else None
    for body, samples in _requests(grids):
        receipt.add(await _post(client, body, clock))
        if progress and task is not None:
            progress.advance(task, samples)
    return receipt


def progress_bar() -> Progress:
    """The bar that an import shows; on standard error, so that the result stands alone on standard output."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("samples"), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


async def _post(client: GatewayClient, body: bytes, clock: Clock) -> dict[str, Any]:
    for attempt in range(ATTEMPTS):
        try:
            answer: dict[str, Any] = await client.post_bytes("/api/v1/import", body, "application/x-ndjson")
        except GatewayError as error:
            if not error.retryable or attempt == ATTEMPTS - 1:
                raise
            await clock.sleep(min(max(2.0**attempt, error.retry_after_seconds), MAX_WAIT_SECONDS))
        else:
            return answer
    raise AssertionError("the last attempt returns or raises")


def _requests(grids: Sequence[Grid]) -> Iterator[tuple[bytes, int]]:
    """Bodies of at most SAMPLES_PER_REQUEST samples, with their number: one JSON line for each stretch of a series."""
    lines: list[bytes] = []
    held = 0
    for grid in grids:
        for k, metric in enumerate(grid.metrics):
            present = np.isfinite(grid.values[:, k])
            times, values = grid.timestamps_ms[present], np.ascontiguousarray(grid.values[present, k])
            labels = {"__name__": metric, "server": grid.server}
            at = 0
            while at < len(times):
                take = min(len(times) - at, SAMPLES_PER_REQUEST - held)
                line = {"metric": labels, "timestamps": times[at : at + take], "values": values[at : at + take]}
                lines.append(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY))
                held += take
                at += take
                if held == SAMPLES_PER_REQUEST:
                    yield b"\n".join(lines), held
                    lines, held = [], 0
    if lines:
        yield b"\n".join(lines), held
