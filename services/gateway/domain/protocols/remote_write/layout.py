"""Requests that have the bytes of an earlier one but for values and times."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.gateway.domain.batch import IntColumn, SampleBatch
from services.gateway.domain.protocols.remote_write.places import TIME_BYTES, Places, Words, words
from services.gateway.domain.series_table import SeriesTable

MAX_BYTES: Final = 64 * 1024 * 1024
"""Memory of all layouts together."""

_MAX_SEEN: Final = 4096
_MAX_KEY_BYTES: Final = 4096
_IDLE_LOOKUPS: Final = 1000
_WORDS_AT_ONCE: Final = 8192
"""64 KiB of a request are compared at a time, for what is between the steps then stays in the processor's cache."""
_ALL_BITS: Final = 0xFF
_GOES_ON: Final = 0x80

Key = tuple[int, bytes]


def key_of(data: bytes | memoryview) -> Key:
    """What a request is looked for by: its length and what stands before its first sample."""
    head = bytes(data[:_MAX_KEY_BYTES])
    wide, narrow = head.find(b"\x12\x10\x09"), head.find(b"\x12\x07\x10")
    return len(data), head[: min(end for end in (wide, narrow, len(head)) if end >= 0)]


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes of a request, and where its samples are.

    Attributes:
        series: what `numbers` are of.
        numbers: i64[m], the series of each sample.
        places: of the m samples.
        pattern: the bytes, 0 where a request may differ.
        mask: bits that must be those of the pattern: all, but those of values, and of times only those that say where they end.
    """

    series: SeriesTable
    numbers: IntColumn
    places: Places
    pattern: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    @staticmethod
    def of(data: bytes, series: SeriesTable, numbers: IntColumn, places: Places) -> "Layout":
        """The layout of a request whose samples are known."""
        mask = np.full(len(data), _ALL_BITS, np.uint8)
        mask[places.value_at[:, None] + np.arange(8)] = 0
        mask[places.ends[:, None] - np.arange(1, TIME_BYTES + 1)] = _GOES_ON
        return Layout(series, numbers, places, np.frombuffer(data, np.uint8) & mask, mask)

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        return 2 * len(self.pattern) + 24 * len(self.numbers)

    def read(self, data: bytes | memoryview) -> SampleBatch | None:
        """The samples of a request of the same length, None when it differs elsewhere."""
        of_words = words(data)
        if not self._fits(of_words):
            return None
        return SampleBatch(self.series, self.numbers, self.places.times(of_words), self.places.values(of_words))

    def _fits(self, of_words: Words) -> bool:
        # Every 8th word and the last one are all the bytes there are.
        pattern, mask = words(self.pattern), words(self.mask)
        if (of_words[-1] & mask[-1]) != pattern[-1]:
            return False
        given, pattern, mask = of_words[::8], pattern[::8], mask[::8]
        scratch = np.empty(min(len(given), _WORDS_AT_ONCE), np.uint64)
        for start in range(0, len(given), _WORDS_AT_ONCE):
            part = slice(start, start + _WORDS_AT_ONCE)
            differing = scratch[: len(given[part])]
            np.bitwise_and(given[part], mask[part], out=differing)
            np.bitwise_xor(differing, pattern[part], out=differing)
            if differing.any():
                return False
        return True


class Layouts:
    """Layouts of requests that came again, the least recently used forgotten first; several threads may use it at once.

    A layout is made when a request of its key comes for the second time and, as long as the next ones do not fit, anew at the third,
    fifth, ninth, … time, so that a sender whose requests are never alike costs nearly nothing.

    Args:
        max_bytes: memory of all together.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._room = max_bytes
        self._layouts: OrderedDict[Key, tuple[Layout, int]] = OrderedDict()
        self._misses: OrderedDict[Key, int] = OrderedDict()
        self._lookups = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._layouts)

    def read(self, data: bytes | memoryview, key: Key, series: SeriesTable) -> SampleBatch | None:
        """The samples of a request, None when it is not like one of these."""
        with self._lock:
            self._lookups += 1
            layout, _ = self._layouts.get(key, (None, 0))
            if layout is None:
                return None
            if layout.series is not series:
                self._forget(key)
                return None
            self._layouts[key] = layout, self._lookups
            self._layouts.move_to_end(key)
        batch = layout.read(data)
        if batch is not None:
            with self._lock:
                self._misses.pop(key, None)
        return batch

    def wants(self, key: Key) -> bool:
        """Whether a request that was not found should be added; to be asked once for each."""
        with self._lock:
            misses = self._misses.pop(key, -1) + 1
            self._misses[key] = misses
            if len(self._misses) > _MAX_SEEN:
                self._misses.popitem(last=False)
        return misses > 0 and misses & (misses - 1) == 0

    def add(self, key: Key, layout: Layout) -> None:
        """Keep a layout in place of the one of this key; dropped when there is no room but that of layouts in use."""
        with self._lock:
            if key in self._layouts:
                self._forget(key)
            while self._room < layout.size_bytes and self._layouts:
                oldest, (_, used) = next(iter(self._layouts.items()))
                if self._lookups - used < _IDLE_LOOKUPS:
                    # Were it forgotten, a round of more layouts than there is room for would find none of them.
                    return
                self._forget(oldest)
            if self._room >= layout.size_bytes:
                self._layouts[key] = layout, self._lookups
                self._room -= layout.size_bytes

    def _forget(self, key: Key) -> None:
        layout, _ = self._layouts.pop(key)
        self._room += layout.size_bytes
