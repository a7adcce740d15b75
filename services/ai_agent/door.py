"""The socket of the HTTP door: opened at the start, closed at the stop."""

from aiohttp import web

from services.common.errors import InvalidArgumentError
from services.common.rpc.address import Transport, parse_address
from services.common.rpc.listen import refusal

STOP_SECONDS = 5.0


class HttpDoor:
    """Serves an aiohttp application at `host:port`."""

    def __init__(self, app: web.Application, listen: str) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        self._listen = listen

    async def start(self) -> None:
        """Listen.

        Raises:
            InvalidArgumentError: the address is not `host:port`.
            RefusedError: it cannot be listened at; `ADDRESS_IN_USE` when somebody else has it.
        """
        address = parse_address(self._listen)
        if address.transport is not Transport.TCP:
            raise InvalidArgumentError(f"{self._listen!r} is no address for HTTP; write host:port", reason="INVALID_ADDRESS")
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, address.host, address.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise refusal(address, error) from error

    @property
    def port(self) -> int:
        """Where it listens, also when port 0 let the system choose."""
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and let requests in flight end."""
        await self._runner.cleanup()
