"""The contract's own black-box check, where it lies beside the repository."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import ROOT, STARTERS, Stack, running

SCRIPT = Path(os.environ.get("OPENMANAGER_CONFORMANCE", ROOT.parent / "shared" / "conformance.py"))


@pytest.fixture(scope="module", params=sorted(STARTERS))
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running suite whose fleet has all of its history, as `make run` starts it."""
    folder: Path = tmp_path_factory.mktemp(f"suite-{request.param}")
    with running(request.param, folder, history_days="14", OPENMANAGER_DEMO="true", OPENMANAGER_TZ="Asia/Seoul") as stack:
        yield stack


@pytest.mark.timeout(300)
@pytest.mark.skipif(not SCRIPT.is_file(), reason="the contract's conformance.py is not here (OPENMANAGER_CONFORMANCE names it)")
async def test_every_check_holds(stack: Stack) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), "--url", stack.url, "--token", stack.token, "suite", "fleet", "metrics", "alerts"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
