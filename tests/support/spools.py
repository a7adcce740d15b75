"""For tests of the agent's spool: samples by number, and a clock on which every wait is over at once."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.all_in_one.commands.spool import DEFAULT_MAX_BYTES, Spool

START = 1_700_000_000.0


class HastyClock:
    """Moves on by itself as far as anybody wants to wait, and remembers the waits."""

    def __init__(self, now: float = START) -> None:
        self.time = now
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def sample(number: int, *, base: float = START, values: int = 1) -> dict[str, Any]:
    """The sample of second `number`, each value of which is that number."""
    metrics = {f"value_{k}": float(number) for k in range(values)}
    return {"server": "web-01", "timestamp": datetime.fromtimestamp(base + number, UTC).isoformat(), "metrics": metrics}


def numbers(samples: list[dict[str, Any]]) -> list[int]:
    """The numbers of such samples."""
    return [int(sample["metrics"]["value_0"]) for sample in samples]


def open_spool(folder: Path, clock: HastyClock, *, name: str = "spool", max_bytes: int = DEFAULT_MAX_BYTES) -> Spool:
    """An open spool whose file has this name."""
    spool = Spool(folder, clock, lambda: name, max_bytes=max_bytes)
    spool.open()
    return spool


def fill(spool: Spool, count: int, *, first: int = 0, values: int = 1) -> None:
    """Let samples wait, each a second after the one before."""
    for number in range(first, first + count):
        spool.add([sample(number, values=values)], round((START + number) * 1000))
