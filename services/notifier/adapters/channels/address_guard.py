"""Keeps channels away from addresses that are nobody's business outside: this host, the private network, cloud metadata.

The check is on the addresses that the connection will use, at the moment they are resolved, so a name that pointed outside when
the channel was made cannot lead inside later (DNS rebinding).
"""

import ipaddress
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

# Ranges that carry an IPv4 address inside an IPv6 one (RFC 6052); ipaddress itself knows mapped, 6to4 and Teredo addresses.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")


class BlockedAddressError(OSError):
    """The address may not be connected to."""


def is_public(address: str) -> bool:
    """Whether the IP address is one of the public internet, also when it hides in another."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64_LOCAL:
            return False
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def refuse_private(host: str, address: str) -> None:
    """Raises BlockedAddressError unless the address is public."""
    if not is_public(address):
        where = host if host == address else f"{host} ({address})"
        raise BlockedAddressError(f"{where} is not a public address; set allow_private to send there")


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses those of which any address is not public.

    It is not asked about hosts that are IP addresses already; check those with `refuse_private`.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """The addresses of the host; raises BlockedAddressError when one of them is not public."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            refuse_private(host, result["host"])
        return found

    async def close(self) -> None:
        """Lets go of the inner resolver."""
        await self._inner.close()
