"""Looks at the files of a stopped store, and saves what can be saved from damaged ones."""

import os
import shutil
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.common.ids import IdSource, new_id
from services.metrics.adapters.embedded import catalog, journal
from services.metrics.adapters.embedded.block import BadBlockError, checksum, decode
from services.metrics.adapters.embedded.catalog import Catalog
from services.metrics.adapters.embedded.database import open_reader, transaction
from services.metrics.adapters.embedded.journal import Journal, frame_crc, sound_layouts, unpack_checked
from services.metrics.domain.ports import IdArray

_MAX_PROBLEMS: Final = 20
_ID_GAP: Final = 2**20
"""Ids left out after a repair, in case the newest series were among what was lost: an id must never mean two series."""

_LATER_TABLES: Final = frozenset({"layout", "frame"})
"""Tables that files of earlier versions do not have."""
_BLOCK_COLUMNS: Final = 9
"""Of a block's row; those of the first version had one less."""

Row = tuple[Any, ...]


@dataclass(frozen=True)
class FileReport:
    """One file: what is wrong with it (nothing, if it is sound) and how many good and bad rows it has."""

    path: Path
    problems: tuple[str, ...]
    good_rows: int = 0
    bad_rows: int = 0
    moved_to: Path | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True)
class Report:
    """The files of a store; `sound` when nothing is wrong with any."""

    files: tuple[FileReport, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return all(file.sound for file in self.files)


def check(folder: Path) -> Report:
    """Look at every page, block and journal row. Changes nothing; a store that was never started is sound."""
    blocks = _check_file(folder / catalog.FILE_NAME, {"block": _good_block})
    layouts = _layouts(folder / journal.FILE_NAME)
    sealed = _sealed_through(blocks)
    tables = {"batch": lambda row: _good_batch(row, layouts), "frame": lambda row: _good_frame(row, layouts, sealed)}
    batches = _check_file(folder / journal.FILE_NAME, tables)
    owners = [_meta(file.path, "store_id") for file in (blocks, batches) if file.sound and file.path.exists()]
    if batches.path.exists() and (len(set(owners) - {None}) > 1 or not blocks.path.exists()):
        problem = f"belongs to another store than {blocks.path.name}"
        batches = FileReport(batches.path, (*batches.problems, problem), batches.good_rows, batches.bad_rows)
    return Report((blocks, batches))


def repair(folder: Path, *, now: float, id_source: IdSource = new_id) -> Report:
    """Move each damaged file aside as `<name>.corrupt-<time>` and make a new one of the rows that are readable.

    Args:
        folder: folder of the store, which must be stopped.
        now: Unix time in seconds, for the name.
        id_source: gives the id of a store that has to begin anew.

    Returns:
        What was found, with `good_rows` saved and `bad_rows` lost, and where the damaged files are now.
    """
    blocks, batches = check(folder).files
    suffix = time.strftime(".corrupt-%Y%m%dT%H%M%SZ", time.gmtime(now))
    if not blocks.sound:
        owner = _meta(batches.path, "store_id") if batches.path.exists() else None
        blocks = _rebuild(blocks, suffix, lambda aside, place: _save_catalog(aside, place, owner or id_source()))
    store_id = _meta(blocks.path, "store_id") if blocks.path.exists() else None
    known = store_id is not None and _count(blocks.path, "series") > 0
    if not known and batches.path.exists() and batches.good_rows + batches.bad_rows:
        problem = "its series are lost, so nobody can say whose samples it holds"
        moved = _move_aside(batches.path, suffix)
        batches = FileReport(batches.path, (*batches.problems, problem), 0, batches.good_rows + batches.bad_rows, moved)
    elif not batches.sound and batches.path.exists():
        sealed = _sealed_through(blocks)
        belongs = _meta(batches.path, "store_id") in (None, store_id)
        batches = _rebuild(
            batches, suffix, lambda aside, place: _save_journal(aside if belongs else None, place, str(store_id), sealed)
        )
    return Report((blocks, batches))


def _check_file(path: Path, tables: Mapping[str, Callable[[Row], bool]]) -> FileReport:
    if not path.exists():
        return FileReport(path, ())
    problems: list[str] = []
    sound, bad = 0, 0
    try:
        connection = open_reader(path)
        try:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MAX_PROBLEMS})")]
            problems += [] if found == ["ok"] else found
            for table, good in tables.items():
                for row in _salvage(connection, table, problems):
                    if good(row):
                        sound += 1
                    else:
                        bad += 1
                        if bad <= _MAX_PROBLEMS:
                            problems.append(f"{table} {row[0]} does not fit its checksum")
        finally:
            connection.close()
    except sqlite3.Error as error:
        problems.append(str(error))
    return FileReport(path, tuple(dict.fromkeys(problems)), sound, bad)


def _good_block(row: Row) -> bool:
    crc, data = row[6:8]
    if checksum(data) != crc:
        return False
    try:
        decode(data)
    except BadBlockError:
        return False
    return True


def _good_batch(row: Row, layouts: Mapping[int, IdArray]) -> bool:
    return unpack_checked(row[1], zlib.crc32(row[2]), row[2], layouts) is not None


def _good_frame(row: Row, layouts: Mapping[int, IdArray], sealed_through: int) -> bool:
    _, number, crc, data = row
    if number <= sealed_through:  # waits to be written over; its layout may be gone
        return frame_crc(number, data) == int(crc)
    return unpack_checked(crc, frame_crc(number, data), data, layouts) is not None


