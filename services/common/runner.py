"""The only place that knows signals, `asyncio.run` and exit codes."""

import argparse
import asyncio
import signal
import sys
import types
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_origin

import structlog

from services.common.clock import Clock, SystemClock
from services.common.config import CommonSettings, load_settings
from services.common.errors import OpenManagerError
from services.common.lifecycle import Lifecycle
from services.common.logs import configure_logging
from services.common.rpc.channels import Channels
from services.common.rpc.connect import connect
from services.common.rpc.server import RpcServer
from services.common.service import Connect, Service
from services.common.supervisor import Supervisor
from services.common.telemetry import Telemetry

log = structlog.get_logger("runner")

EXIT_REFUSED = 2
EXIT_FAILED = 1

SettingsT = TypeVar("SettingsT", bound=CommonSettings)
LoadedT = TypeVar("LoadedT")
Main = Callable[[Lifecycle, Supervisor], Awaitable[None]]


def run_service(
    name: str,
    kind: type[SettingsT],
    build: Callable[[SettingsT, Connect, Telemetry, Clock], Service],
    argv: Sequence[str] | None = None,
) -> int:
    """Run one service in a process of its own until a signal; returns the exit code."""

    def prepare(settings: SettingsT) -> Main:
        listen: str = settings.listen  # type: ignore[attr-defined]  # every service has it, with its own default

        async def main(lifecycle: Lifecycle, supervisor: Supervisor) -> None:
            token = settings.service_token.get_secret_value() if settings.service_token else None
            telemetry = Telemetry(name)
            supervisor.lock(settings.data_dir / name)
            service = build(settings, tcp_connector(settings, name, lifecycle), telemetry, SystemClock())
            server = RpcServer(name, telemetry=telemetry, token=token)
            await supervisor.start(service, server, [listen])
            announce_ready(server.address)

        return main

    program = f"python -m services.{name}"
    flags, file = parse_flags(program, kind, argv)
    return run(program, lambda: load_settings(kind, flags, file=file), lambda settings: settings, prepare)


def run(
    program: str,
    load: Callable[[], LoadedT],
    common: Callable[[LoadedT], CommonSettings],
    prepare: Callable[[LoadedT], Main],
) -> int:
    """Load settings, run what `prepare` makes of them until a signal or a failure, and give the exit code.

    Expected errors (a busy port, a data folder in use, wrong settings) become one clear line and exit code 2.
    """
    try:
        settings = load()
    except OpenManagerError as error:
        return _refuse(program, error)
    return run_main(program, common(settings), prepare(settings))


def parse_flags(program: str, kind: type[CommonSettings], argv: Sequence[str] | None) -> tuple[dict[str, Any], Path | None]:
    """The flags of a command line, None where one was not given, and the settings file it names."""
    flags = vars(_parser(program, kind).parse_args(argv))
    file = flags.pop("config")
    return flags, Path(file) if file else None


def run_main(program: str, settings: CommonSettings, main: Main) -> int:
    """Run `main` with logs and signals until a signal or a failure; returns the exit code."""
    stop_logging = configure_logging(settings.log_level, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(main))
    except OpenManagerError as error:
        return _refuse(program, error)
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        log.error("failed", error=repr(error), exc_info=error)
        return EXIT_FAILED
    finally:
        stop_logging()
    return 0


def announce_ready(address: str) -> None:
    """Tell whoever started the process where it listens: one line on standard output."""
    print(f"ready {address}", flush=True)  # noqa: T201


def tcp_connector(settings: CommonSettings, caller: str, lifecycle: Lifecycle) -> Connect:
    """Connects to peers in other processes; every channel is closed when the lifecycle stops."""
    token = settings.service_token.get_secret_value() if settings.service_token else None
    channels = Channels()
    lifecycle.on_stop("channels", channels.close)
    return channels.connector(lambda name: connect(settings.peer_address(name), caller=caller, token=token))


async def _until_stopped(main: Main) -> None:
    lifecycle = Lifecycle("process")
    supervisor = Supervisor(lifecycle)
    loop = asyncio.get_running_loop()
    stop_asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_asked.set)
    started = asyncio.create_task(_start_and_watch(main, lifecycle, supervisor))
    stopped = asyncio.create_task(stop_asked.wait())
    try:
        await asyncio.wait([started, stopped], return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            started.result()
    finally:
        for task in (started, stopped):
            task.cancel()
        await asyncio.wait([started, stopped])
        await lifecycle.stop()


async def _start_and_watch(main: Main, lifecycle: Lifecycle, supervisor: Supervisor) -> None:
    await main(lifecycle, supervisor)
    lifecycle.mark_ready()
    await supervisor.wait_failed()


def _refuse(program: str, error: OpenManagerError) -> int:
    print(f"{program}: {error.message}", file=sys.stderr)  # noqa: T201  the user's answer
    return EXIT_REFUSED


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _parser(program: str, kind: type[CommonSettings]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=(kind.__doc__ or "").strip().split("\n", maxsplit=1)[0])
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings (OPENMANAGER_CONFIG)")
    for name, field in kind.model_fields.items():
        if _is_secret(field.annotation) or get_origin(field.annotation) is dict:
            continue  # a secret on the command line would show in the process list; nested fields belong in the file
        flag = f"--{name.replace('_', '-')}"
        options: dict[str, Any] = {"default": None, "help": field.description}
        if field.annotation is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["metavar"] = "VALUE"
        parser.add_argument(flag, dest=name, **options)
    return parser


def _is_secret(annotation: object) -> bool:
    from pydantic import SecretStr

    if isinstance(annotation, types.UnionType):
        return any(_is_secret(part) for part in annotation.__args__)
    return annotation is SecretStr
