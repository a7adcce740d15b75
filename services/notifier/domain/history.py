"""Forgetting what is long over."""

from typing import Final

import structlog

from services.common.clock import Clock
from services.notifier.domain.ports import AlertStore

log = structlog.get_logger("notifier.history")

PRUNE_INTERVAL_SECONDS: Final = 3600.0


async def keep_pruning(store: AlertStore, clock: Clock, keep_seconds: float) -> None:
    """Forgets resolved alerts and finished notifications older than `keep_seconds`, every hour, until cancelled."""
    while True:
        try:
            forgotten = await store.prune(clock.now() - keep_seconds)
            if forgotten:
                log.info("history_pruned", rows=forgotten)
        except Exception as error:  # the database is away: there is time until the next hour
            log.error("history_not_pruned", error=repr(error), exc_info=error)
        await clock.sleep(PRUNE_INTERVAL_SECONDS)
