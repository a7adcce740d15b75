"""Collects the samples of the virtual fleet from the service that simulates it."""

from collections.abc import Callable
from typing import Final

import grpc
import grpc.aio
import structlog

from openmanager.server_gen.v1 import server_gen_pb2, server_gen_pb2_grpc
from services.common.clock import Clock
from services.common.errors import UnavailableError, from_rpc_error
from services.metrics import wire
from services.metrics.domain.collect import CollectedSeries

log = structlog.get_logger("metrics.fleet")

FIRST_WAIT_SECONDS: Final = 0.5
MOST_WAIT_SECONDS: Final = 15.0
_MAX_SAMPLES: Final = 1_000_000


class FleetCollector:
    """Watches the fleet and writes its samples; comes back by itself whenever the stream ends.

    Args:
        channel: to the service that simulates the fleet.
        make_series: gives what takes the samples of one stream; numbers of series hold for one stream alone.
        clock: waits between attempts.
        on_connected: is told when samples can come and when they cannot.
        on_refused: is told how many samples the store would not take at each step.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        make_series: Callable[[], CollectedSeries],
        clock: Clock,
        on_connected: Callable[[bool], None],
        on_refused: Callable[[int], None],
    ) -> None:
        self._stub = server_gen_pb2_grpc.ServerGenServiceStub(channel)
        self._make_series = make_series
        self._clock = clock
        self._on_connected = on_connected
        self._on_refused = on_refused
        self._connected = False
        self._wait_seconds = FIRST_WAIT_SECONDS

    async def run(self) -> None:
        """Collect for ever, waiting longer after each attempt that brought nothing."""
        while True:
            try:
                await self._watch()
                self._set_connected(False, "the stream ended")
            except grpc.aio.AioRpcError as error:
                self._set_connected(False, from_rpc_error(error).message)
            except UnavailableError as error:  # the same step comes again with the next stream
                self._set_connected(False, error.message)
            await self._clock.sleep(self._wait_seconds)
            self._wait_seconds = min(2 * self._wait_seconds, MOST_WAIT_SECONDS)

    async def _watch(self) -> None:
        series = self._make_series()
        stream = self._stub.WatchFleetSamples(server_gen_pb2.WatchFleetSamplesRequest())
        try:
            async for step in stream:
                for definition in step.series:
                    series.define(definition.id, tuple(sorted(wire.pairs_of(definition.labels))))
                columns = wire.columns_of(step.samples, max_samples=_MAX_SAMPLES)
                refused = await series.write(columns.ids, columns.timestamps_ms, columns.values)
                self._on_refused(refused)
                self._set_connected(True)
                self._wait_seconds = FIRST_WAIT_SECONDS
        finally:
            stream.cancel()

    def _set_connected(self, connected: bool, why: str = "") -> None:
        self._on_connected(connected)
        if connected != self._connected:
            self._connected = connected
            log.info("fleet_connected" if connected else "fleet_lost", **({"why": why} if why else {}))
        elif not connected:
            log.debug("fleet_away", why=why, retry_seconds=self._wait_seconds)
