"""One process at a time in a data folder."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.common.errors import RefusedError

LOCK_FILE: Final = ".lock"


class FolderLock:
    """Holds a folder for this process; the folder is made when it is missing, readable for its owner alone.

    The lock is `flock` on a file in the folder: it ends with the process, however that ends, so a crash leaves nothing to clean
    up. It holds between processes of one host; on network file systems it is only as good as theirs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the folder.

        Raises:
            RefusedError: with reason DATA_DIR_IN_USE when another holder has it, or DATA_DIR_UNWRITABLE when it cannot be
                made or written to.
        """
        if self._descriptor is not None:
            return
        path = self.folder / LOCK_FILE
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            by = f"process {holder}" if holder else "another process"
            raise RefusedError(
                f"{self.folder} is in use by {by}; stop it, or set OPENMANAGER_DATA_DIR to another folder",
                reason="DATA_DIR_IN_USE",
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise _unwritable(self.folder, error) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the folder back; the lock file stays, because removing it would let two later holders lock different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _unwritable(folder: Path, error: OSError) -> RefusedError:
    return RefusedError(
        f"{folder} cannot be written to ({error.strerror or error}); give this user access, or set OPENMANAGER_DATA_DIR",
        reason="DATA_DIR_UNWRITABLE",
    )
