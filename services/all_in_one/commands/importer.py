"""`openmanager import`: rows from a file into the store, with their own times."""

import csv
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.all_in_one.commands.client import CommandError, GatewayClient

SAMPLES_PER_REQUEST = 100_000
TIME_COLUMNS = ("timestamp", "time", "ts", "date")
DEFAULT_ARRAYS = ("test", "values", "data")
NAME_ARRAYS = ("metrics", "columns", "names")


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


@dataclass(frozen=True)
class Source:
    """What the flags say about a file: each None is read from the file or given its default."""

    server: str | None = None
    metrics: Sequence[str] | None = None
    start: datetime | None = None
    step_seconds: float = 60.0
    array: str | None = None


@dataclass
class Receipt:
    """What became of the samples of a whole import."""

    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    late: int = 0

    def add(self, answer: dict[str, Any]) -> None:
        """Count one request's receipt."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + int(answer.get(name, 0)))


def read_npz(path: Path, source: Source, now: datetime) -> list[Grid]:
    """The rows of a 2-D array of a NumPy archive; raises CommandError."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            name = source.array or _default_array(path, archive.files)
            if name not in archive.files:
                raise CommandError(f"{path} has no array {name!r}; it has {', '.join(archive.files)}")
            values = np.asarray(archive[name])
            names = next((archive[key].astype(str).tolist() for key in NAME_ARRAYS if key in archive.files), None)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise CommandError(f"{path} cannot be read as a NumPy archive: {error}") from error
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise CommandError(f"array {name!r} of {path} must be rows by columns of numbers; it is {values.dtype} {values.shape}")
    metrics = list(source.metrics or names or [f"metric_{k + 1}" for k in range(values.shape[1])])
    if len(metrics) != values.shape[1]:
        raise CommandError(f"{len(metrics)} metric names were given for {values.shape[1]} columns")
    times = _regular_times(len(values), source, now)
    return [Grid(source.server or path.stem, metrics, times, values.astype(np.float64))]


def read_csv(path: Path, source: Source, now: datetime) -> list[Grid]:
    """The rows of a CSV file with a header; raises CommandError naming the line.

    A column `timestamp` (RFC 3339 or Unix seconds) gives the time, `server` the server; every other column is a metric, or those
    that --metrics names. Empty cells are missing values.
    """
    by_server: dict[str, list[tuple[int, list[float]]]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            time_column = next((name for name in columns if name.lower() in TIME_COLUMNS), None)
            metrics = list(source.metrics or [name for name in columns if name not in (time_column, "server")])
            missing = [name for name in metrics if name not in columns]
            if missing or not metrics:
                raise CommandError(
                    f"{path} has no column {', '.join(missing) or 'of numbers'}; it has {', '.join(columns) or 'none'}"
                )
            for row in reader:
                line = reader.line_num
                time = _parse_time(row[time_column], path, line) if time_column else 0
                numbers = [_parse_number(row[name], name, path, line) for name in metrics]
                server = source.server or row.get("server") or path.stem
                by_server.setdefault(server, []).append((time, numbers))
    except (OSError, UnicodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read as CSV: {error}") from error
    grids = []
    for server, rows in by_server.items():
        times = np.array([time for time, _ in rows], np.int64) if time_column else _regular_times(len(rows), source, now)
        grids.append(Grid(server, metrics, times, np.array([numbers for _, numbers in rows], np.float64)))
    if not grids:
        raise CommandError(f"{path} has no rows")
    return grids


async def send(client: GatewayClient, grids: Sequence[Grid], progress: Progress | None = None) -> Receipt:
    """Store the rows, showing progress; returns once every sample is durable or refused."""
    receipt = Receipt()
    total = sum(int(np.isfinite(grid.values).sum()) for grid in grids)
    task = progress.add_task("importing", total=total) if progress else None
    for body, samples in _requests(grids):
        receipt.add(await client.post_bytes("/api/v1/import", body, "application/x-ndjson"))
        if progress and task is not None:
            progress.advance(task, samples)
    return receipt


def progress_bar() -> Progress:
    """The bar that an import shows."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("samples"), TimeRemainingColumn()
    )


def _requests(grids: Sequence[Grid]) -> Iterator[tuple[bytes, int]]:
    """Bodies of at most SAMPLES_PER_REQUEST samples: one JSON line for each stretch of a series."""
    lines: list[bytes] = []
    held = 0
    for grid in grids:
        for k, metric in enumerate(grid.metrics):
            present = np.isfinite(grid.values[:, k])
            times, values = grid.timestamps_ms[present], np.ascontiguousarray(grid.values[present, k])
            labels = {"__name__": metric, "server": grid.server}
            at = 0
            while at < len(times):
                take = min(len(times) - at, SAMPLES_PER_REQUEST - held)
                line = {"metric": labels, "timestamps": times[at : at + take], "values": values[at : at + take]}
                lines.append(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY))
                held += take
                at += take
                if held == SAMPLES_PER_REQUEST:
                    yield b"\n".join(lines), held
                    lines, held = [], 0
    if lines:
        yield b"\n".join(lines), held


def _default_array(path: Path, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    for name in DEFAULT_ARRAYS:
        if name in names:
            return name
    raise CommandError(f"{path} holds several arrays; name one of {', '.join(names)} with --array")


def _regular_times(rows: int, source: Source, now: datetime) -> npt.NDArray[np.int64]:
    """A start and a step give every row its time; without a start, the last row is the last whole step before now."""
    step_ms = round(source.step_seconds * 1000)
    if source.start is not None:
        start_ms = round(source.start.timestamp() * 1000)
    else:
        start_ms = math.floor(now.timestamp() * 1000 / step_ms) * step_ms - (rows - 1) * step_ms
    return start_ms + step_ms * np.arange(rows, dtype=np.int64)


def _parse_time(text: str | None, path: Path, line: int) -> int:
    try:
        return round(float(text or "") * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        raise CommandError(f"{path} line {line}: {text!r} is no time; write RFC 3339 or Unix seconds") from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _parse_number(text: str | None, column: str, path: Path, line: int) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{path} line {line}, column {column}: {text!r} is no number") from None
