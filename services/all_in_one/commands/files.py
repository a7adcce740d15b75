"""Reads files of rows: NumPy archives and CSV."""

import csv
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.all_in_one.commands.client import CommandError

TIME_COLUMNS = ("timestamp", "time", "ts", "date")
SERVER_COLUMN = "server"
DEFAULT_ARRAYS = ("test", "values", "data")
NAME_ARRAYS = ("metrics", "columns", "names")
# What numpy and the readers beneath it raise for a file that is damaged or of another kind.
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    NotImplementedError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_LAST_SECONDS = 253_402_300_800.0  # the year 10000


@dataclass(frozen=True)
class Grid:
    """The rows of one server.

    Attributes:
        server: the server's name.
        metrics: name of each column.
        timestamps_ms: int64[rows], Unix time in milliseconds.
        values: float64[rows, columns]; NaN where a row has no value.
    """

    server: str
    metrics: list[str]
    timestamps_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @property
    def left_out(self) -> int:
        """Cells that are no sample: missing or infinite."""
        return int(self.values.size - np.isfinite(self.values).sum())


@dataclass(frozen=True)
class Source:
    """What the flags say about a file: each None is read from the file or given its default."""

    server: str | None = None
    metrics: Sequence[str] | None = None
    start: datetime | None = None
    step_seconds: float = 60.0
    array: str | None = None


def read_npz(path: Path, source: Source, now: datetime) -> list[Grid]:
    """The rows of an array of a NumPy archive, one metric a column; raises CommandError.

    Another array called metrics, columns or names may hold the metrics' names.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise CommandError(f"{path} holds a single array and no archive; numpy.savez writes one")
        with loaded as archive:
            name = source.array or _default_array(path, archive.files)
            if name not in archive.files:
                raise CommandError(f"{path} has no array {name!r}; it has {', '.join(archive.files)}")
            values = np.asarray(archive[name])
            names = next((archive[key].astype(str).ravel().tolist() for key in NAME_ARRAYS if key in archive.files), None)
    except _DAMAGE as error:
        raise CommandError(f"{path} cannot be read as a NumPy archive: {error}") from error
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise CommandError(f"array {name!r} of {path} must be rows by columns of numbers; it is {values.dtype} {values.shape}")
    if not values.size:
        raise CommandError(f"array {name!r} of {path} has no rows")
    metrics = list(source.metrics or names or [f"metric_{k + 1}" for k in range(values.shape[1])])
    if len(metrics) != values.shape[1]:
        raise CommandError(f"{len(metrics)} metric names were given for {values.shape[1]} columns")
    _check_names(metrics)
    times = _regular_times(len(values), source, now)
    return [Grid(source.server or path.stem, metrics, times, values.astype(np.float64))]


def read_csv(path: Path, source: Source, now: datetime) -> list[Grid]:
    """The rows of a CSV file with a header; raises CommandError naming the line.

    A column `timestamp` (RFC 3339 or Unix seconds) gives the time where no start is given, `server` the server; every other column is
    a metric, or those that --metrics names. Empty cells are missing values.
    """
    by_server: dict[str, list[tuple[int, list[float]]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or [])
            metrics = _metric_columns(path, columns, source)
            time_column = None if source.start else _time_column(columns)
            for row in reader:
                line = reader.line_num
                if None in row:
                    raise CommandError(f"{path} line {line} has more cells than the header")
                time = _parse_time(row[time_column], path, line) if time_column else 0
                numbers = [_parse_number(row[name], name, path, line) for name in metrics]
                server = source.server or row.get(SERVER_COLUMN) or path.stem
                by_server.setdefault(server, []).append((time, numbers))
    except (OSError, UnicodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read as CSV: {error}") from error
    if not by_server:
        raise CommandError(f"{path} has no rows")
    grids = []
    for server, rows in by_server.items():
        times = np.array([time for time, _ in rows], np.int64) if time_column else _regular_times(len(rows), source, now)
        grids.append(Grid(server, metrics, times, np.array([numbers for _, numbers in rows], np.float64)))
    return grids


def _default_array(path: Path, names: Sequence[str]) -> str:
    candidates = [name for name in names if name not in NAME_ARRAYS]
    if len(candidates) == 1:
        return candidates[0]
    for name in DEFAULT_ARRAYS:
        if name in candidates:
            return name
    if not candidates:
        raise CommandError(f"{path} holds no array of rows")
    raise CommandError(f"{path} holds several arrays; name one of {', '.join(candidates)} with --array")


def _time_column(columns: Sequence[str]) -> str | None:
    return next((name for name in columns if name.lower() in TIME_COLUMNS), None)


def _metric_columns(path: Path, columns: Sequence[str], source: Source) -> list[str]:
    """The columns that are metrics."""
    _check_names(columns)
    metrics = list(source.metrics or [name for name in columns if name not in (_time_column(columns), SERVER_COLUMN)])
    missing = [name for name in metrics if name not in columns]
    if missing or not metrics:
        raise CommandError(f"{path} has no column {', '.join(missing) or 'of numbers'}; it has {', '.join(columns) or 'none'}")
    _check_names(metrics)
    return metrics


def _check_names(names: Sequence[str]) -> None:
    for k, name in enumerate(names):
        if not name.strip():
            raise CommandError(f"column {k + 1} has no name")
        if name in names[:k]:
            raise CommandError(f"two columns are called {name!r}")


def _regular_times(rows: int, source: Source, now: datetime) -> npt.NDArray[np.int64]:
    """A start and a step give every row its time; without a start, the last row is the last whole step before now."""
    step_ms = round(source.step_seconds * 1000)
    if source.start is not None:
        start_ms = round(source.start.timestamp() * 1000)
    else:
        start_ms = math.floor(now.timestamp() * 1000 / step_ms) * step_ms - (rows - 1) * step_ms
    return start_ms + step_ms * np.arange(rows, dtype=np.int64)


def _parse_time(text: str | None, path: Path, line: int) -> int:
    text = text or ""
    try:
        seconds = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
            seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            seconds = math.nan
    if not -_LAST_SECONDS < seconds < _LAST_SECONDS:
        raise CommandError(f"{path} line {line}: {text!r} is no time; write RFC 3339 or Unix seconds")
    return round(seconds * 1000)


def _parse_number(text: str | None, column: str, path: Path, line: int) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise CommandError(
            f"{path} line {line}, column {column}: {text!r} is no number; choose the columns that are with --metrics"
        ) from None
