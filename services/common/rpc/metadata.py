"""What every call carries beside its message."""

import re
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Final

import grpc.aio

Pairs = tuple[tuple[str, str | bytes], ...]
"""Metadata as gRPC carries it: keys in lower case, bytes under keys that end in `-bin`, text under all others."""

REQUEST_ID_KEY: Final = "x-request-id"
CALLER_KEY: Final = "x-openmanager-caller"
AUTHORIZATION_KEY: Final = "authorization"

caller_var: ContextVar[str] = ContextVar("caller", default="")
"""Name that the caller of the RPC being served gave itself; proven only when the services share a token."""

_TOKEN = re.compile(r"[!-~]{1,128}")


def is_token(value: str) -> bool:
    """Whether the value may travel as a request id or a caller's name: up to 128 visible ASCII characters."""
    return _TOKEN.fullmatch(value) is not None


def to_pairs(metadata: grpc.aio.Metadata | Sequence[tuple[str, str | bytes]] | None) -> Pairs:
    """The metadata as plain pairs, in order."""
    return tuple((key, value) for key, value in metadata) if metadata else ()


def first_text(metadata: Iterable[Any] | None, key: str) -> str:
    """The first value of a text key; empty when there is none."""
    for name, value in metadata or ():
        if name == key:
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return ""
