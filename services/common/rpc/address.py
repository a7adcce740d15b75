"""Where a service listens: `host:port`, `unix:path` or `inproc:name`."""

import enum
from dataclasses import dataclass

from services.common.errors import InvalidArgumentError


class Transport(enum.StrEnum):
    """How bytes get from one service to another."""

    TCP = "tcp"
    UNIX = "unix"
    INPROC = "inproc"


@dataclass(frozen=True)
class Address:
    """One place to listen at or to call.

    `host` holds the host of TCP, the path of a unix socket or the name of an in-process server; `port` is 0 but for TCP.
    """

    transport: Transport
    host: str
    port: int = 0

    def __str__(self) -> str:
        if self.transport is Transport.TCP:
            return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"{self.transport}:{self.host}"


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        InvalidArgumentError: with reason INVALID_ADDRESS when it is none of the three forms.
    """
    for transport in (Transport.UNIX, Transport.INPROC):
        prefix = f"{transport}:"
        if text.startswith(prefix) and len(text) > len(prefix):
            return Address(transport, text[len(prefix) :])
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise InvalidArgumentError(f"{text!r} is no address; write host:port, unix:path or inproc:name", reason="INVALID_ADDRESS")
    return Address(Transport.TCP, host, int(port))
