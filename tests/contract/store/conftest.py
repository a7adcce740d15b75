from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.common.telemetry import Telemetry
from services.metrics.adapters.embedded import EmbeddedOptions, EmbeddedStore
from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.store import InfluxStore
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.ports import SampleStore, StoreLimits
from tests.support.influxdb import InfluxServer, running_influxdb

Settle = Callable[[SampleStore], Awaitable[SampleStore]]
"""Brings the store into the state that the test is about, between writing and reading."""

LIMITS = StoreLimits(max_series=200, max_series_per_server=50)


class Harness:
    """A store of one kind, and what happens to it between writing and reading."""

    def __init__(self, kind: str, folder: Path, influxdb: InfluxServer | None) -> None:
        self.kind = kind
        self._folder = folder
        self._influxdb = influxdb
        self._database = f"contract_{uuid4().hex}"
        self._opened: list[SampleStore] = []

    async def open(self) -> SampleStore:
        if self.kind == "memory":
            store: SampleStore = MemoryStore(LIMITS)
        elif self._influxdb is not None:
            address = InfluxAddress.parse(f"{self._influxdb.url}/{self._database}")
            store = await InfluxStore.open(self._folder / "metrics", address, telemetry=Telemetry("metrics"), limits=LIMITS)
        else:
            store = await EmbeddedStore.open(self._folder / "metrics", limits=LIMITS, options=self._options())
        self._opened.append(store)
        return store

    async def settle(self, store: SampleStore) -> SampleStore:
        """The same data after sealing, after a restart, or as it is."""
        if "sealed" in self.kind:
            await store.flush()
        if "merged" in self.kind and isinstance(store, EmbeddedStore):
            await store.compact()
        if "reopened" in self.kind:
            await store.close()
            store = await self.open()
        return store

    async def close(self) -> None:
        for store in self._opened:
            await store.close()
        if self._influxdb is not None:
            self._influxdb.query(f"DROP DATABASE {self._database}")

    def _options(self) -> EmbeddedOptions:
        if "direct" in self.kind:
            return EmbeddedOptions(direct_rows=2, direct_rows_per_series=1)
        if "repeats" in self.kind:
            return EmbeddedOptions(repeat_rows=1)
        return EmbeddedOptions()


@pytest.fixture(scope="session")
def influxdb() -> Iterator[InfluxServer]:
    with running_influxdb() as server:
        yield server


@pytest.fixture(
    params=[
        "memory",
        "embedded",
        "embedded-reopened",
        "embedded-sealed",
        "embedded-sealed-reopened",
        "embedded-direct-reopened",
        "embedded-repeats",
        "embedded-repeats-reopened",
        "embedded-repeats-merged",
        "influxdb",
        "influxdb-reopened",
    ]
)
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    kind = str(request.param)
    made = Harness(kind, tmp_path, request.getfixturevalue("influxdb") if kind.startswith("influxdb") else None)
    yield made
    await made.close()


@pytest.fixture
async def store(harness: Harness) -> SampleStore:
    return await harness.open()
