"""The database of one service: SQLite in its data folder, or its own schema of a PostgreSQL database."""

import os
import re
import sqlite3
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from services.common.errors import InvalidArgumentError, OpenManagerError, RefusedError, UnavailableError

CONNECT_TIMEOUT_SECONDS: Final = 10
_SCRIPTS: Final = Path(__file__).parent / "migrations"


class Database:
    """Opened and brought up to date by `open`; `close` it at the end.

    Args:
        name: of the service, an identifier; the SQLite file is called `<name>.db` and the PostgreSQL schema `<name>`.
        url: a PostgreSQL database; None for SQLite.
        folder: where the SQLite file is.
        steps: folder of the service's migrations.
    """

    def __init__(self, name: str, url: str | None, folder: Path, steps: Path) -> None:
        self._name = name
        self._url = url
        self._steps = steps
        self._file = folder / f"{name}.db"
        self._place = str(self._file)
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        """Connects and applies all migrations.

        Raises:
            InvalidArgumentError: the URL is not one of PostgreSQL.
            RefusedError: the file is damaged or unwritable, or the tables were made by a newer release.
            UnavailableError: nobody answers at the URL.
        """
        if self._url is None:
            self._engine = _sqlite_engine(self._file)
        else:
            url = _postgres_url(self._url)
            self._place = f"{url.host}/{url.database}"
            self._engine = _postgres_engine(url, self._name)
        try:
            async with self.transaction() as connection:
                await connection.run_sync(self._migrate)
        except BaseException:
            await self.close()
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: durable when the block ends, undone when it raises.

        Raises:
            UnavailableError: the database cannot be reached, is locked by another process, or its disk is full.
            RefusedError: its file is damaged.
        """
        if self._engine is None:
            raise UnavailableError("the database is not open", reason="DATABASE_UNAVAILABLE")
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError, OSError, TimeoutError, sa.exc.TimeoutError) as error:
            raise self._explained(error) from error
        except DatabaseError as error:
            if isinstance(error.orig, sqlite3.DatabaseError) and _is_damage(error):
                raise self._explained(error) from error
            raise

    async def close(self) -> None:
        """Closes all connections."""
        if self._engine is not None:
            await self._engine.dispose()

    def _migrate(self, connection: Connection) -> None:
        from alembic import command  # heavy, and needed once
        from alembic.config import Config
        from alembic.util import CommandError

        if connection.dialect.name == "sqlite":
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            if found != "ok":
                raise _damaged(self._place, str(found).replace("\n", " "))
        else:
            # Any number will do, as long as every process of this service takes the same.
            lock = zlib.crc32(f"openmanager.{self._name}".encode())
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {self._name}")
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", str(self._steps).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise RefusedError(
                f"the database was made by a newer release ({error}); update OpenManager, or restore an older backup",
                reason="DATABASE_TOO_NEW",
            ) from error

    def _explained(self, error: Exception) -> OpenManagerError:
        what = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        if _is_damage(error):
            return _damaged(self._place, what)
        return UnavailableError(f"the database {self._place} cannot be used now: {what}", reason="DATABASE_UNAVAILABLE")


def _damaged(place: str, what: str) -> RefusedError:
    message = f"{place} is damaged ({what}); restore it from a backup, or run `openmanager doctor --repair` to set it aside and begin anew"
    return RefusedError(message, reason="DATABASE_DAMAGED")


def _is_damage(error: Exception) -> bool:
    return "malformed" in str(error) or "not a database" in str(error)


def _sqlite_engine(file: Path) -> AsyncEngine:
    """One connection, because SQLite has one writer; the file is readable for its owner alone, as it holds secrets."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise RefusedError(f"{file} cannot be written: {error.strerror}", reason="DATA_DIR_UNWRITABLE") from error
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(file)), poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are ours to begin: the driver would leave schema changes outside
        cursor = connection.cursor()
        for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgres_url(text: str) -> URL:
    try:
        url = make_url(re.sub(r"^postgres://", "postgresql://", text))
    except ArgumentError as error:
        raise InvalidArgumentError("the database URL is no URL", reason="INVALID_SETTINGS") from error
    if url.get_backend_name() != "postgresql":
        raise InvalidArgumentError(
            f"the database URL names {url.get_backend_name()}; use postgresql://user:password@host/name", reason="INVALID_SETTINGS"
        )
    return url.set(drivername="postgresql+asyncpg")


def _postgres_engine(url: URL, schema: str) -> AsyncEngine:
    arguments = {"server_settings": {"search_path": schema}, "timeout": CONNECT_TIMEOUT_SECONDS}
    try:
        return create_async_engine(url, connect_args=arguments, pool_pre_ping=True, pool_size=5)
    except ModuleNotFoundError as error:
        raise RefusedError(
            "PostgreSQL needs the package asyncpg: install openmanager[postgres]", reason="MISSING_PACKAGE"
        ) from error
