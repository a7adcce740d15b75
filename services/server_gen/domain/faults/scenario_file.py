"""Scenario files: TOML, checked as a whole, so that everything wrong is told at once."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from services.common.errors import FieldError, InvalidArgumentError, RefusedError
from services.server_gen.domain.faults.entry_fields import EntryFields, Names
from services.server_gen.domain.faults.fault import Fault
from services.server_gen.domain.faults.kinds import KINDS
from services.server_gen.domain.faults.scenario import Absolute, Scenario
from services.server_gen.domain.roster import roster

MAX_ENTRIES: Final = 500
MAX_BYTES: Final = 1 << 20
_LARGEST_FLEET: Final = 10_000
_MOST_TOLD: Final = 50
_CHECKED_DAYS: Final = 62
_CHECKED_SERVERS: Final = 200
_DAY: Final = 86_400.0
_EVER: Final = 1e11
_REFERENCE_EPOCH: Final = 1_767_225_600.0
"""The beginning of 2026: overlaps are looked for around it, where a file does not say a date itself."""


def shipped_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that come with the suite, sorted."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml")))


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario that comes with the suite, by its name, or one in a file of one's own.

    Raises:
        RefusedError: there is no such scenario or file, or it cannot be read (`UNKNOWN_SCENARIO`).
        InvalidArgumentError: it says something wrong (`INVALID_SCENARIO`).
    """
    if name_or_path in shipped_scenarios():
        return parse_scenario((_folder() / f"{name_or_path}.toml").read_text("utf-8"), name_or_path)
    path = Path(name_or_path)
    if path.suffix != ".toml":
        raise RefusedError(
            f"there is no scenario {name_or_path!r}; choose one of {', '.join(shipped_scenarios())}, or the path of a .toml file",
            reason="UNKNOWN_SCENARIO",
        )
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise RefusedError(f"the scenario {name_or_path} cannot be read: {error}", reason="UNKNOWN_SCENARIO") from error
    if len(content) > MAX_BYTES:
        raise InvalidArgumentError(f"{name_or_path} is larger than {MAX_BYTES} bytes", reason="INVALID_SCENARIO")
    try:
        return parse_scenario(content.decode("utf-8"), path.stem)
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"{name_or_path} is not UTF-8: {error}", reason="INVALID_SCENARIO") from error


def parse_scenario(text: str, name: str) -> Scenario:
    """The scenario of a file.

    Args:
        text: TOML; docs/scenarios.md describes it.
        name: of the scenario.

    Raises:
        InvalidArgumentError: with every field that is wrong, by entry number and name (`INVALID_SCENARIO`).
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits is a plain ValueError
        raise InvalidArgumentError(f"the scenario {name} is no TOML: {error}", reason="INVALID_SCENARIO") from error
    wrong = [FieldError(key, "is not a field of a scenario") for key in document if key not in ("title", "fault")]
    title = document.get("title", "")
    if not isinstance(title, str):
        wrong.append(FieldError("title", "must be a text"))
    tables = document.get("fault", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        wrong.append(FieldError("fault", "must be a list of tables, each headed [[fault]]"))
        tables = []
    if len(tables) > MAX_ENTRIES:
        wrong.append(FieldError("fault", f"has {len(tables)} entries; at most {MAX_ENTRIES} are allowed"))
        tables = []
    entries = []
    for number, table in enumerate(tables, 1):
        fields = EntryFields(number, table, kinds=tuple(KINDS), names=_names)
        entry = fields.entry()
        wrong += fields.wrong
        if entry is not None:
            entries.append(entry)
    scenario = Scenario(name, title if isinstance(title, str) else "", tuple(entries))
    if not wrong:
        wrong += _overlaps(scenario)
    if wrong:
        told = [f"{error.field}: {error.message}" for error in wrong[:_MOST_TOLD]]
        more = [f"and {len(wrong) - _MOST_TOLD} more"] if len(wrong) > _MOST_TOLD else []
        raise InvalidArgumentError(
            f"the scenario {name} is wrong: " + "; ".join([*told, *more]), reason="INVALID_SCENARIO", fields=wrong[:_MOST_TOLD]
        )
    return scenario


def _overlaps(scenario: Scenario) -> list[FieldError]:
    """Faults of one kind that would be on the same server at the same time.

    Looked for in a fleet of 200, around a reference epoch, and among the dates of the file. Dates that only meet the days
    of one fleet's epoch are left to `Scenario.faults`.
    """
    dated = Scenario(scenario.name, entries=tuple(entry for entry in scenario.entries if isinstance(entry.when, Absolute)))
    others = Scenario(scenario.name, entries=tuple(entry for entry in scenario.entries if not isinstance(entry.when, Absolute)))
    half = _CHECKED_DAYS / 2 * _DAY
    return [
        *_overlapping(dated.planned(_REFERENCE_EPOCH, roster(_CHECKED_SERVERS), -_EVER, _EVER)),
        *_overlapping(others.planned(_REFERENCE_EPOCH, roster(_CHECKED_SERVERS), _REFERENCE_EPOCH - half, _REFERENCE_EPOCH + half)),
    ]


def _overlapping(faults: Iterable[tuple[int, Fault]]) -> list[FieldError]:
    latest: dict[tuple[str, str], tuple[int, Fault]] = {}
    found: dict[tuple[int, int], FieldError] = {}
    for number, fault in faults:
        key = (fault.kind, fault.server)
        earlier = latest.get(key)
        if earlier is not None and fault.start < earlier[1].end:
            which = "itself" if earlier[0] == number else f"fault[{earlier[0]}]"
            message = f"overlaps {which}: {fault.kind} on {fault.server} is not over when it begins again"
            found.setdefault((earlier[0], number), FieldError(f"fault[{number}].duration", message))
        if earlier is None or fault.end > earlier[1].end:
            latest[key] = (number, fault)
    return list(found.values())


@cache
def _names() -> Names:
    largest = roster(_LARGEST_FLEET)
    return Names(
        server=frozenset(server.hostname for server in largest),
        role=frozenset(server.role.name for server in largest),
        site=frozenset(server.site.name for server in largest),
    )


def _folder() -> Traversable:
    return files("services.server_gen") / "scenarios"
