"""Readings that wait on disk until a gateway has said that they are durable."""

import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
import structlog

from services.all_in_one.commands.client import CommandError
from services.common.clock import Clock
from services.common.ids import IdSource

log = structlog.get_logger("agent.spool")

Sample = dict[str, Any]
"""A sample as `POST /api/v1/metrics` takes it: server, timestamp, metrics, labels."""
T = TypeVar("T")

FILE: Final = "spool.db"
DEFAULT_MAX_BYTES: Final = 64 * 1024 * 1024
DEFAULT_MAX_AGE_SECONDS: Final = 30 * 86_400.0
"""What a gateway retains by default: it would refuse what is older."""
_VERSION: Final = 1
_JOURNAL_PAGES: Final = 256
_JOURNAL_BYTES: Final = 1024 * 1024
_DROP_AT_ONCE: Final = 16
_DELETE_OLDEST: Final = "DELETE FROM reading WHERE id IN (SELECT id FROM reading ORDER BY id LIMIT ?)"
_SELECT_ALL: Final = "SELECT id, time_ms, rows, checksum, body FROM reading ORDER BY id"
_INSERT: Final = "INSERT INTO reading (time_ms, rows, checksum, body) VALUES (?, ?, ?, ?)"
_DAMAGE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_SCHEMA: Final = f"""
CREATE TABLE spool (id TEXT NOT NULL);
CREATE TABLE reading (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- no number is ever given twice, so a batch is known by its numbers
    time_ms INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
);
PRAGMA user_version = {_VERSION};
"""


class SpoolError(CommandError):
    """The spool cannot be read or written now: no space, no permission, or made by a newer release."""


class _DamagedError(Exception):
    """The file does not hold what was written to it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading that waits.

    Attributes:
        number: its place in the order of arrival, from 1.
        rows: values in it.
        sample: what was read.
    """

    number: int
    rows: int
    sample: Sample


