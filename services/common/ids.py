"""Identifiers as a dependency."""

import secrets
import time
from collections.abc import Callable

IdSource = Callable[[], str]
"""Returns a new identifier at each call."""


def new_id() -> str:
    """A new identifier of 26 hexadecimal digits that sorts by the time it was made."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"
