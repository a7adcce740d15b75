"""The names under which in-process servers are found."""

import asyncio

from services.common.errors import RefusedError
from services.common.rpc.inproc.endpoint import InprocEndpoint


class InprocNetwork:
    """Servers of one process by name. The program that assembles services owns one; two of them know nothing of each other."""

    def __init__(self) -> None:
        self._endpoints: dict[str, InprocEndpoint] = {}
        self._changed = asyncio.Event()

    def register(self, name: str, endpoint: InprocEndpoint) -> None:
        """Make a server reachable.

        Raises:
            RefusedError: with reason ADDRESS_IN_USE when the name is taken.
        """
        if name in self._endpoints:
            raise RefusedError(f"inproc:{name} is taken; give each service its own name", reason="ADDRESS_IN_USE")
        self._endpoints[name] = endpoint
        self._change()

    def unregister(self, name: str) -> None:
        """Take a server off; calls that run go on."""
        if self._endpoints.pop(name, None) is not None:
            self._change()

    def find(self, name: str) -> InprocEndpoint | None:
        """The server of this name, if it is there."""
        return self._endpoints.get(name)

    async def changed(self) -> None:
        """Wait until a server comes or goes."""
        await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
