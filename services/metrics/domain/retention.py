"""Forgets samples once they are older than is wanted."""

from typing import Final

import structlog

from services.common.clock import Clock
from services.common.errors import UnavailableError
from services.metrics.domain.write import SampleWriter

log = structlog.get_logger("metrics.retention")

INTERVAL_SECONDS: Final = 3600.0


async def keep_retention(writer: SampleWriter, clock: Clock, retention_ms: int, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Delete what is older than `retention_ms`, now and at every interval; never returns."""
    while True:
        try:
            forgotten = await writer.delete_before(round(clock.now() * 1000) - retention_ms)
        except UnavailableError as error:
            log.warning("retention_failed", error=error.message, retry_seconds=interval_seconds)
        else:
            if forgotten:
                log.info("series_forgotten", series=forgotten)
        await clock.sleep(interval_seconds)
