"""The admin token that the gateway makes for itself, in a file that its owner alone can read."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.common.errors import RefusedError

TOKEN_BYTES: Final = 32


@dataclass(frozen=True)
class AdminToken:
    """The token, and whether it was made just now."""

    value: str
    is_new: bool


def load_or_create_token(folder: Path) -> AdminToken:
    """The token kept in `folder/admin-token`, made when there is none.

    Blocking; call it in a thread.

    Raises:
        RefusedError: the file cannot be read or written (`ADMIN_TOKEN_UNREADABLE`), or is empty.
    """
    path = folder / "admin-token"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            return AdminToken(_checked(path, path.read_text(encoding="utf-8").strip()), is_new=False)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        _write_durably(path, token)
    except (OSError, UnicodeError) as error:
        message = f"the admin token in {path} cannot be read or written: {error}; check who owns the data folder"
        raise RefusedError(message, reason="ADMIN_TOKEN_UNREADABLE") from error
    return AdminToken(token, is_new=True)


def _checked(path: Path, token: str) -> str:
    if not token:
        message = f"{path} is empty; delete it to have a new admin token made, or set OPENMANAGER_ADMIN_TOKEN"
        raise RefusedError(message, reason="ADMIN_TOKEN_UNREADABLE")
    return token


def _write_durably(path: Path, token: str) -> None:
    """Write beside and rename, so that a crash leaves either no token or a whole one."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
