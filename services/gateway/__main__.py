"""Runs the gateway in a process of its own: `python -m services.gateway`."""

import sys
from collections.abc import Sequence

from services.common.clock import SystemClock
from services.common.config import load_settings
from services.common.lifecycle import Lifecycle
from services.common.runner import Main, parse_flags, run, tcp_connector
from services.common.supervisor import Supervisor
from services.common.telemetry import Telemetry
from services.gateway.app import announce, build
from services.gateway.settings import GatewaySettings

PROGRAM = "python -m services.gateway"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal; returns the exit code."""
    flags, file = parse_flags(PROGRAM, GatewaySettings, argv)
    return run(PROGRAM, lambda: load_settings(GatewaySettings, flags, file=file), lambda settings: settings, prepare)


def prepare(settings: GatewaySettings) -> Main:
    """What starts the gateway with these settings."""

    async def start(lifecycle: Lifecycle, supervisor: Supervisor) -> None:
        supervisor.lock(settings.data_dir / "gateway")
        gateway = build(settings, tcp_connector(settings, "gateway", lifecycle), Telemetry("gateway"), SystemClock())
        await supervisor.start(gateway.service)
        announce(gateway)

    return start


if __name__ == "__main__":
    sys.exit(main())
