"""YAML and JSON of operators, read without trusting them."""

from collections.abc import Hashable
from typing import Any, Final

import yaml

from services.common.errors import InvalidArgumentError

MAX_BYTES: Final = 16 * 2**20
_MAX_NODES: Final = 2_000_000
"""Values of a document, those that an alias repeats counted each time: a few lines of aliases can stand for billions."""


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # one or the other
    """Plain values only, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{name[:60]!r} is there twice", key.start_mark)
            seen.add(name)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found


def load_yaml(text: str | bytes) -> Any:
    """The document, of which JSON is one kind.

    Raises:
        InvalidArgumentError: it is none, or too large (`INVALID_YAML`).
    """
    if len(text) > MAX_BYTES:
        raise _refused(f"larger than {MAX_BYTES // 2**20} MiB")
    try:
        document = yaml.load(text, _Loader)  # noqa: S506  the loader is a safe one
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise _refused(f"{place}{error.problem or error.context or 'not YAML'}") from None
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeError) as error:
        raise _refused(str(error).split("\n", maxsplit=1)[0] or type(error).__name__) from None
    _count(document)
    return document


def _count(document: Any) -> None:
    left, nodes = [document], 0
    while left:
        value = left.pop()
        nodes += 1
        if nodes > _MAX_NODES:
            raise _refused(f"more than {_MAX_NODES:,} values once its aliases are written out")
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _refused(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"the YAML cannot be read: {why}", reason="INVALID_YAML")