def _sealed_through(blocks: FileReport) -> int:
    return int(_meta(blocks.path, "sealed_through") or 0) if blocks.path.exists() else 0


def _layouts(path: Path) -> dict[int, IdArray]:
    """The layouts that can be read; a copy of each is enough."""
    if not path.exists():
        return {}
    return sound_layouts((row[1], row[-2], row[-1]) for row in _stream(path, "layout"))


def _salvage(connection: sqlite3.Connection, table: str, problems: list[str]) -> Iterator[Row]:
    """Rows that can be read: from the front until a damaged page, then from the back."""
    last = None
    if table in _LATER_TABLES and not _has_table(connection, table):
        return
    key = {
        "series": "id",
        "block": "id",
        "span": "group_id",
        "batch": "number",
        "frame": "place",
        "layout": "rowid",
        "meta": "key",
    }[table]
    columns = "rowid, *" if key == "rowid" else "*"
    try:
        for row in connection.execute(f"SELECT {columns} FROM {table} ORDER BY {key}"):  # noqa: S608
            last = row[0]
            yield row
    except sqlite3.DatabaseError as error:
        problems.append(f"{table}: {error}")
        try:
            for row in connection.execute(f"SELECT {columns} FROM {table} ORDER BY {key} DESC"):  # noqa: S608
                if last is not None and row[0] <= last:
                    return
                yield row
        except sqlite3.DatabaseError:
            return


def _has_table(connection: sqlite3.Connection, table: str) -> bool:
    try:
        return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def _rebuild(report: FileReport, suffix: str, save: Callable[[Path, Path], tuple[int, int]]) -> FileReport:
    """Make the file anew beside the old one; only a complete one takes the place."""
    aside = _move_aside(report.path, suffix)
    place = report.path.parent / f"{report.path.name}.rebuilding"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    good, bad = save(aside, place)
    os.replace(place / report.path.name, report.path)
    shutil.rmtree(place)
    return FileReport(report.path, report.problems, good, bad, aside)


def _move_aside(path: Path, suffix: str) -> Path:
    aside = path.with_name(path.name + suffix)
    for tail in ("-wal", "-shm", ""):  # the log keeps its file's name, so that it is read with it
        if path.with_name(path.name + tail).exists():
            os.replace(path.with_name(path.name + tail), aside.with_name(aside.name + tail))
    return aside


def _save_catalog(aside: Path, place: Path, store_id: str) -> tuple[int, int]:
    """Copy what is readable; gives the number of blocks saved and known to be lost."""
    rows: dict[str, list[Row]] = {table: _readable(aside, table) for table in ("meta", "series", "span")}
    meta = {str(key): str(value) for key, value in rows["meta"]}
    made = Catalog(place, meta.get("store_id", store_id) if rows["series"] else store_id)
    good = bad = 0
    try:
        if not rows["series"]:
            return 0, 0
        next_series = max([int(meta.get("next_series", 1)), *(row[0] + 1 for row in rows["series"])]) + _ID_GAP
        next_group = max([int(meta.get("next_group", 1)), *(row[1] + 1 for row in rows["series"])]) + _ID_GAP
        kept = {**meta, "store_id": made.store_id, "next_series": str(next_series), "next_group": str(next_group)}
        connection = made.connection
        with transaction(connection):
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", kept.items())
            connection.executemany("INSERT OR IGNORE INTO series VALUES (?, ?, ?)", rows["series"])
            spans = rows["span"] if "schema" in meta else [(group, zlib.compress(columns, 1)) for group, columns in rows["span"]]
            connection.executemany("INSERT OR IGNORE INTO span VALUES (?, ?)", spans)
        with transaction(connection):
            for row in _stream(aside, "block"):
                if _good_block(row):
                    connection.execute("INSERT OR IGNORE INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, 0)[:_BLOCK_COLUMNS])
                    good += 1
                else:
                    bad += 1
    finally:
        made.close()
    return good, bad


def _save_journal(aside: Path | None, place: Path, store_id: str, sealed_through: int) -> tuple[int, int]:
    made = Journal(place)
    layouts = _layouts(aside) if aside is not None else {}
    good = bad = 0
    try:
        made.bind(store_id)
        with transaction(made.connection):
            for name, ids in layouts.items():
                made.add_layout(name, ids)
            for row in _stream(aside, "batch") if aside is not None else ():
                if _good_batch(row, layouts):
                    made.connection.execute("INSERT OR IGNORE INTO batch VALUES (?, ?, ?)", row)
                    good += 1
                else:
                    bad += 1
            for row in _stream(aside, "frame") if aside is not None else ():
                if _good_frame(row, layouts, sealed_through):
                    made.connection.execute("INSERT OR IGNORE INTO frame VALUES (?, ?, ?, ?)", row)
                    good += 1
                else:
                    bad += 1
    finally:
        made.close()
    return good, bad


def _readable(path: Path, table: str) -> list[Row]:
    return list(_stream(path, table))


def _stream(path: Path, table: str) -> Iterator[Row]:
    try:
        connection = open_reader(path)
    except sqlite3.Error:
        return
    try:
        yield from _salvage(connection, table, [])
    finally:
        connection.close()


def _meta(path: Path, key: str) -> str | None:
    return next((str(row[1]) for row in _stream(path, "meta") if row[0] == key), None)


def _count(path: Path, table: str) -> int:
    return sum(1 for _ in _stream(path, table))
