"""The notifier as a process of its own: `python -m services.notifier`."""

import sys

from services.common.runner import run_service
from services.notifier.app import build
from services.notifier.settings import NotifierSettings

if __name__ == "__main__":
    sys.exit(run_service("notifier", NotifierSettings, build))
