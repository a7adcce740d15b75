"""The fleet in the database."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.server_gen.adapters import tables
from services.server_gen.adapters.database import Database
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.ports import FleetRecord, KeptFleet

INJECTED: Final = "injected"
_FLEET, _FAULTS = tables.fleet, tables.faults


class SqlFleetState:
    """Implements `FleetState`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> KeptFleet | None:
        """See the port."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(sa.select(_FLEET))).mappings().one_or_none()
            faults = (await connection.execute(sa.select(_FAULTS).order_by(_FAULTS.c.id))).mappings().all()
        if row is None:
            return None
        record = FleetRecord(row["size"], row["generation"], row["epoch"], row["world"])
        return KeptFleet(record, tuple(_fault(fault) for fault in faults))

    async def keep(self, record: FleetRecord) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await _write(connection, record)

    async def begin(self, record: FleetRecord) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(sa.delete(_FAULTS))
            await _write(connection, record)

    async def add_fault(self, fault: Fault) -> None:
        """See the port."""
        row = {
            "id": fault.id,
            "kind": fault.kind,
            "server": fault.server,
            "severity": fault.severity,
            "starts_at": fault.start,
            "ends_at": fault.end,
            "cancelled_at": fault.cancelled_at,
        }
        async with self._database.transaction() as connection:
            await connection.execute(sa.insert(_FAULTS).values(**row))

    async def cancel_fault(self, fault_id: str, cancelled_at: float) -> None:
        """See the port."""
        statement = sa.update(_FAULTS).where(_FAULTS.c.id == fault_id).values(cancelled_at=cancelled_at)
        async with self._database.transaction() as connection:
            await connection.execute(statement)


async def _write(connection: AsyncConnection, record: FleetRecord) -> None:
    row = {"id": 1, "size": record.size, "generation": record.generation, "epoch": record.epoch, "world": record.world}
    await connection.execute(sa.delete(_FLEET))
    await connection.execute(sa.insert(_FLEET).values(**row))


def _fault(row: sa.RowMapping) -> Fault:
    return Fault(
        id=row["id"],
        kind=row["kind"],
        server=row["server"],
        severity=row["severity"],
        start=row["starts_at"],
        end=row["ends_at"],
        source=INJECTED,
        cancelled_at=row["cancelled_at"],
    )