class Spool:
    """A queue in a file, bounded in size and age; `open` it, and `close` it at the end. Its calls block, from any thread.

    What `add` was given is durable once it returns. When there is too much the oldest gives way, and `dropped` counts it. A damaged file
    is set aside under another name, and what can be read of it waits in the new one.

    Args:
        folder: where the file is; the caller holds its lock.
        clock: tells how old readings are.
        new_id: names each new file, so that batches of different files are told apart.
        max_bytes: of the file; its journal takes up to a mebibyte more.
        max_age_seconds: of a reading.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        new_id: IdSource,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_age_seconds: float = DEFAULT_MAX_AGE_SECONDS,
    ) -> None:
        self._file = folder / FILE
        self._clock = clock
        self._new_id = new_id
        self._max_bytes = max_bytes
        self._max_age_ms = round(max_age_seconds * 1000)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.id = ""
        self.dropped = 0

    def open(self) -> None:
        """Open the file, made when it is missing; every reading in it is checked, which takes a second for a large one.

        Raises:
            SpoolError: it cannot be used.
        """
        with self._lock, self._explained():
            try:
                self._connect()
                self._verify()
            except (sqlite3.DatabaseError, _DamagedError) as error:
                if not _is_damage(error):
                    raise
                self._set_aside(error)

    def close(self) -> None:
        """Close the file; what waits in it stays."""
        with self._lock:
            self._disconnect()

    def add(self, samples: Sequence[Sample], time_ms: int) -> None:
        """Let samples of one time wait behind the others; durable on return.

        Raises:
            SpoolError: they are not in the spool.
        """
        bodies = [orjson.dumps(sample) for sample in samples]
        rows = [(time_ms, len(sample["metrics"]), zlib.crc32(body), body) for sample, body in zip(samples, bodies, strict=True)]

        def insert(connection: sqlite3.Connection) -> int:
            connection.executemany(_INSERT, rows)
            return self._make_room(connection)

        self.dropped += self._transact(insert)

    def oldest(self, max_rows: int) -> list[Reading]:
        """The readings that have waited longest, in order: as many as have at most so many values, and at least one if any waits.

        Raises:
            SpoolError: they cannot be read now.
        """

        def select(connection: sqlite3.Connection) -> tuple[int, list[Reading]]:
            too_old = self._drop_old(connection)
            found: list[Reading] = []
            held = 0
            for number, rows, checksum, body in connection.execute("SELECT id, rows, checksum, body FROM reading ORDER BY id"):
                if found and held + rows > max_rows:
                    break
                if zlib.crc32(body) != checksum:
                    raise _DamagedError(f"reading {number} has changed since it was written")
                found.append(Reading(number, rows, orjson.loads(body)))
                held += rows
            return too_old, found

        too_old, found = self._transact(select)
        self.dropped += too_old
        return found

    def remove(self, readings: Sequence[Reading]) -> None:
        """Let go of readings; they do not come back once this has returned.

        Raises:
            SpoolError: they are still there.
        """
        numbers = [(reading.number,) for reading in readings]

        def delete(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM reading WHERE id = ?", numbers)

        self._transact(delete)

    def waiting(self) -> int:
        """Readings that wait.

        Raises:
            SpoolError: they cannot be counted now.
        """
        return self._transact(lambda connection: int(connection.execute("SELECT count(*) FROM reading").fetchone()[0]))

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something wholly or not at all; where the file turns out to be damaged, once more with a new one."""
        with self._lock, self._explained():
            try:
                return self._attempt(work)
            except (sqlite3.DatabaseError, _DamagedError) as error:
                if not _is_damage(error):
                    raise
                self._set_aside(error)
            return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        if connection is None:
            raise SpoolError(f"{self._file} is not open")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            return work(connection)

    def _make_room(self, connection: sqlite3.Connection) -> int:
        """Drop the oldest until the file is within its bound; returns how many."""
        dropped = self._drop_old(connection)
        page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        while True:
            pages, free = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count"))
            if (pages - free) * page_bytes <= self._max_bytes:
                return dropped
            gone = connection.execute(_DELETE_OLDEST, (_DROP_AT_ONCE,)).rowcount
            if not gone:
                return dropped
            dropped += gone

    def _drop_old(self, connection: sqlite3.Connection) -> int:
        limit_ms = round(self._clock.now() * 1000) - self._max_age_ms
        first = connection.execute("SELECT time_ms FROM reading ORDER BY id LIMIT 1").fetchone()
        if first is None or first[0] >= limit_ms:
            return 0
        return connection.execute("DELETE FROM reading WHERE time_ms < ?", (limit_ms,)).rowcount

    def _connect(self) -> None:
        connection = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None)
        self._connection = connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_JOURNAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise SpoolError(f"{self._file} was made by a newer release; update OpenManager, or give another --spool-dir")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}")
            connection.execute("INSERT INTO spool (id) VALUES (?)", (self._new_id(),))
            connection.execute("COMMIT")
        named = connection.execute("SELECT id FROM spool").fetchone()
        if named is None:
            raise _DamagedError("it has lost its name")
        self.id = str(named[0])

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _verify(self) -> None:
        if self._connection is None:
            raise SpoolError(f"{self._file} is not open")
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _DamagedError(str(found).replace("\n", " "))
        for number, checksum, body in self._connection.execute("SELECT id, checksum, body FROM reading"):
            if zlib.crc32(body) != checksum:
                raise _DamagedError(f"reading {number} has changed since it was written")

    def _set_aside(self, error: Exception) -> None:
        """Go on with a new file that holds what can be read of the damaged one, which keeps all it has under another name."""
        self._disconnect()
        aside = self._file.with_name(f"damaged-{round(self._clock.now() * 1000)}-{FILE}")
        for suffix in ("-wal", "-shm", ""):
            part = self._file.with_name(self._file.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        saved = _readable(aside)
        self._connect()
        self._attempt(lambda connection: connection.executemany(_INSERT, saved))
        log.error("spool_damaged", damage=str(error), set_aside=str(aside), readings_saved=len(saved))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, _DamagedError) as error:
            raise SpoolError(
                f"the spool {self._file} cannot be used: {error}; look at its permissions and the free space"
            ) from error


def _is_damage(error: Exception) -> bool:
    if isinstance(error, _DamagedError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _DAMAGE


def _readable(file: Path) -> list[tuple[int, int, int, bytes]]:
    """Rows of a damaged file that are as they were written: those before the damage, and those behind it."""
    found: dict[int, tuple[int, int, int, bytes]] = {}
    for query in (_SELECT_ALL, f"{_SELECT_ALL} DESC"):
        connection = sqlite3.connect(file)
        try:
            for number, *row in connection.execute(query):
                time_ms, rows, checksum, body = row
                if isinstance(body, bytes) and zlib.crc32(body) == checksum:
                    found[number] = (time_ms, rows, checksum, body)
        except sqlite3.Error:
            continue  # this far and no farther from this end
        finally:
            connection.close()
    return [found[number] for number in sorted(found)]
