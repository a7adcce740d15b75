"""Loading what packages offer under an entry-point group: our own parts come the way that strangers' do."""

from dataclasses import dataclass
from importlib import metadata
from typing import Any


@dataclass(frozen=True)
class Loaded:
    """A plugin that could be imported."""

    name: str
    value: Any
    distribution: str


@dataclass(frozen=True)
class Failed:
    """A plugin that could not, and why."""

    name: str
    reason: str
    distribution: str


def load(group: str) -> list[Loaded | Failed]:
    """What every installed package offers under `group`, in order of name.

    A plugin that fails to import is reported, not raised; of two with one name the second is refused.
    """
    found: list[Loaded | Failed] = []
    names: dict[str, str] = {}
    for point in sorted(metadata.entry_points(group=group), key=lambda point: (point.name, point.value)):
        distribution = point.dist.name if point.dist is not None else ""
        if point.name in names:
            if names[point.name] != point.value:  # the same one twice is an editable install beside a built one
                found.append(Failed(point.name, f"the name is taken by {names[point.name]}", distribution))
            continue
        names[point.name] = point.value
        try:
            found.append(Loaded(point.name, point.load(), distribution))
        except Exception as error:  # noqa: BLE001  a stranger's module may raise anything while it is imported
            found.append(Failed(point.name, f"{type(error).__name__}: {error}", distribution))
    return found
