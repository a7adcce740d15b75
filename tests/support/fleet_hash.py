"""One number for a whole fleet over a day: two processes that agree on it agree on every sample.

Run: `python -m tests.support.fleet_hash SEED [SERVERS]`.
"""

import hashlib
import sys

import numpy as np

from services.server_gen.domain.roles import DAY
from services.server_gen.domain.roster import roster
from services.server_gen.domain.simulation import Simulation

START = 1_795_046_400.0
STEP_SECONDS = 60.0
_AT_ONCE = 100


def fleet_hash(seed: int, servers: int = 1000) -> str:
    """SHA-256 of the samples of a day, a hundred servers after the other."""
    digest = hashlib.sha256()
    fleet = roster(servers)
    times = START + STEP_SECONDS * np.arange(DAY // STEP_SECONDS)
    for first in range(0, servers, _AT_ONCE):
        digest.update(Simulation(seed, fleet[first : first + _AT_ONCE]).over(times).swapaxes(1, 2).tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fleet_hash(int(sys.argv[1]), *(int(text) for text in sys.argv[2:3])))
