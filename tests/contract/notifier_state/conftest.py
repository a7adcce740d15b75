"""Every database that the notifier keeps its state in."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.notifier.adapters.alert_store import SqlAlertStore
from services.notifier.adapters.channel_store import SqlChannelStore
from services.notifier.adapters.database import Database
from services.notifier.adapters.outbox_store import SqlOutboxStore
from tests.support.notifier_state import State, empty_tables
from tests.support.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def state(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[State]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    database = Database(url, tmp_path)
    await database.open()
    await empty_tables(database)
    yield State(url, tmp_path, database, SqlAlertStore(database), SqlChannelStore(database), SqlOutboxStore(database))
    await database.close()
