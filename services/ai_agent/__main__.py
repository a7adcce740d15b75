"""Runs the AI agent as a process of its own."""

import sys

from services.ai_agent.app import build
from services.ai_agent.settings import StandaloneSettings
from services.common.runner import run_service

if __name__ == "__main__":
    sys.exit(run_service("ai_agent", StandaloneSettings, build))
