"""The database file: private, brought up to date at start, and refused with a clear word when it cannot be used."""

import os
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from services.common.errors import InvalidArgumentError, RefusedError, UnavailableError
from services.notifier.adapters import tables
from services.notifier.adapters.database import Database
from tests.support.postgres import running_postgres


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))


async def test_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = Database(None, tmp_path)
    await database.open()
    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_postgresql_has_them_in_a_schema_of_its_own(tmp_path: Path) -> None:
    with running_postgres() as url:
        for _ in range(2):
            database = Database(url, tmp_path)
            await database.open()
            async with database.transaction() as connection:
                assert await connection.run_sync(differences) == []
                schemas = await connection.execute(sa.text("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'rules'"))
                assert schemas.scalars().all() == ["notifier"]
            await database.close()
    assert not (tmp_path / "notifier.db").exists()


async def test_the_file_is_for_its_owner_alone_and_every_commit_is_synced(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database(None, tmp_path)
        await database.open()
    finally:
        os.umask(before)
    async with database.transaction() as connection:
        await connection.execute(sa.insert(tables.channels).values(name="a", kind="webhook", config={}, created_at=1.0))
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one() == "wal"
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == 2
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    await database.close()
    assert modes == {"notifier.db": 0o600, "notifier.db-wal": 0o600, "notifier.db-shm": 0o600}


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = Database(None, tmp_path)
    await database.open()

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.insert(tables.channels).values(name="a", kind="webhook", config={}, created_at=1.0))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with database.transaction() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(tables.channels))).scalar_one() == 0
    await database.close()


async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notifier.db").write_bytes(b"this is no database, it is a letter to a friend" * 100)
    with pytest.raises(RefusedError, match=r"notifier\.db is damaged") as caught:
        await Database(None, tmp_path).open()
    assert caught.value.reason == "DATABASE_DAMAGED"


async def test_a_torn_file_is_refused_by_name(tmp_path: Path) -> None:
    database = Database(None, tmp_path)
    await database.open()
    await database.close()
    file = tmp_path / "notifier.db"
    pages = bytearray(file.read_bytes())
    pages[8192:40960] = os.urandom(1) * 32768
    file.write_bytes(pages)
    with pytest.raises(RefusedError) as caught:
        await Database(None, tmp_path).open()
    assert caught.value.reason == "DATABASE_DAMAGED"


async def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    database = Database(None, tmp_path)
    await database.open()
    async with database.transaction() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(RefusedError) as caught:
        await Database(None, tmp_path).open()
    assert caught.value.reason == "DATABASE_TOO_NEW"


@pytest.mark.parametrize("url", ["mysql://host/name", "not a url", "sqlite:///x.db"])
async def test_a_url_of_another_database_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidArgumentError):
        await Database(url, tmp_path).open()


async def test_a_database_that_is_away_is_unavailable_and_its_password_not_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        await Database("postgresql://user:hunter2@127.0.0.1:1/name", tmp_path).open()
    assert "hunter2" not in caught.value.message
    assert caught.value.reason == "DATABASE_UNAVAILABLE"
