"""Channels: the places that notifications go to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MASK: Final = "********"
"""Stands for a secret in every answer; sent back in an update, it leaves the secret as it was."""

CHANNEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Channel:
    """One channel. `config` is what its kind understands, secrets in the clear; it never leaves the service so."""

    name: str
    kind: str
    config: Mapping[str, Any]
    created_at: float
