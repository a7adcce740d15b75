"""Runs the metrics service as a process of its own."""

import sys

from services.common.runner import run_service
from services.metrics.app import build
from services.metrics.settings import MetricsSettings

if __name__ == "__main__":
    sys.exit(run_service("metrics", MetricsSettings, build))
