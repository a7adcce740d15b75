"""Copies of a store: taken while it is written to, from this process or another, and put back into an empty folder.

The journal is copied before the blocks. What is sealed in between is in both copies, and the blocks say up to which number of the
journal they hold everything; so the pair has every sample that was acknowledged before the copying began, once.
"""

import os
import shutil
import sqlite3
from pathlib import Path

from services.common.errors import RefusedError
from services.metrics.adapters.embedded import catalog, journal
from services.metrics.adapters.embedded.database import open_failure
from services.metrics.adapters.embedded.doctor import Report, check

FILES = (journal.FILE_NAME, catalog.FILE_NAME)
"""In the order in which they are copied."""


def back_up(folder: Path, target: Path) -> Report:
    """Copy the store in `folder`, running or not, into the new folder `target`, and look at every row of the copy.

    Raises:
        RefusedError: the target exists (`TARGET_NOT_EMPTY`), there is no store (`NO_STORE`), or a file cannot be copied.
    """
    if not (folder / catalog.FILE_NAME).exists():
        raise RefusedError(f"{folder} holds no store", reason="NO_STORE")
    return _copy(folder, target)


def restore(backup: Path, folder: Path) -> Report:
    """Put a copy into the new or empty folder of a store that is not running.

    Raises:
        RefusedError: the copy is damaged (`DATA_CORRUPT`) or none (`NO_STORE`), or the folder holds something
            (`TARGET_NOT_EMPTY`), or a file cannot be copied.
    """
    if not (backup / catalog.FILE_NAME).exists():
        raise RefusedError(f"{backup} holds no store", reason="NO_STORE")
    report = check(backup)
    if not report.sound:
        problems = "; ".join(f"{file.path.name}: {problem}" for file in report.files for problem in file.problems)
        raise RefusedError(f"the copy in {backup} is damaged ({problems}); nothing was changed", reason="DATA_CORRUPT")
    return _copy(backup, folder)


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy of one SQLite file, which others may be writing to.

    Raises:
        RefusedError: it cannot be read, or the copy cannot be written.
    """
    try:
        reader = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=10)
        try:
            writer = sqlite3.connect(target, timeout=10)
            try:
                reader.backup(writer)  # all pages in one go: one state of the file
            finally:
                writer.close()
        finally:
            reader.close()
    except sqlite3.Error as error:
        raise open_failure(source, error) from error
    _sync(target)


def refuse_unless_empty(folder: Path) -> None:
    """Make sure that nothing would be written over.

    Raises:
        RefusedError: there is something (`TARGET_NOT_EMPTY`).
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedError(f"{folder} is not empty; name a folder that is new", reason="TARGET_NOT_EMPTY")


def _copy(source: Path, target: Path) -> Report:
    refuse_unless_empty(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700, parents=True)
        for name in FILES:
            if (source / name).exists():
                copy_database(source / name, partial / name)
        if target.exists():
            target.rmdir()
        os.replace(partial, target)
    except OSError as error:
        raise RefusedError(f"cannot write {target}: {error}", reason="TARGET_UNWRITABLE") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _sync(target.parent)
    return check(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
