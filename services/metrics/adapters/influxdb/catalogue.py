"""`influxdb.db`: which id each series has. The samples are in InfluxDB; this file gives them numbers that stay.

A lost file costs nothing but the ids: a new one has another store id, and its series are read from InfluxDB.
"""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from services.common.errors import RefusedError
from services.metrics.adapters.embedded.database import is_corrupt, open_failure, open_writer, transaction
from services.metrics.domain.ports import MIN_TIME_MS, IdArray, Labels

FILE_NAME: Final = "influxdb.db"
_PAGE_BYTES: Final = 4096
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, labels BLOB NOT NULL) STRICT",
)


class Catalogue:
    """The open file; every change is durable on return. May be called from any thread.

    Attributes:
        store_id: names the ids of this file.
        next_series: the id of the next new series.
        floor_ms: samples before this are deleted, wherever they may still be.
        purged_ms: up to here InfluxDB has been told to delete them.

    Raises:
        sqlite3.Error: from every method, when the file cannot be read or written.
    """

    def __init__(self, folder: Path, new_store_id: str) -> None:
        self.path = folder / FILE_NAME
        self._lock = threading.Lock()
        self._connection = open_writer(self.path, page_bytes=_PAGE_BYTES)
        with transaction(self._connection):
            for statement in _SCHEMA:
                self._connection.execute(statement)
            self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('store_id', ?)", (new_store_id,))
        meta = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        self.store_id = str(meta["store_id"])
        self.next_series = int(meta.get("next_series", 1))
        self.floor_ms = int(meta.get("floor_ms", MIN_TIME_MS))
        self.purged_ms = int(meta.get("purged_ms", MIN_TIME_MS))

    @classmethod
    def open(cls, folder: Path, new_store_id: str) -> "Catalogue":
        """Open the file in a folder, making both when they are new.

        Raises:
            RefusedError: it is damaged (`DATA_CORRUPT`) or cannot be opened (`DATA_UNREADABLE`).
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(folder, new_store_id)
        except sqlite3.Error as error:
            path = folder / FILE_NAME
            if not is_corrupt(error):
                raise open_failure(path, error) from error
            message = f"{path} is damaged ({error}); move it away: series get new ids, and their samples are safe in InfluxDB"
            raise RefusedError(message, reason="DATA_CORRUPT") from error

    def read_series(self) -> list[tuple[int, Labels]]:
        """Every series, ascending by id."""
        found = []
        for series_id, packed in self._connection.execute("SELECT id, labels FROM series ORDER BY id"):
            flat = orjson.loads(packed)
            found.append((series_id, tuple(zip(flat[::2], flat[1::2], strict=True))))
        return found

    def add_series(self, new: Sequence[tuple[int, Labels]]) -> None:
        """Make series durable; their ids are never given again."""
        rows = [(series_id, orjson.dumps([part for pair in labels for part in pair])) for series_id, labels in new]
        with self._lock, transaction(self._connection):
            self._connection.executemany("INSERT INTO series VALUES (?, ?)", rows)
            self._set(next_series=new[-1][0] + 1)
        self.next_series = new[-1][0] + 1

    def delete(self, ids: IdArray, floor_ms: int) -> None:
        """Forget series, and everything before the floor."""
        with self._lock, transaction(self._connection):
            self._connection.executemany("DELETE FROM series WHERE id = ?", [(series_id,) for series_id in ids.tolist()])
            self._set(floor_ms=floor_ms)
        self.floor_ms = floor_ms

    def note_purged(self, time_ms: int) -> None:
        """InfluxDB has deleted everything before this."""
        with self._lock, transaction(self._connection):
            self._set(purged_ms=time_ms)
        self.purged_ms = time_ms

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _set(self, **values: int) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in values.items()])
