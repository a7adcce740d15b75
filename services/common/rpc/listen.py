"""Whether an address can be listened at, told before gRPC tries: its own error names no cause."""

import asyncio
import errno
import os
import socket
import stat
from pathlib import Path

from services.common.errors import RefusedError
from services.common.rpc.address import Address


async def check_tcp(address: Address) -> None:
    """Raise RefusedError when this host and port cannot be bound; ADDRESS_IN_USE when somebody else has it."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)  # with SO_REUSEADDR it is this that fails while another socket listens
    except OSError as error:
        raise refusal(address, error) from error


def prepare_unix(address: Address) -> None:
    """Remove a socket that a process left behind; raise RefusedError when the path is taken or cannot be used."""
    path = Path(address.host)
    if len(os.fsencode(path)) > 100:  # sun_path holds 108 bytes on Linux and 104 on BSD
        raise RefusedError(f"{path} is too long for a unix socket; use a path of at most 100 bytes", reason="ADDRESS_UNUSABLE")
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise RefusedError(f"{path} is a file and no socket; choose another path", reason="ADDRESS_UNUSABLE")
        if _somebody_listens(path):
            raise refusal(address, OSError(errno.EADDRINUSE, "Address already in use"))
        path.unlink()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise RefusedError(f"{path.parent} is no folder; make it first", reason="ADDRESS_UNUSABLE") from None
    except OSError as error:
        raise refusal(address, error) from error


def refusal(address: Address, error: OSError) -> RefusedError:
    """What a person should do when this address cannot be listened at."""
    if error.errno == errno.EADDRINUSE:
        return RefusedError(
            f"{address} is in use by another process; stop it, or choose another address with --listen or OPENMANAGER_LISTEN"
            " (OPENMANAGER_<SERVICE>_LISTEN for a service of its own)",
            reason="ADDRESS_IN_USE",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return RefusedError(
            f"this process may not listen at {address}; choose a port above 1023 or a folder it may write to",
            reason="ADDRESS_FORBIDDEN",
        )
    return RefusedError(f"cannot listen at {address}: {error.strerror or error}", reason="ADDRESS_UNUSABLE")


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # full backlog, no permission: somebody's all the same
        return True
