"""Runs a module as the main program under cProfile, each thread by itself, and writes them all into one file at the end.

Time in the profile is wall time of calls, so threads that wait show their waiting; look at `tottime` of what computes.
"""

import cProfile
import os
import pstats
import runpy
import sys
import threading
from types import FrameType


def main() -> None:
    path, module = os.environ["OPENMANAGER_BENCH_PROFILE"], os.environ["OPENMANAGER_BENCH_PROFILED"]
    profiles = [cProfile.Profile()]

    def begin(_frame: FrameType, _event: str, _argument: object) -> None:
        profile = cProfile.Profile()
        profiles.append(profile)
        profile.enable()

    threading.setprofile(begin)
    profiles[0].enable()
    sys.argv = [module]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        profiles[0].disable()
        stats = pstats.Stats(profiles[0])
        for profile in profiles[1:]:
            stats.add(profile)
        stats.dump_stats(path)


if __name__ == "__main__":
    main()
