"""The channels that a process has opened to its peers, closed together."""

import asyncio
from collections.abc import Callable

import grpc.aio

from services.common.service import Connect


class Channels:
    """Opens channels and closes them all at the end.

    Register `close` before the first service starts: stops run last in, first out, so every service ends its own calls first.
    """

    def __init__(self) -> None:
        self._open: list[grpc.aio.Channel] = []

    def connector(self, connect: Callable[[str], grpc.aio.Channel]) -> Connect:
        """The same `connect`, whose channels are closed here."""

        def to_peer(name: str) -> grpc.aio.Channel:
            channel = connect(name)
            self._open.append(channel)
            return channel

        return to_peer

    async def close(self) -> None:
        """Close every channel."""
        channels, self._open = self._open, []
        await asyncio.gather(*(channel.close() for channel in channels))
