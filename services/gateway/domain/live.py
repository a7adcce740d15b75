"""The newest figures of every server, kept up to date from stored samples."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.gateway.domain.times import format_ms

FIGURES: Final = ("cpu", "memory", "disk", "load", "swap", "latency", "temperature")
"""Series whose newest value is a figure as it stands; rates such as network need a query and are not live."""
STALE_MS: Final = 300_000
"""As in PromQL, a figure older than five minutes is unknown and not shown."""


@dataclass(slots=True, eq=False)
class _Series:
    server: str
    name: str
    time_ms: int = -1
    value: float = 0.0


class LiveFigures:
    """Folds columns of samples into figures by server.

    Where several series of one server share a name (one per disk, say), the highest value counts, as in the list of servers: that
    one decides on the server's health.
    """

    def __init__(self) -> None:
        self._by_id: dict[int, _Series] = {}
        self._by_labels: dict[tuple[tuple[str, str], ...], _Series] = {}
        self._servers: dict[str, list[_Series]] = {}
        self._changed: set[str] = set()

    def restart(self) -> None:
        """Forget ids: they hold for one upstream stream alone. The figures stay until newer ones come."""
        self._by_id.clear()

    def define(self, series_id: int, labels: tuple[tuple[str, str], ...]) -> None:
        """Say which series stands behind an id; labels in ascending order of name."""
        names = dict(labels)
        server, name = names.get("server", ""), names.get("__name__", "")
        if not server or name not in FIGURES:
            return
        series = self._by_labels.get(labels)
        if series is None:
            series = self._by_labels[labels] = _Series(server, name)
            self._servers.setdefault(server, []).append(series)
        self._by_id[series_id] = series

    def update(self, ids: NDArray[np.uint64], times_ms: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Take samples in, all arrays of one length."""
        for series_id, time_ms, value in zip(ids.tolist(), times_ms.tolist(), values.tolist(), strict=True):
            series = self._by_id.get(series_id)
            if series is not None and time_ms >= series.time_ms:
                series.time_ms, series.value = time_ms, value
                self._changed.add(series.server)

    def take_changed(self, now_ms: int) -> dict[str, dict[str, Any]]:
        """The figures of the servers that changed since the last call."""
        changed, self._changed = self._changed, set()
        return self._figures(sorted(changed), now_ms)

    def all(self, now_ms: int) -> dict[str, dict[str, Any]]:
        """`{server: {figure: value, …, "time": RFC 3339 of the newest}}` of every server heard from in the last five minutes."""
        return self._figures(sorted(self._servers), now_ms)

    def _figures(self, servers: Iterable[str], now_ms: int) -> dict[str, dict[str, Any]]:
        found = {}
        for server in servers:
            fresh = [series for series in self._servers[server] if series.time_ms >= now_ms - STALE_MS]
            if fresh:
                fresh.sort(key=lambda series: series.value)  # the last one of a name stays
                figures: dict[str, Any] = {series.name: series.value for series in fresh}
                figures["time"] = format_ms(max(series.time_ms for series in fresh))
                found[server] = figures
        return found
