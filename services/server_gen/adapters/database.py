"""The fleet's database: SQLite in the data folder, or its own schema of a PostgreSQL database."""

from pathlib import Path
from typing import Final

from services.common.state.database import Database as StateDatabase

STEPS: Final = Path(__file__).parent / "migrations" / "versions"


class Database(StateDatabase):
    """Holds the fleet and the faults that were injected into it.

    Args:
        url: a PostgreSQL database; None for SQLite.
        folder: where the SQLite file is.
    """

    def __init__(self, url: str | None, folder: Path) -> None:
        super().__init__("server_gen", url, folder, STEPS)
