"""The two upstream streams behind the live stream: one subscription each, shared by every reader."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import numpy as np
import orjson
import structlog

from openmanager.metrics.v1 import metrics_pb2, metrics_pb2_grpc
from openmanager.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from services.common.clock import Clock
from services.common.errors import DeadlineExceededError, OpenManagerError
from services.gateway.adapters.alert_document import alert_document
from services.gateway.adapters.calls import stream
from services.gateway.domain.hub import Hub
from services.gateway.domain.live import FIGURES, LiveFigures
from services.gateway.domain.times import format_ms

log = structlog.get_logger("gateway.feeds")

METRICS: Final = "metrics"
ALERTS: Final = "alerts"
TOPICS: Final = (METRICS, ALERTS)
STREAM_SECONDS: Final = 3600.0
"""Every call has a deadline: a stream is opened anew after this long. Each begins with a snapshot, which is all that the live state
needs, and which also shows that the service is there when nothing changes; so no cursor is kept."""
BATCH_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
_FIRST_RETRY_SECONDS: Final = 0.5
_LONGEST_RETRY_SECONDS: Final = 15.0
_SELECTOR: Final = f'{{__name__=~"{"|".join(FIGURES)}",server!=""}}'
_FLEET_LABEL: Final = ("fleet", "demo")
"""What the series of virtual servers have, and no others."""
_ENDED: Final = frozenset((notifier_pb2.ALERT_STATE_RESOLVED, notifier_pb2.ALERT_STATE_UNSPECIFIED))


MessageT = TypeVar("MessageT")


class LiveState:
    """What a new reader of the live stream starts from: newest figures, active alerts, and whether the feeds run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.figures = LiveFigures()
        self.alerts: dict[str, dict[str, Any]] = {}
        self.connected = dict.fromkeys(TOPICS, False)

    def snapshot(self, topic: str) -> bytes:
        """The present state of a topic as JSON."""
        if topic == METRICS:
            return self.metrics_json(self.figures.all(self.now_ms()), snapshot=True)
        return self.alerts_json(list(self.alerts.values()), snapshot=True)

    def metrics_json(self, servers: dict[str, dict[str, Any]], *, snapshot: bool) -> bytes:
        """Data of an event `metrics`."""
        return self._json(METRICS, snapshot, {"servers": servers})

    def alerts_json(self, alerts: list[dict[str, Any]], *, snapshot: bool) -> bytes:
        """Data of an event `alerts`."""
        return self._json(ALERTS, snapshot, {"alerts": alerts})

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return round(self._clock.now() * 1000)

    def _json(self, topic: str, snapshot: bool, body: dict[str, Any]) -> bytes:
        head = {"time": format_ms(self.now_ms()), "snapshot": snapshot, "connected": self.connected[topic]}
        return orjson.dumps(head | body)


class Feeds:
    """Keeps the live state up to date and publishes what changes."""

    def __init__(
        self,
        metrics: "metrics_pb2_grpc.MetricsServiceAsyncStub",
        notifier: "notifier_pb2_grpc.NotifierServiceAsyncStub",
        state: LiveState,
        hub: Hub,
        clock: Clock,
    ) -> None:
        self._metrics = metrics
        self._notifier = notifier
        self._state = state
        self._hub = hub
        self._clock = clock

    async def watch_samples(self) -> None:
        """Follow stored samples for ever."""

        async def read() -> None:
            self._state.figures.restart()
            request = metrics_pb2.WatchSamplesRequest(selectors=[_SELECTOR])
            async for message in self._connected(METRICS, stream(self._metrics.WatchSamples, request, STREAM_SECONDS)):
                self._take_samples(message)

        await self._for_ever(METRICS, read)

    async def watch_alerts(self) -> None:
        """Follow alerts for ever."""

        async def read() -> None:
            request = notifier_pb2.WatchAlertsRequest()
            async for message in self._connected(ALERTS, stream(self._notifier.WatchAlerts, request, STREAM_SECONDS)):
                self._take_alerts(message)

        await self._for_ever(ALERTS, read)

    async def publish_figures(self) -> None:
        """Once a second, publish the figures that changed: readers get one event and not one a batch."""
        while True:
            await self._clock.sleep(BATCH_SECONDS)
            changed = self._state.figures.take_changed(self._state.now_ms())
            if changed:
                self._hub.publish(METRICS, self._state.metrics_json(changed, snapshot=False))

    async def beat(self) -> None:
        """Keep idle streams alive."""
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            self._hub.heartbeat()

    def forget_fleet(self) -> None:
        """Let the servers of the virtual fleet vanish from the live state, and start readers from it anew."""
        self._state.figures.forget(_FLEET_LABEL)
        self._hub.publish(METRICS, self._state.snapshot(METRICS))

    def _take_samples(self, message: metrics_pb2.WatchSamplesResponse) -> None:
        for series in message.series:
            self._state.figures.define(series.id, tuple((label.name, label.value) for label in series.labels))
        columns = message.samples
        self._state.figures.update(
            np.frombuffer(columns.series_ids, "<u8"),
            np.frombuffer(columns.timestamps_ms, "<i8"),
            np.frombuffer(columns.values, "<f8"),
        )

    def _take_alerts(self, message: notifier_pb2.WatchAlertsResponse) -> None:
        if message.snapshot:
            self._state.alerts.clear()
        documents = []
        for alert in message.alerts:
            document = alert_document(alert)
            documents.append(document)
            if alert.state in _ENDED:
                self._state.alerts.pop(alert.id, None)
            else:
                self._state.alerts[alert.id] = document
        self._hub.publish(ALERTS, self._state.alerts_json(documents, snapshot=message.snapshot))

    async def _connected(self, topic: str, messages: AsyncIterator[MessageT]) -> AsyncIterator[MessageT]:
        """The messages, noting that the feed runs once the first is there."""
        async for message in messages:
            if not self._state.connected[topic]:
                self._state.connected[topic] = True
                self._publish_connection(topic)
            yield message

    async def _for_ever(self, topic: str, read: Callable[[], Awaitable[None]]) -> None:
        """Take the stream up again whenever it ends, waiting longer the longer its service is away."""
        pause = _FIRST_RETRY_SECONDS
        while True:
            try:
                await read()
            except DeadlineExceededError:
                continue
            except OpenManagerError as error:
                log.info("feed_lost", topic=topic, reason=error.reason, detail=error.message, retry_seconds=pause)
            if self._state.connected[topic]:
                self._state.connected[topic] = False
                self._publish_connection(topic)
                pause = _FIRST_RETRY_SECONDS
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_SECONDS)

    def _publish_connection(self, topic: str) -> None:
        """Tell readers that a feed was lost or is back: figures that no longer change must not look fresh."""
        if topic == METRICS:
            self._hub.publish(topic, self._state.metrics_json({}, snapshot=False))
        else:
            self._hub.publish(topic, self._state.alerts_json([], snapshot=False))
