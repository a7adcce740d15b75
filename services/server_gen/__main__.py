"""Runs the virtual fleet as a process of its own."""

import sys

from services.common.runner import run_service
from services.server_gen.app import build
from services.server_gen.settings import ServerGenSettings

if __name__ == "__main__":
    sys.exit(run_service("server_gen", ServerGenSettings, build))
