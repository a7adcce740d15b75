"""Reading files of rows."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from services.all_in_one.commands.client import CommandError
from services.all_in_one.commands.files import Source, read_csv, read_npz

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = 1_767_225_600_000
ROWS = np.array([[1.5, 2.0], [np.nan, 3.0], [4.0, np.inf]])


def _npz(folder: Path, **arrays: object) -> Path:
    path = folder / "machine-1.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(array))
    return path


def _csv(folder: Path, text: str) -> Path:
    path = folder / "web-01.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_test_array_is_taken_and_its_last_row_is_the_last_whole_step_before_now(tmp_path: Path) -> None:
    (grid,) = read_npz(_npz(tmp_path, train=ROWS * 2, test=ROWS, label=[0, 1, 0]), Source(), NOW)
    assert grid.server == "machine-1"
    assert grid.metrics == ["metric_1", "metric_2"]
    assert grid.values.dtype == np.float64
    np.testing.assert_array_equal(grid.values, ROWS)
    last = datetime(2026, 1, 2, 3, 4, tzinfo=UTC).timestamp() * 1000
    assert grid.timestamps_ms.tolist() == [last - 120_000, last - 60_000, last]
    assert grid.left_out == 2


def test_flags_give_server_names_start_step_and_array(tmp_path: Path) -> None:
    source = Source(server="db-01", metrics=["cpu", "memory"], start=START, step_seconds=0.5, array="train")
    (grid,) = read_npz(_npz(tmp_path, train=ROWS.astype(np.float32), test=ROWS), source, NOW)
    assert (grid.server, grid.metrics) == ("db-01", ["cpu", "memory"])
    assert grid.timestamps_ms.tolist() == [START_MS, START_MS + 500, START_MS + 1000]


def test_an_archive_may_name_its_columns(tmp_path: Path) -> None:
    (grid,) = read_npz(_npz(tmp_path, rows=ROWS, columns=["cpu", "load"]), Source(), NOW)
    assert grid.metrics == ["cpu", "load"]


def test_one_dimension_is_one_metric(tmp_path: Path) -> None:
    (grid,) = read_npz(_npz(tmp_path, values=[1, 2, 3]), Source(metrics=["cpu"]), NOW)
    assert grid.values.tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    ("arrays", "source", "message"),
    [
        ({"a": [1.0], "b": [1.0]}, Source(), "several arrays; name one of a, b"),
        ({"names": ["cpu"]}, Source(), "holds no array of rows"),
        ({"test": [1.0]}, Source(array="train"), "no array 'train'; it has test"),
        ({"test": ["x", "y"]}, Source(), "must be rows by columns of numbers"),
        ({"test": np.zeros((2, 2, 2))}, Source(), "must be rows by columns of numbers"),
        ({"test": [1j]}, Source(), "must be rows by columns of numbers"),
        ({"test": np.zeros((0, 3))}, Source(), "has no rows"),
        ({"test": ROWS}, Source(metrics=["cpu"]), "1 metric names were given for 2 columns"),
        ({"test": ROWS}, Source(metrics=["cpu", "cpu"]), "two columns are called 'cpu'"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused(tmp_path: Path, arrays: dict[str, object], source: Source, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        read_npz(_npz(tmp_path, **arrays), source, NOW)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    with pytest.raises(CommandError, match="cannot be read"):
        read_npz(path, Source(), NOW)
    for content in (b"", b"no archive", b"PK\x03\x04 cut short"):
        path.write_bytes(content)
        with pytest.raises(CommandError, match="cannot be read"):
            read_npz(path, Source(), NOW)
    np.save(tmp_path / "rows.npy", ROWS)
    with pytest.raises(CommandError, match="single array"):
        read_npz(tmp_path / "rows.npy", Source(), NOW)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, test=np.arange(10_000.0))
    whole = path.read_bytes()
    for start in range(30, 2000, 170):
        path.write_bytes(whole[:start] + bytes(60) + whole[start + 60 :])
        with pytest.raises(CommandError, match="cannot be read"):
            read_npz(path, Source(), NOW)


def test_objects_in_an_archive_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, test=np.array([object()], dtype=object))
    with pytest.raises(CommandError, match="cannot be read"):
        read_npz(path, Source(), NOW)


def test_csv_columns_say_time_and_server(tmp_path: Path) -> None:
    text = "\ufeffTimestamp,server,cpu,memory\n2026-01-01T00:00:00Z,a,1,2\n1767225660.5,b,,4\n2026-01-01 00:02:00,a,5,nan\n"
    grids = {grid.server: grid for grid in read_csv(_csv(tmp_path, text), Source(), NOW)}
    assert grids["a"].metrics == grids["b"].metrics == ["cpu", "memory"]
    assert grids["a"].timestamps_ms.tolist() == [START_MS, START_MS + 120_000]
    assert grids["b"].timestamps_ms.tolist() == [START_MS + 60_500]
    np.testing.assert_array_equal(grids["a"].values, [[1.0, 2.0], [5.0, np.nan]])
    np.testing.assert_array_equal(grids["b"].values, [[np.nan, 4.0]])


def test_csv_without_times_takes_start_and_step(tmp_path: Path) -> None:
    (grid,) = read_csv(_csv(tmp_path, "cpu\n1\n2\n"), Source(start=START, step_seconds=10), NOW)
    assert grid.server == "web-01"
    assert grid.timestamps_ms.tolist() == [START_MS, START_MS + 10_000]
    (grid,) = read_csv(_csv(tmp_path, "cpu\n1\n2\n"), Source(step_seconds=10), NOW)
    assert grid.timestamps_ms.tolist() == [NOW.timestamp() * 1000 - 15_000, NOW.timestamp() * 1000 - 5_000]


def test_flags_win_over_what_a_csv_says(tmp_path: Path) -> None:
    text = "time,server,cpu,note\n1,a,1,x\n2,b,2,y\n"
    (grid,) = read_csv(_csv(tmp_path, text), Source(server="c", metrics=["cpu"], start=START), NOW)
    assert (grid.server, grid.metrics) == ("c", ["cpu"])
    assert grid.timestamps_ms.tolist() == [START_MS, START_MS + 60_000]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column of numbers"),
        ("timestamp,server\n1,a\n", "no column of numbers"),
        ("cpu\n", "has no rows"),
        ("cpu,role\n1,2\n3,web\n", "line 3, column role: 'web' is no number; choose .* --metrics"),
        ("time,cpu\nyesterday,1\n", "line 2: 'yesterday' is no time"),
        ("time,cpu\nnan,1\n", "line 2: 'nan' is no time"),
        ("time,cpu\n1e300,1\n", "line 2: '1e300' is no time"),
        ("time,cpu\n1767225600000,1\n", "is no time; write RFC 3339 or Unix seconds"),
        ("cpu\n1,2\n", "line 2 has more cells than the header"),
        (",cpu\n0,1\n", "column 1 has no name"),
        ("cpu,cpu\n0,1\n", "two columns are called 'cpu'"),
        ('cpu\n"1\n', "cannot be read as CSV"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        read_csv(_csv(tmp_path, text), Source(), NOW)


def test_a_metric_that_a_csv_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no column disk; it has cpu"):
        read_csv(_csv(tmp_path, "cpu\n1\n"), Source(metrics=["cpu", "disk"]), NOW)


def test_a_csv_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read as CSV"):
        read_csv(tmp_path / "none.csv", Source(), NOW)
    path = tmp_path / "latin.csv"
    path.write_bytes("cpu,später\n1,2\n".encode("latin-1"))
    with pytest.raises(CommandError, match="cannot be read as CSV"):
        read_csv(path, Source(), NOW)
