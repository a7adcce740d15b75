"""Scrape configurations without their passwords."""

from collections.abc import Mapping
from typing import Any, Final

SECRETS: Final = frozenset(("password", "credentials", "bearer_token"))
MASK: Final = "********"
"""Stands for a secret in every answer; sent back in an update, it leaves the secret as it was."""


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with `MASK` for each secret."""
    return {name: MASK if name in SECRETS and value else _masked(value) for name, value in document.items()}


def unmasked(document: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with what is kept where `MASK` stands for it; a mask that stands for nothing is left out."""
    found = {}
    for name, value in document.items():
        if name in SECRETS and value == MASK:
            if name in kept:
                found[name] = kept[name]
        else:
            found[name] = _unmasked(value, kept.get(name))
    return found


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return masked(value)
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _unmasked(value: Any, kept: Any) -> Any:
    if isinstance(value, Mapping):
        return unmasked(value, kept if isinstance(kept, Mapping) else {})
    if isinstance(value, list):
        # Entries of lists have no names: each is compared with the one that was in its place.
        others = kept if isinstance(kept, list) else []
        return [_unmasked(item, others[place] if place < len(others) else None) for place, item in enumerate(value)]
    return value
