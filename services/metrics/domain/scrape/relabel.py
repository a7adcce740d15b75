"""Rules that change, keep or drop labels, with the actions and the meaning that Prometheus's relabelling has.

Regular expressions run on RE2 and match whole values.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.metrics.domain.matching import Pattern, compile_pattern

LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
DEFAULT_REGEX: Final = "(.*)"


class Action(StrEnum):
    """What a rule does."""

    REPLACE = "replace"
    KEEP = "keep"
    DROP = "drop"
    KEEPEQUAL = "keepequal"
    DROPEQUAL = "dropequal"
    HASHMOD = "hashmod"
    LOWERCASE = "lowercase"
    UPPERCASE = "uppercase"
    LABELMAP = "labelmap"
    LABELDROP = "labeldrop"
    LABELKEEP = "labelkeep"


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        action: what it does.
        source_labels: whose values, joined with `separator`, it looks at.
        separator: between them.
        regex: what the joined value, or the name of a label, must match.
        target_label: what it sets; for `replace` it may refer to groups of the match.
        replacement: the new value, `$1` and `${name}` standing for groups of the match.
        modulus: of `hashmod`.
    """

    action: Action = Action.REPLACE
    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = DEFAULT_REGEX
    target_label: str = ""
    replacement: str = "$1"
    modulus: int = 0


def relabel(labels: dict[str, str], rules: Sequence[Rule]) -> dict[str, str] | None:
    """The labels after all rules, without empty ones; None when a rule drops them.

    Args:
        labels: by name; changed in place.
        rules: in order.
    """
    for rule in rules:
        if not _apply(labels, rule):
            return None
    return {name: value for name, value in labels.items() if value}


def _apply(labels: dict[str, str], rule: Rule) -> bool:
    """Apply one rule; gives whether the labels stay."""
    value = rule.separator.join([labels.get(name, "") for name in rule.source_labels])
    pattern = compile_pattern(rule.regex)
    match rule.action:
        case Action.KEEP:
            return pattern.fullmatch(value) is not None
        case Action.DROP:
            return pattern.fullmatch(value) is None
        case Action.KEEPEQUAL:
            return labels.get(rule.target_label, "") == value
        case Action.DROPEQUAL:
            return labels.get(rule.target_label, "") != value
        case Action.REPLACE:
            _replace(labels, rule, pattern, value)
        case Action.HASHMOD:
            # The last eight bytes of the MD5, as Prometheus takes them: shards agree with those of its servers.
            digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
            labels[rule.target_label] = str(int.from_bytes(digest[8:], "big") % rule.modulus)
        case Action.LOWERCASE:
            labels[rule.target_label] = value.lower()
        case Action.UPPERCASE:
            labels[rule.target_label] = value.upper()
        case Action.LABELMAP:
            for name, mapped in list(labels.items()):
                if (found := pattern.fullmatch(name)) is not None:
                    labels[_expanded(rule.replacement, found)] = mapped
        case Action.LABELDROP:
            for name in [name for name in labels if pattern.fullmatch(name) is not None]:
                del labels[name]
        case Action.LABELKEEP:
            for name in [name for name in labels if pattern.fullmatch(name) is None]:
                del labels[name]
    return True


def _replace(labels: dict[str, str], rule: Rule, pattern: Pattern, value: str) -> None:
    found = pattern.fullmatch(value)
    if found is None:
        return
    target = _expanded(rule.target_label, found)
    if not LABEL_NAME.fullmatch(target):
        return
    replaced = _expanded(rule.replacement, found)
    if replaced:
        labels[target] = replaced
    else:
        labels.pop(target, None)


def _expanded(template: str, found: Pattern) -> str:
    """The template with its groups; a group that there is not, or that did not take part, is empty."""
    if "$" not in template:
        return template

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return found.group(int(name) if name.isdecimal() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(group, template)
