"""Serves a stream of requests several at a time, and answers them in their order."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

Request = TypeVar("Request")
Response = TypeVar("Response")


async def in_order(
    requests: AsyncIterator[Request], serve: Callable[[Request], Awaitable[Response]], ahead: int
) -> AsyncGenerator[Response, None]:
    """The response to each request, in the order of the requests.

    Args:
        requests: read as they come, while fewer than `ahead` are being served.
        serve: serves one request. What it raises ends the stream after the responses to the requests before.
        ahead: requests served at a time.
    """
    started: asyncio.Queue[asyncio.Future[Response] | None] = asyncio.Queue()
    room = asyncio.Semaphore(ahead)

    async def read() -> None:
        try:
            async for request in requests:
                await room.acquire()
                started.put_nowait(asyncio.ensure_future(serve(request)))
        finally:
            started.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while (serving := await started.get()) is not None:
            response = await serving
            room.release()
            yield response
        await reader
    finally:
        reader.cancel()
        left = []
        while not started.empty():
            if (serving := started.get_nowait()) is not None:
                serving.cancel()
                left.append(serving)
        await asyncio.gather(reader, *left, return_exceptions=True)
