"""What every `JobStore` does."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.common.errors import AlreadyExistsError
from services.metrics.adapters.scrape import tables
from services.metrics.adapters.scrape.job_store import Database, SqlJobStore
from services.metrics.domain.scrape.ports import KeptJob
from tests.support.postgres import running_postgres

CONFIG = {"job_name": "노드", "static_configs": [{"targets": ["a:1"]}], "basic_auth": {"password": "비밀"}, "sample_limit": 5}


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(request.getfixturevalue("postgres_url") if request.param == "postgresql" else None, tmp_path)
    await made.open()
    async with made.transaction() as connection:
        await connection.execute(sa.delete(tables.scrape_jobs))
    yield made
    await made.close()


async def test_jobs_are_kept_replaced_and_forgotten(database: Database) -> None:
    store = SqlJobStore(database)
    assert await store.list() == []
    one, other = KeptJob("1", "b", CONFIG, 1.125, 2.5), KeptJob("2", "a", {}, 3.0, 3.0)
    await store.put([one, other])
    assert list(await store.list()) == [other, one]
    changed = replace(one, name="c", updated_at=9.0)
    await store.put([changed])
    assert list(await store.list()) == [other, changed]
    assert await store.delete("2")
    assert not await store.delete("2")
    assert list(await SqlJobStore(database).list()) == [changed]
    await store.put([])


async def test_a_name_is_taken_once_and_a_call_keeps_all_or_nothing(database: Database) -> None:
    store = SqlJobStore(database)
    one = KeptJob("1", "a", {}, 1.0, 1.0)
    await store.put([one])
    with pytest.raises(AlreadyExistsError):
        await store.put([KeptJob("3", "c", {}, 1.0, 1.0), KeptJob("2", "a", {}, 1.0, 1.0)])
    assert list(await store.list()) == [one]
