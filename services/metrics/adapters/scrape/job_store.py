"""Scrape jobs in the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.common.errors import AlreadyExistsError
from services.common.state.database import Database as StateDatabase
from services.metrics.adapters.scrape import tables
from services.metrics.domain.scrape.ports import KeptJob

STEPS: Final = Path(__file__).parents[1] / "migrations" / "versions"
_JOBS = tables.scrape_jobs


class Database(StateDatabase):
    """Holds what the metrics service keeps besides samples.

    Args:
        url: a PostgreSQL database; None for SQLite.
        folder: where the SQLite file is.
    """

    def __init__(self, url: str | None, folder: Path) -> None:
        super().__init__("metrics", url, folder, STEPS)


class SqlJobStore:
    """Implements `JobStore`."""

    def __init__(self, database: StateDatabase) -> None:
        self._database = database

    async def list(self) -> Sequence[KeptJob]:
        """See the port."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(sa.select(_JOBS).order_by(_JOBS.c.name))).mappings().all()
        return [KeptJob(**row) for row in rows]

    async def put(self, jobs: Sequence[KeptJob]) -> None:
        """See the port."""
        if not jobs:
            return
        rows = [
            {
                "id": job.id,
                "name": job.name,
                "config": dict(job.config),
                "created_at": job.created_at,
                "updated_at": job.updated_at,
            }
            for job in jobs
        ]
        try:
            async with self._database.transaction() as connection:
                await connection.execute(sa.delete(_JOBS).where(_JOBS.c.id.in_([job.id for job in jobs])))
                await connection.execute(sa.insert(_JOBS), rows)
        except IntegrityError as error:
            raise AlreadyExistsError("there is a job of one of these names already", reason="TARGET_EXISTS") from error

    async def delete(self, job_id: str) -> bool:
        """See the port."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(sa.delete(_JOBS).where(_JOBS.c.id == job_id))).rowcount)
