import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.errors import RefusedError
from services.common.folder_lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from services.common.folder_lock import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold_in_another_process(folder: Path) -> "subprocess.Popen[str]":
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_makes_the_folder_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with FolderLock(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    process = hold_in_another_process(tmp_path)
    try:
        with pytest.raises(RefusedError, match=f"process {process.pid}") as refused:
            FolderLock(tmp_path).acquire()
        assert refused.value.reason == "DATA_DIR_IN_USE"
    finally:
        end(process)


def test_a_killed_holder_leaves_the_folder_free(tmp_path: Path) -> None:
    end(hold_in_another_process(tmp_path))
    with FolderLock(tmp_path):
        pass


def test_a_second_holder_in_one_process_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    with pytest.raises(RefusedError):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_acquiring_and_releasing_twice_changes_nothing(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.acquire()
    lock.release()
    lock.release()
    with FolderLock(tmp_path):
        pass


def test_a_path_below_a_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="cannot be written to") as refused:
        FolderLock(tmp_path / "file" / "data").acquire()
    assert refused.value.reason == "DATA_DIR_UNWRITABLE"


def test_a_lock_file_that_cannot_be_opened_makes_the_folder_unwritable(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(RefusedError, match="OPENMANAGER_DATA_DIR") as refused:
        FolderLock(tmp_path).acquire()
    assert refused.value.reason == "DATA_DIR_UNWRITABLE"
