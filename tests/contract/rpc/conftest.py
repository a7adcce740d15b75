from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.rpc_echo import RpcBench


@pytest.fixture(params=["tcp", "unix", "inproc"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RpcBench]:
    """Servers and channels of one transport; every test of this folder runs on all of them."""
    bench = RpcBench(request.param, tmp_path)
    yield bench
    await bench.close()
