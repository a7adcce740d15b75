"""The thread that packs: frozen heads become blocks, small blocks become large ones, while the writer goes on."""

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import structlog

from services.metrics.adapters.embedded.catalog import Catalog
from services.metrics.adapters.embedded.merging import merge_step
from services.metrics.adapters.embedded.sealing import MAX_BLOCK_ROWS, Sealed, build_spans, seal_head
from services.metrics.adapters.embedded.state import State

log = structlog.get_logger("metrics.store")

_MERGE_FROM_BLOCKS: Final = 8
_MERGE_FROM_SAMPLES: Final = MAX_BLOCK_ROWS * 3 // 4
_MOSTLY_FREE: Final = 0.4
"""What merges and deletions leave free is filled by the next seals; a file of which this much is free is made smaller."""
_GROUPS_AT_ONCE: Final = 16
"""Groups merged in a transaction: what a seal may have to wait for."""


class Packer:
    """Runs seals, and merges between them; safe to call from the writer thread.

    Attributes:
        failure: why the last seal did not succeed, None when it did.
        seals, merges, failures: how many there were since the start.
    """

    def __init__(self, state: State, catalog: Catalog, on_bad: Callable[[int], None]) -> None:
        self._state = state
        self._catalog = catalog
        self._on_bad = on_bad
        self.failure: sqlite3.Error | None = None
        self.seals = 0
        self.merges = 0
        self.failures = 0
        self._jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._seals_waiting = 0
        self._seal_done = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="metrics-packer", daemon=True)
        self._thread.start()

    def seal(self, through: int) -> None:
        """Pack the frozen head, which holds what the journal has up to this number."""
        with self._seal_done:
            self._seals_waiting += 1
        self._jobs.put(through)

    @property
    def busy(self) -> bool:
        """Whether a seal is under way or waiting."""
        return self._seals_waiting > 0

    def wait(self) -> None:
        """Wait until no seal is under way or waiting."""
        with self._seal_done:
            self._seal_done.wait_for(lambda: not self._seals_waiting)

    def compact(self) -> None:
        """Merge whatever can be merged, on the caller's thread.

        Raises:
            sqlite3.Error: the disk does not take it; nothing is lost.
        """
        while self._merge(_GROUPS_AT_ONCE, 2, 2) or self._catalog.give_back(0.0):
            pass

    def close(self) -> None:
        """Finish the seal that is under way and end the thread."""
        self._closing = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        merging = True
        while True:
            try:
                through = self._jobs.get(block=not merging)
            except queue.Empty:
                merging = self._merge_quietly()
                continue
            if through is None:
                return
            self._seal(through)
            merging = True

    def _seal(self, through: int) -> None:
        try:
            head = self._state.frozen
            if head is not None:
                parts = list(seal_head(self._state.table, head))
                store_blocks(self._state, self._catalog, parts, through, unfreeze=True)
                self.seals += 1
            self.failure = None
        except sqlite3.Error as error:
            self.failure = error
            self.failures += 1
            log.error("seal_failed", error=str(error))
        except Exception as error:
            self.failure = sqlite3.Error(repr(error))
            self.failures += 1
            log.error("seal_failed", error=repr(error), exc_info=error)
        finally:
            with self._seal_done:
                self._seals_waiting -= 1
                self._seal_done.notify_all()

    def _merge_quietly(self) -> bool:
        if self._closing:
            return False
        try:
            return self._merge(_GROUPS_AT_ONCE, _MERGE_FROM_BLOCKS, _MERGE_FROM_SAMPLES) or self._catalog.give_back(_MOSTLY_FREE)
        except Exception as error:
            log.error("merge_failed", error=repr(error), exc_info=error)
            return False

    def _merge(self, groups: int, blocks: int, samples: int) -> bool:
        """Merge the blocks of some groups; False when nothing was worth it."""
        merged = merge_step(self._state.table, self._catalog, groups, blocks, samples, self._on_bad)
        self.merges += merged
        return merged > 0


def store_blocks(
    state: State, catalog: Catalog, parts: Sequence[Sealed], sealed_through: int | None = None, *, unfreeze: bool = False
) -> None:
    """Make packed rows durable and visible as blocks.

    Raises:
        sqlite3.Error: nothing changed.
    """
    table = state.table
    with catalog.lock:
        with state.lock:
            first_ms, sealed_ms, sealed_value = table.first_ms.copy(), table.sealed_ms.copy(), table.sealed_value.copy()
        for part in parts:
            first_ms[part.slots] = np.minimum(first_ms[part.slots], part.first_ms)
            newer = part.last_ms > sealed_ms[part.slots]
            own = part.slots[newer]
            sealed_ms[own], sealed_value[own] = part.last_ms[newer], part.last_value[newer]
        touched = np.concatenate([np.empty(0, np.intp), *[part.slots for part in parts]])
        spans = build_spans(table, touched, first_ms, sealed_ms, sealed_value)
        catalog.add_blocks([block for part in parts for block in part.blocks], spans, sealed_through)
        with state.lock:
            table.sealed_ms[touched], table.sealed_value[touched] = sealed_ms[touched], sealed_value[touched]
            for part in parts:
                table.advance(part.slots, part.first_ms, part.last_ms, part.last_value)
            if unfreeze:
                state.frozen = None
