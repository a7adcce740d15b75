"""The small JSON file in which the release before kept the fleet's size: read once, and removed once its size is kept elsewhere."""

import json
from pathlib import Path

from services.common.errors import RefusedError


class FormerFile:
    """The file at `path`, if there is one. Both methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int | None:
        """The size that it holds; None when there is no file.

        Raises:
            RefusedError: it cannot be read (`FLEET_STATE_UNREADABLE`).
        """
        try:
            size = json.loads(self._path.read_text(encoding="utf-8"))["size"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._unreadable(repr(error)) from error
        if type(size) is not int or size < 0:
            raise self._unreadable(f"size is {size!r}")
        return size

    def remove(self) -> None:
        """Remove it; its size is kept elsewhere now.

        Raises:
            RefusedError: it cannot be removed (`DATA_DIR_UNWRITABLE`).
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise RefusedError(f"{self._path} cannot be removed: {error.strerror}", reason="DATA_DIR_UNWRITABLE") from error

    def _unreadable(self, why: str) -> RefusedError:
        message = f"{self._path} cannot be read ({why}); remove it to start with a new fleet"
        return RefusedError(message, reason="FLEET_STATE_UNREADABLE")
