"""SQLite connections as the store wants them, and what their failures mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.common.errors import OpenManagerError, RefusedError, UnavailableError

_CORRUPT_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_RETRY_AFTER_SECONDS: Final = 5.0


def open_writer(path: Path, *, page_bytes: int, gives_back: bool = False) -> sqlite3.Connection:
    """A connection for the one thread that writes: write-ahead log, and an fsync in every commit.

    Args:
        path: the file, made when it is new.
        page_bytes: page size of a new file.
        gives_back: a new file can give back free pages some at a time (`PRAGMA incremental_vacuum`).

    Raises:
        sqlite3.Error: see `open_failure`.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute(f"PRAGMA page_size = {page_bytes:d}")
        if gives_back:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {16 * 2**20 // page_bytes:d}")
        connection.execute(f"PRAGMA journal_size_limit = {32 * 2**20:d}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads; the file must exist."""
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing: durable when the block is left, undone when anything in it or the commit itself fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, as opposed to busy, full or not reachable."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _CORRUPT_CODES


def open_failure(path: Path, error: sqlite3.Error) -> OpenManagerError:
    """What to tell a person whose store does not open."""
    if is_corrupt(error):
        return corrupt(path, str(error))
    return RefusedError(f"cannot open {path}: {error}; check its permissions and the free space", reason="DATA_UNREADABLE")


def corrupt(path: Path, why: str) -> RefusedError:
    """The refusal to work on a damaged file."""
    message = f"{path} is damaged ({why}); stop the suite and run `openmanager doctor --repair`, which moves it aside and saves what is readable"
    return RefusedError(message, reason="DATA_CORRUPT")


def write_failure(folder: Path, error: sqlite3.Error) -> UnavailableError:
    """What to tell a writer whose request could not be made durable."""
    message = f"cannot write to {folder}: {error}; nothing of the request was stored"
    return UnavailableError(message, reason="STORE_WRITE_FAILED", retry_after_seconds=_RETRY_AFTER_SECONDS)
