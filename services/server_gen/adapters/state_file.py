"""The fleet's size in a small JSON file."""

import json
import os
from pathlib import Path

from services.common.errors import RefusedError, UnavailableError


class StateFile:
    """Replaces the whole file at each change, so that a crash leaves the old one or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> int | None:
        """The size that was kept; None when there is no file."""
        try:
            size = json.loads(self._path.read_text(encoding="utf-8"))["size"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._unreadable(repr(error)) from error
        if type(size) is not int or size < 0:
            raise self._unreadable(f"size is {size!r}")
        return size

    def save(self, size: int) -> None:
        """Write the size and wait until the disk has it."""
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"size": size}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name is durable only with its folder
            finally:
                os.close(folder)
        except OSError as error:
            message = f"the fleet's size could not be written to {self._path}: {error}"
            raise UnavailableError(message, reason="FLEET_STATE_NOT_WRITTEN") from error

    def _unreadable(self, why: str) -> RefusedError:
        message = f"{self._path} cannot be read ({why}); remove it to start with a new fleet"
        return RefusedError(message, reason="FLEET_STATE_UNREADABLE")
