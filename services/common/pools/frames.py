"""How a pool and its worker processes talk: frames of a length (8 bytes, little-endian), an identifier and a pickle.

Both ends are this very program over a private pipe, which is what makes pickle acceptable here.
"""

import pickle
import struct
from typing import Any, BinaryIO, Final

HEADER: Final = struct.Struct("<QQ")
"""Length of the pickle, identifier of the task."""


def frame(task: int, content: object) -> bytes:
    """One message."""
    body = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body), task) + body


def content_of(body: bytes) -> Any:
    """What a frame holds."""
    return pickle.loads(body)  # noqa: S301  from our own worker over a private pipe


def read_frame(stream: BinaryIO) -> tuple[int, bytes] | None:
    """The next (task, pickle) of a blocking stream; None at its end."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    size, task = HEADER.unpack(header)
    body = stream.read(size)
    return (task, body) if len(body) == size else None
