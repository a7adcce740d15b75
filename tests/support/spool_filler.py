"""Adds numbered samples to a spool until it is killed, and says on standard output which of them are durable.

Run: `python -m tests.support.spool_filler FOLDER FIRST`.
"""

import sys
from pathlib import Path

from services.common.folder_lock import FolderLock
from tests.support.spools import HastyClock, fill, open_spool


def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    with FolderLock(folder):
        spool = open_spool(folder, HastyClock())
        while True:
            fill(spool, 1, first=number)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    main()
