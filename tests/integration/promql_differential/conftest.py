"""One Prometheus and three readers of ours, all with the same series."""

import os
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import pytest_asyncio

from services.metrics.adapters.embedded import EmbeddedStore
from services.metrics.adapters.memory import MemoryStore
from services.metrics.domain.ports import Columns, SampleStore, WriteMode
from tests.support.postgres import REQUIRE_VARIABLE
from tests.support.promql_corpus.prometheus import BINARY_VARIABLE, Prometheus, find_binary, running_prometheus
from tests.support.promql_corpus.series import BASE_MS, corpus
from tests.support.promql_series import MemoryReader

NOW_MS = BASE_MS + 7_200_000


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus 2.x with every series."""
    binary = find_binary()
    if binary is None:
        message = f"no Prometheus here: install the package `prometheus`, or name the program in {BINARY_VARIABLE}"
        if os.environ.get(REQUIRE_VARIABLE):
            pytest.fail(f"{message}; {REQUIRE_VARIABLE} wants it")
        pytest.skip(message)
    with running_prometheus(binary, tmp_path_factory.mktemp("prometheus")) as running:
        if not running.version().startswith("2."):
            pytest.skip(f"the Prometheus here is {running.version()}; PromQL 2.x is what is compared")
        running.write(corpus())
        yield running


@pytest.fixture(scope="session")
def reader() -> MemoryReader:
    """Every series, without a store."""
    return MemoryReader(corpus())


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["memory", "embedded", "embedded-sealed"])
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SampleStore]:
    """A store with every series."""
    series = corpus()
    made: SampleStore
    if request.param == "memory":
        made = MemoryStore()
    else:
        made = await EmbeddedStore.open(tmp_path_factory.mktemp(str(request.param)) / "metrics")
    registration = await made.register([one.labels for one in series])
    assert not registration.errors
    sizes = [len(one.values) for one in series]
    columns = Columns(
        np.repeat(registration.ids, sizes),
        np.concatenate([one.timestamps_ms for one in series]),
        np.concatenate([one.values for one in series]),
    )
    receipt = await made.append(columns, mode=WriteMode.IMPORT, now_ms=NOW_MS)
    assert receipt.accepted == len(columns)
    if request.param == "embedded-sealed":
        await made.flush()
    yield made
    await made.close()
