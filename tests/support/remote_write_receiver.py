"""A receiver of remote write on loopback that keeps what it took and answers as it is told."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import cramjam
from aiohttp import web

from tests.support.remote_write import WriteRequest
from tests.support.waiting import until

Sample = tuple[tuple[tuple[str, str], ...], int, int]
"""Labels, Unix ms, and the bits of the value."""


@dataclass(frozen=True)
class Answer:
    """What to say to a request."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)


async def _take(_samples: list[Sample]) -> Answer:
    return Answer()


@dataclass
class RemoteWriteReceiver:
    """Listens from `start` to `stop`, always at the same port."""

    answer: Callable[[list[Sample]], Awaitable[Answer]] = _take
    port: int = 0
    taken: list[Sample] = field(default_factory=list)
    requests: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    async def start(self) -> None:
        """Begin to listen."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/api/v1/write", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        self.port = server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until_taken(self, number: int) -> list[Sample]:
        """Everything that was taken, once it is so many samples."""

        async def enough() -> bool:
            return len(self.taken) >= number

        await until(enough, every=0.01)
        return self.taken

    async def until_asked(self, number: int) -> None:
        """Wait until so many requests have come."""

        async def enough() -> bool:
            return self.requests >= number

        await until(enough, every=0.01)

    async def _handle(self, request: web.Request) -> web.Response:
        message = WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(await request.read())))
        samples = [
            (
                tuple((label.name, label.value) for label in series.labels),
                sample.timestamp,
                struct.unpack("<q", struct.pack("<d", sample.value))[0],
            )
            for series in message.timeseries
            for sample in series.samples
        ]
        self.requests += 1
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await self.answer(samples)
        if 200 <= answer.status < 300:
            self.taken.extend(samples)
        return web.Response(status=answer.status, headers=answer.headers, text="as the test wants it")
