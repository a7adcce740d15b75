"""The live stream."""

import contextlib
from typing import Final

from aiohttp import web

from services.common.errors import InvalidArgumentError, ResourceExhaustedError
from services.gateway.domain.hub import HEARTBEAT_TOPIC, Hub, TooManyReadersError
from services.gateway.web.body import read_query
from services.gateway.web.schemas.metrics import StreamQuery
from services.gateway.web.sse import EventStream

TOPICS: Final = frozenset(("metrics", "alerts"))


class StreamHandlers:
    """`GET /api/v1/stream`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Follow topics until the client leaves, the gateway stops, or the client turns out too slow (`lagged`)."""
        topics = {topic.strip() for topic in read_query(request, StreamQuery).topics.split(",")} - {""}
        unknown = sorted(topics - TOPICS)
        if unknown or not topics:
            named = f"no topic is called {', '.join(unknown)[:100]}" if unknown else "topics is empty"
            raise InvalidArgumentError(f"{named}; there are {', '.join(sorted(TOPICS))}", reason="UNKNOWN_TOPIC")
        try:
            subscription = self._hub.subscribe(topics, request.headers.get("Last-Event-ID", ""))
        except TooManyReadersError:
            message = "too many live streams are open; close some, or raise OPENMANAGER_GATEWAY_MAX_STREAM_CLIENTS"
            raise ResourceExhaustedError(message, reason="TOO_MANY_STREAMS", retry_after_seconds=10.0) from None
        with contextlib.ExitStack() as stack:
            stack.callback(self._hub.unsubscribe, subscription)
            async with EventStream(request) as events:
                while event := await subscription.next():
                    if event.topic == HEARTBEAT_TOPIC:
                        await events.comment()
                    else:
                        await events.send(event.topic, event.data, event.id)
        return events.response
