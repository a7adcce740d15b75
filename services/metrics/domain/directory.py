"""Which series are whose, and what their labels say about each server."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from services.metrics.domain.ports import NAME_LABEL, IdArray, Labels, MaskArray, TimeArray

SERVER_LABEL: Final = "server"
ROLE_LABEL: Final = "role"


class ServerDirectory:
    """Made from the newest sample of each series; it holds until series come, go or fall silent.

    Args:
        ids: u64[k], the series.
        current: bool[k], whether the series has a recent sample.
        labels: k label sets; an empty one for a series that was forgotten meanwhile.

    Attributes:
        names: the servers, ascending.
        labels: for each server, those that all of its current series share, without `server` and the name; of all its series when
            none is current.
        telling: for each name of current series, the servers that have one.
        roles: for each server, the value of the label `role`; the first in the alphabet where its series differ, empty without one.
    """

    def __init__(self, ids: IdArray, current: MaskArray, labels: list[Labels]) -> None:
        self._ids = ids
        self._current = current
        pairs = [dict(of_series) for of_series in labels]
        servers = [of_series.get(SERVER_LABEL, "") for of_series in pairs]
        names = [of_series.get(NAME_LABEL, "") for of_series in pairs]
        self.names = sorted({server for server in servers if server})
        place = {server: row for row, server in enumerate(self.names)}
        # Series that were forgotten since `latest` have no labels; they go to a row of their own behind the last server.
        self._rows = np.array([place.get(server, len(self.names)) for server in servers], np.int64)
        self.telling: dict[str, set[str]] = {}
        of_server: dict[str, list[Labels]] = {server: [] for server in self.names}
        spare: dict[str, list[Labels]] = {server: [] for server in self.names}
        for server, name, of_series, is_current in zip(servers, names, labels, current.tolist(), strict=True):
            if server:
                (of_server if is_current else spare)[server].append(of_series)
                if is_current:
                    self.telling.setdefault(name, set()).add(server)
        self.labels: dict[str, Labels] = {}
        self.roles: dict[str, str] = {}
        for server in self.names:
            series = of_server[server] or spare[server]
            shared = set(series[0]).intersection(*series[1:])
            self.labels[server] = tuple(sorted(pair for pair in shared if pair[0] not in (SERVER_LABEL, NAME_LABEL)))
            roles = sorted({value for of_series in series for key, value in of_series if key == ROLE_LABEL})
            self.roles[server] = dict(self.labels[server]).get(ROLE_LABEL) or next(iter(roles), "")

    @staticmethod
    def empty() -> "ServerDirectory":
        """No servers."""
        return ServerDirectory(np.empty(0, np.uint64), np.empty(0, np.bool_), [])

    def describes(self, ids: IdArray, current: MaskArray) -> bool:
        """Whether it was made from these series in this state."""
        return np.array_equal(ids, self._ids) and np.array_equal(current, self._current)

    def telling_all(self, names: Iterable[str]) -> set[str]:
        """The servers that have a current series of every one of these names; there must be a name."""
        return set.intersection(*(self.telling.get(name, set()) for name in names))

    def newest(self, timestamps_ms: TimeArray) -> dict[str, int]:
        """Time of the newest sample of each server, from the times of the rows."""
        newest = np.full(len(self.names) + 1, np.iinfo(np.int64).min)
        np.maximum.at(newest, self._rows, timestamps_ms)
        return dict(zip(self.names, newest.tolist(), strict=False))
