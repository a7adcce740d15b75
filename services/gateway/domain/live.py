"""The newest figures of every server, kept up to date from stored samples."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.common.id_rows import IdRows
from services.gateway.domain.series_table import SeriesLabels
from services.gateway.domain.times import format_ms

FIGURES: Final = ("cpu", "memory", "disk", "load", "swap", "latency", "temperature")
"""Series whose newest value is a figure as it stands; rates such as network need a query and are not live."""
STALE_MS: Final = 300_000
"""As in PromQL, a figure older than five minutes is unknown and not shown."""
_NEVER_MS: Final = np.iinfo(np.int64).min


class LiveFigures:
    """Folds columns of samples into figures by server.

    Where several series of one server share a name (one per disk, say), the highest value counts, as in the list of servers: that
    one decides on the server's health.
    """

    def __init__(self) -> None:
        self._rows_of_ids = IdRows()
        self._rows: dict[SeriesLabels, int] = {}
        self._server_of_row: list[str] = []
        self._figure_of_row: list[str] = []
        self._rows_of_server: dict[str, list[int]] = {}
        # By row, with room for more rows.
        self._time_ms = np.zeros(0, np.int64)
        self._value = np.zeros(0, np.float64)
        self._is_changed = np.zeros(0, np.bool_)

    def restart(self) -> None:
        """Forget ids: they hold for one upstream stream alone. The figures stay until newer ones come."""
        self._rows_of_ids = IdRows()

    def define(self, series_id: int, labels: SeriesLabels) -> None:
        """Say which series stands behind an id; labels in ascending order of name."""
        names = dict(labels)
        server, name = names.get("server", ""), names.get("__name__", "")
        if not server or name not in FIGURES:
            return
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = self._new_row(server, name)
        self._rows_of_ids.put(series_id, row)

    def update(self, ids: NDArray[np.uint64], times_ms: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Take samples in, all arrays of one length."""
        rows = self._rows_of_ids.rows(ids)
        kept = np.flatnonzero(rows >= 0)
        kept = kept[times_ms[kept] >= self._time_ms[rows[kept]]]
        # The newest sample of a series is written last and stays; of several with one time, the one that came last.
        kept = kept[np.argsort(times_ms[kept], kind="stable")]
        rows = rows[kept]
        self._time_ms[rows] = times_ms[kept]
        self._value[rows] = values[kept]
        self._is_changed[rows] = True

    def take_changed(self, now_ms: int) -> dict[str, dict[str, Any]]:
        """The figures of the servers that changed since the last call."""
        changed = np.flatnonzero(self._is_changed)
        self._is_changed[changed] = False
        servers = {self._server_of_row[row] for row in changed.tolist()}
        return self._figures([row for server in servers for row in self._rows_of_server[server]], now_ms)

    def all(self, now_ms: int) -> dict[str, dict[str, Any]]:
        """`{server: {figure: value, …, "time": RFC 3339 of the newest}}` of every server heard from in the last five minutes."""
        return self._figures(range(len(self._rows)), now_ms)

    def forget(self, label: tuple[str, str]) -> None:
        """Forget the figures of the series with this label; they are known again with their next sample."""
        rows = [row for labels, row in self._rows.items() if label in labels]
        self._time_ms[rows] = _NEVER_MS
        self._is_changed[rows] = False

    def _figures(self, of_rows: Sequence[int], now_ms: int) -> dict[str, dict[str, Any]]:
        rows = np.array(of_rows, np.int64)
        # A value that is no number is none to show; one of them marks the end of a series.
        rows = rows[(self._time_ms[rows] >= now_ms - STALE_MS) & np.isfinite(self._value[rows])]
        rows = rows[np.argsort(self._value[rows], kind="stable")]  # the last one of a name stays
        found: dict[str, dict[str, Any]] = {}
        newest_ms: dict[str, int] = {}
        for row, time_ms, value in zip(rows.tolist(), self._time_ms[rows].tolist(), self._value[rows].tolist(), strict=True):
            server = self._server_of_row[row]
            found.setdefault(server, {})[self._figure_of_row[row]] = value
            newest_ms[server] = max(time_ms, newest_ms.get(server, time_ms))
        return {server: {**found[server], "time": format_ms(newest_ms[server])} for server in sorted(found)}

    def _new_row(self, server: str, figure: str) -> int:
        row = len(self._server_of_row)
        self._server_of_row.append(server)
        self._figure_of_row.append(figure)
        self._rows_of_server.setdefault(server, []).append(row)
        if row == len(self._time_ms):
            more = max(row, 64)
            self._time_ms = np.concatenate((self._time_ms, np.full(more, _NEVER_MS)))
            self._value = np.concatenate((self._value, np.zeros(more)))
            self._is_changed = np.concatenate((self._is_changed, np.zeros(more, np.bool_)))
        return row
