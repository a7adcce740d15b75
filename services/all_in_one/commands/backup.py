"""`openmanager doctor --backup` and `--restore`: copies of everything that the suite keeps."""

import sys
from contextlib import ExitStack
from pathlib import Path

from services.all_in_one.commands.doctor import STATES
from services.all_in_one.settings import load_suite_settings
from services.common.errors import OpenManagerError
from services.common.folder_lock import FolderLock
from services.metrics.adapters.embedded import backup as store_backup

STORE = "metrics"


def take(data_dir: Path | None, target: Path) -> int:
    """Copy the data folder, whether the suite runs or not; returns 0 when the copy is complete and sound."""
    try:
        folder = load_suite_settings({"data_dir": data_dir}, None).shared.data_dir
        store_backup.refuse_unless_empty(target)
        report = store_backup.back_up(folder / STORE, target / STORE)
        _copy_states(folder, target)
    except OpenManagerError as error:
        return _refuse(error)
    rows = sum(file.good_rows for file in report.files)
    print(f"{folder} is copied to {target} ({rows:,} blocks and batches, every checksum looked at)")  # noqa: T201
    return 0 if report.sound else 1


def put_back(data_dir: Path | None, source: Path) -> int:
    """Put a copy into a data folder that holds nothing yet; returns 0 when it is there."""
    try:
        folder = load_suite_settings({"data_dir": data_dir}, None).shared.data_dir
        for part in (STORE, *STATES):
            store_backup.refuse_unless_empty(folder / part)
        store_backup.restore(source / STORE, folder / STORE)
        with ExitStack() as stack:
            for part in (STORE, *STATES):
                lock = FolderLock(folder / part)
                lock.acquire()
                stack.callback(lock.release)
            _copy_states(source, folder)
    except OpenManagerError as error:
        return _refuse(error)
    print(f"{source} is restored to {folder}; start the suite as usual")  # noqa: T201
    return 0


def _copy_states(source: Path, target: Path) -> None:
    for part in (STORE, *STATES):
        for file in sorted((source / part).glob("*.db")):
            if part == STORE and file.name in store_backup.FILES:
                continue
            (target / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            store_backup.copy_database(file, target / part / file.name)


def _refuse(error: OpenManagerError) -> int:
    print(f"openmanager doctor: {error.message}", file=sys.stderr)  # noqa: T201
    return 2
