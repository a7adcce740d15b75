"""The contract's own black-box check, where it lies beside the repository."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.stack import ROOT, Stack

SCRIPT = Path(os.environ.get("OPENMANAGER_CONFORMANCE", ROOT.parent / "shared" / "conformance.py"))


@pytest.mark.skipif(not SCRIPT.is_file(), reason="the contract's conformance.py is not here (OPENMANAGER_CONFORMANCE names it)")
async def test_every_check_holds(stack: Stack) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), "--url", stack.url, "--token", stack.token, "suite", "alerts"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
