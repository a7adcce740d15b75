"""Every place that the fleet's state can be kept in."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.server_gen.adapters import tables
from services.server_gen.adapters.database import Database
from services.server_gen.adapters.fleet_store import SqlFleetState
from services.server_gen.domain.ports import FleetState
from tests.support.fleet_state import MemoryState
from tests.support.postgres import running_postgres

Reopen = Callable[[], AbstractAsyncContextManager[FleetState]]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Opens the same state again and again, as one process after the other does."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    memory = MemoryState()

    @asynccontextmanager
    async def opened() -> AsyncIterator[FleetState]:
        if request.param == "memory":
            yield memory
            return
        database = Database(url, tmp_path)
        await database.open()
        try:
            yield SqlFleetState(database)
        finally:
            await database.close()

    if url is not None:
        database = Database(url, tmp_path)
        await database.open()
        async with database.transaction() as connection:
            for table in tables.metadata.sorted_tables:
                await connection.execute(sa.delete(table))
        await database.close()
    return opened
