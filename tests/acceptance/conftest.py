"""Each acceptance test runs on both deployments."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.stack import STARTERS, Api, Stack, open_api, running


@pytest.fixture(scope="module", params=sorted(STARTERS))
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running suite with the demo fleet, shared by the tests of a module."""
    folder: Path = tmp_path_factory.mktemp(f"suite-{request.param}")
    with running(request.param, folder, OPENMANAGER_DEMO="true", OPENMANAGER_TZ="Asia/Seoul") as stack:
        yield stack


@pytest.fixture
async def api(stack: Stack) -> AsyncIterator[Api]:
    """A client with the admin token."""
    async with open_api(stack) as api:
        yield api
