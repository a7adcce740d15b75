"""Composition root of the all-in-one: which services there are, who needs whom, and that they talk in process."""

from collections.abc import Sequence

from services.ai_agent.app import build as build_ai_agent
from services.all_in_one.settings import AllInOneSettings, SuiteSettings, load_suite_settings
from services.common.clock import SystemClock
from services.common.lifecycle import Lifecycle
from services.common.rpc.channels import Channels
from services.common.rpc.connect import connect
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.server import RpcServer
from services.common.runner import Main, parse_flags, run
from services.common.service import Connect
from services.common.supervisor import Supervisor
from services.common.telemetry import Telemetry
from services.gateway.app import announce
from services.gateway.app import build as build_gateway
from services.metrics.app import build as build_metrics
from services.notifier.app import build as build_notifier
from services.server_gen.app import build as build_server_gen

# Who calls whom. Services start in this order and stop in the reverse; each tolerates a peer that is away.
NEEDS: dict[str, tuple[str, ...]] = {
    "server_gen": (),
    "metrics": ("server_gen",),
    "ai_agent": ("metrics",),
    "notifier": ("metrics", "ai_agent"),
    "gateway": ("server_gen", "metrics", "ai_agent", "notifier"),
}


def run_all_in_one(argv: Sequence[str] | None = None) -> int:
    """Run the suite until a signal; returns the exit code."""
    flags, file = parse_flags("openmanager up", AllInOneSettings, argv)
    return run("openmanager up", lambda: load_suite_settings(flags, file), lambda suite: suite.shared, prepare)


def prepare(settings: SuiteSettings) -> Main:
    """What starts the suite with these settings."""

    async def main(lifecycle: Lifecycle, supervisor: Supervisor) -> None:
        clock = SystemClock()
        network = InprocNetwork()
        for part in settings.all:
            supervisor.lock(part.data_dir / part.service)
        telemetry = {name: Telemetry(name) for name in NEEDS}

        channels = Channels()
        lifecycle.on_stop("channels", channels.close)

        def connector(caller: str) -> Connect:
            return channels.connector(lambda name: connect(f"inproc:{name}", caller=caller, network=network))

        for service in (
            build_server_gen(settings.server_gen, connector("server_gen"), telemetry["server_gen"], clock),
            build_metrics(settings.metrics, connector("metrics"), telemetry["metrics"], clock),
            build_ai_agent(settings.ai_agent, connector("ai_agent"), telemetry["ai_agent"], clock),
            build_notifier(settings.notifier, connector("notifier"), telemetry["notifier"], clock),
        ):
            server = RpcServer(service.name, telemetry=telemetry[service.name], network=network)
            await supervisor.start(service, server, [f"inproc:{service.name}"])
        gateway = build_gateway(settings.gateway, connector("gateway"), telemetry["gateway"], clock)
        await supervisor.start(gateway.service)
        announce(gateway)

    return main
