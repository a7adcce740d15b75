"""Brings what waits in a spool to a gateway, in order, and lets go of it once the gateway has said that it is durable."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
import structlog

from services.all_in_one.commands.client import GatewayClient, GatewayError
from services.all_in_one.commands.spool import Reading, Spool, SpoolError
from services.common.clock import Clock

log = structlog.get_logger("agent")

MAX_ROWS: Final = 5_000
MAX_BACKOFF_SECONDS: Final = 60.0
MAX_ASKED_SECONDS: Final = 3_600.0
"""A gateway that asks for a longer wait than this is looked for again all the same."""
SAY_EVERY_SECONDS: Final = 60.0
_FEW_ROWS: Final = 64
_COUNTS: Final = ("accepted", "rejected", "duplicate", "late")
_SLOW: Final = frozenset((0, 408, 504))
_FOR_A_PERSON: Final = frozenset((401, 403, 413))


class SpoolSender:
    """Sends batches, and one that failed again and again until the gateway has answered for it.

    A batch that the gateway had stored before it failed is sent once more too: the gateway drops duplicates. Batches become smaller
    where the gateway calls them too large or malformed, down to the one reading that it refuses, and while it is slow or away.

    Args:
        client: reaches the gateway.
        clock: waits between attempts.
        spool: what is to be sent; open.
        jitter: gives a number from 0 to 1, so that many agents do not come back at the same moment.
        max_rows: values in a batch.
    """

    def __init__(
        self, client: GatewayClient, clock: Clock, spool: Spool, jitter: Callable[[], float], *, max_rows: int = MAX_ROWS
    ) -> None:
        self._client = client
        self._clock = clock
        self._spool = spool
        self._jitter = jitter
        self._max_rows = max_rows
        self._rows = max_rows
        self._failures = 0
        self._said_at = float("-inf")
        self._arrived = asyncio.Event()

    def notify(self) -> None:
        """Say that something waits."""
        self._arrived.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._arrived.clear()
            await self.drain()
            await self._arrived.wait()

    async def drain(self) -> None:
        """Send until nothing waits."""
        while True:
            try:
                readings = await asyncio.to_thread(self._spool.oldest, self._rows)
                if not readings:
                    return
                await self._deliver(readings)
                await asyncio.to_thread(self._spool.remove, readings)
            except SpoolError as error:
                await self._pause("spool_failed", error, 0.0)
            except GatewayError as error:
                await self._after(error, readings)
            else:
                self._went_well(readings)

    async def _deliver(self, readings: Sequence[Reading]) -> None:
        """Returns once nothing of the batch has to be sent again."""
        batch_id = f"{self._spool.id}-{readings[0].number}-{readings[-1].number}"
        samples = [reading.sample for reading in readings]
        receipt = _checked(await self._client.post("/api/v1/metrics", {"batch_id": batch_id, "samples": samples}))
        if receipt["late"]:
            # Somebody has sent newer samples of these series; as history they are welcome still.
            receipt = _checked(await self._client.post_bytes("/api/v1/import", _lines(readings), "application/x-ndjson"))
        if receipt["rejected"] or receipt["late"]:
            reasons = {str(error.get("reason")): str(error.get("message")) for error in receipt.get("errors") or ()}
            counts = {name: receipt[name] for name in _COUNTS}
            log.warning("samples_refused", batch_id=batch_id, reasons=reasons, **counts)

    def _went_well(self, readings: Sequence[Reading]) -> None:
        if self._failures:
            log.info("gateway_back", failures=self._failures)
        self._failures = 0
        self._rows = min(self._max_rows, 2 * max(self._rows, _rows(readings)))

    async def _after(self, error: GatewayError, readings: Sequence[Reading]) -> None:
        # A 400 without a reason comes from something in between, which knows nothing of samples.
        malformed = error.status == 400 and bool(error.reason)
        if (malformed or error.status == 413) and len(readings) > 1:
            self._rows = max(1, _rows(readings) // 2)
            return
        if malformed:
            log.error("reading_refused", reason=error.reason, error=str(error), sample=readings[0].sample)
            await self._forget(readings)
            return
        if error.status in _SLOW:
            self._rows = max(min(_FEW_ROWS, self._rows), self._rows // 2)
        if error.status in _FOR_A_PERSON:
            await self._pause("gateway_refuses", error, max(SAY_EVERY_SECONDS, error.retry_after_seconds))
        else:
            await self._pause("gateway_away", error, error.retry_after_seconds)

    async def _forget(self, readings: Sequence[Reading]) -> None:
        try:
            await asyncio.to_thread(self._spool.remove, readings)
        except SpoolError as error:
            await self._pause("spool_failed", error, 0.0)
        else:
            self._went_well(readings)

    async def _pause(self, event: str, error: Exception, asked_seconds: float) -> None:
        """Wait longer from one failure to the next, at least as long as was asked for, and say so once a minute."""
        backoff = min(2.0 ** min(self._failures, 10), MAX_BACKOFF_SECONDS)
        seconds = max(min(asked_seconds, MAX_ASKED_SECONDS), backoff / 2) + backoff / 2 * self._jitter()
        self._failures += 1
        if self._clock.monotonic() - self._said_at >= SAY_EVERY_SECONDS:
            self._said_at = self._clock.monotonic()
            log.warning(event, error=str(error), failures=self._failures, retry_seconds=round(seconds, 1))
        await self._clock.sleep(seconds)


def _checked(answer: Any) -> dict[str, Any]:
    """The receipt; what is none acknowledges nothing, whatever its status was."""
    if not isinstance(answer, dict) or any(type(answer.get(name)) is not int for name in _COUNTS):
        raise GatewayError("the gateway answered without a receipt", 200)
    return answer


def _rows(readings: Sequence[Reading]) -> int:
    return sum(reading.rows for reading in readings)


def _lines(readings: Sequence[Reading]) -> bytes:
    """The readings as `POST /api/v1/import` takes them: a line for each series."""
    series: dict[tuple[tuple[str, str], ...], tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for reading in readings:
        sample = reading.sample
        labels = {**sample.get("labels", {}), "server": sample["server"]}
        time_ms = round(datetime.fromisoformat(sample["timestamp"]).timestamp() * 1000)
        for name, value in sample["metrics"].items():
            times, values = series[tuple(sorted({**labels, "__name__": name}.items()))]
            times.append(time_ms)
            values.append(value)
    return b"\n".join(
        orjson.dumps({"metric": dict(labels), "timestamps": times, "values": values}) for labels, (times, values) in series.items()
    )
