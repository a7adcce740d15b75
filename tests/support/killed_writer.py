"""Processes that say which batches were acknowledged, and are killed in the middle."""

import subprocess
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write_until_killed(command: Sequence[str], acknowledgements: int) -> list[int]:
    """Numbers of the batches that were acknowledged, one a line, before the process was killed."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        numbers = [int(line) for line in islice(process.stdout, acknowledgements)]
        process.kill()
        # What was written to the pipe before the kill was acknowledged as well; the last line may be torn.
        rest = process.stdout.read()
    return numbers + [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
