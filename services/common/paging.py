"""Pages of lists: sizes within bounds, and tokens that hold where the last page ended."""

import base64
from typing import Any, Final

import orjson

from services.common.errors import FieldError, InvalidArgumentError

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000


def page_size(asked: int) -> int:
    """How many rows a page has: 100 when not asked, at most 1000."""
    return min(asked, MAX_PAGE_SIZE) if asked else DEFAULT_PAGE_SIZE


def write_token(kind: str, *position: str | float) -> str:
    """A token for the list `kind` that continues after this position."""
    return base64.urlsafe_b64encode(orjson.dumps([kind, *position])).decode().rstrip("=")


def read_token(token: str, kind: str, *types: type) -> list[Any] | None:
    """The position that a token of this list holds, its parts of these types; None for an empty token.

    Raises:
        InvalidArgumentError: it is no token, or one of another list.
    """
    if not token:
        return None
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        found_kind, *position = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        raise _bad_token() from None
    if found_kind != kind or len(position) != len(types):
        raise _bad_token()
    if not all(type(part) is kind_of for part, kind_of in zip(position, types, strict=True)):
        raise _bad_token()
    return list(position)


def _bad_token() -> InvalidArgumentError:
    message = "is not one that this list gave; begin again without it"
    return InvalidArgumentError(f"page_token {message}", reason="INVALID_PAGE_TOKEN", fields=[FieldError("page_token", message)])
