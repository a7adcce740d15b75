"""The command `openmanager`."""

import asyncio
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.all_in_one.commands.client import CommandError, GatewayClient, find_token, find_url

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Server monitoring that knows what is unusual, says what comes next and answers questions.",
)
importing = typer.Typer(
    no_args_is_help=True, help="Store rows of a file with their own times, or take over what a Prometheus scrapes."
)
app.add_typer(importing, name="import")

Url = Annotated[str | None, typer.Option("--url", help="Address of the gateway (OPENMANAGER_URL).")]
Token = Annotated[str | None, typer.Option("--token", help="Access token (OPENMANAGER_TOKEN); a local suite's own is found.")]
Server = Annotated[str | None, typer.Option(help="Name of the server that the rows belong to; the file's name by default.")]
Metrics = Annotated[str | None, typer.Option(help="Names of the columns, separated by commas.")]
Start = Annotated[
    datetime | None,
    typer.Option(
        help="Time of the first row, in UTC when it has no zone; by default the last row is now.",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
    ),
]
Step = Annotated[float, typer.Option(help="Seconds between rows.", min=0.001)]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def up(context: typer.Context) -> None:
    """Run the suite on this machine; `openmanager up --help` lists its settings."""
    from services.all_in_one.app import run_all_in_one

    sys.exit(run_all_in_one(context.args))


@app.command()
def ask(
    question: Annotated[list[str], typer.Argument(help="The question, in Korean or English.")],
    url: Url = None,
    token: Token = None,
    lang: Annotated[str | None, typer.Option(help="Language of the answer: ko or en.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Ask a question; each figure of the answer comes with the query that gives it again."""
    from services.all_in_one.commands.ask import ask as run_ask

    async def work() -> None:
        async with GatewayClient(find_url(url), find_token(token)) as client:
            await run_ask(client, " ".join(question), lang, json)

    _run(work())


@app.command()
def agent(
    url: Url = None,
    token: Token = None,
    server: Annotated[str | None, typer.Option(help="Name of this host; its host name by default.")] = None,
    interval: Annotated[float, typer.Option(help="Seconds between samples.", min=1)] = 10.0,
    spool_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for samples while the gateway is away; by default in OPENMANAGER_DATA_DIR or the user's state."),
    ] = None,
    spool_mib: Annotated[int, typer.Option(help="Space for them, in MiB; the oldest go first when it is full.", min=1)] = 64,
) -> None:
    """Send this host's metrics to a gateway until stopped; they wait on disk while it is away."""
    from services.all_in_one.commands.agent import find_spool_dir, run_agent
    from services.common.clock import SystemClock
    from services.common.logs import configure_logging

    async def work() -> None:
        async with GatewayClient(find_url(url), find_token(token)) as client:
            await run_agent(client, SystemClock(), server, interval, find_spool_dir(spool_dir), spool_mib << 20)

    stop_logging = configure_logging()
    try:
        _run(work())
    finally:
        stop_logging()


@importing.command("npz")
def import_npz(
    file: Annotated[Path, typer.Argument(help="NumPy archive with an array of rows by columns.")],
    array: Annotated[str | None, typer.Option(help="Which array; the only one, or the one called test, values or data.")] = None,
    server: Server = None,
    metrics: Metrics = None,
    start: Start = None,
    step: Step = 60.0,
    url: Url = None,
    token: Token = None,
) -> None:
    """Store the rows of a NumPy archive."""
    _import("npz", file, array, server, metrics, start, step, url, token)


@importing.command("csv")
def import_csv(
    file: Annotated[Path, typer.Argument(help="CSV file with a header; columns timestamp and server are recognised.")],
    server: Server = None,
    metrics: Metrics = None,
    start: Start = None,
    step: Step = 60.0,
    url: Url = None,
    token: Token = None,
) -> None:
    """Store the rows of a CSV file."""
    _import("csv", file, None, server, metrics, start, step, url, token)


@importing.command("prometheus")
def import_prometheus(
    file: Annotated[Path, typer.Argument(help="A prometheus.yml; its scrape_configs become scrape jobs of the same names.")],
    url: Url = None,
    token: Token = None,
) -> None:
    """Scrape what a Prometheus scrapes."""
    from services.all_in_one.commands.targets import import_prometheus as run_import

    async def work() -> None:
        async with GatewayClient(find_url(url), find_token(token)) as client:
            typer.echo(await run_import(client, file))

    _run(work())


@app.command()
def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Data folder to look at (OPENMANAGER_DATA_DIR).")] = None,
    url: Url = None,
    repair: Annotated[bool, typer.Option("--repair", help="Set damaged files aside and keep what can be read.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Only ask the running process whether it is well; for containers.")
    ] = False,
    backup: Annotated[
        Path | None, typer.Option(help="Copy everything that is kept into this new folder; the suite may run.")
    ] = None,
    restore: Annotated[Path | None, typer.Option(help="Put such a copy into a data folder that is still empty.")] = None,
) -> None:
    """Check settings, data folder, databases and the running suite, and say what to do about what is wrong."""
    from services.all_in_one.commands.backup import put_back, take
    from services.all_in_one.commands.doctor import examine, probe_running

    if probe:
        sys.exit(probe_running())
    if backup is not None:
        sys.exit(take(data_dir, backup))
    if restore is not None:
        sys.exit(put_back(data_dir, restore))
    sys.exit(examine(data_dir, find_url(url), repair=repair))


def main() -> None:
    """Entry point of the command."""
    app()


def _import(
    kind: str,
    file: Path,
    array: str | None,
    server: str | None,
    metrics: str | None,
    start: datetime | None,
    step: float,
    url: str | None,
    token: str | None,
) -> None:
    from services.all_in_one.commands import files, importer
    from services.common.clock import SystemClock

    names = [name.strip() for name in metrics.split(",")] if metrics else None
    begin = start.replace(tzinfo=UTC) if start and start.tzinfo is None else start
    source = files.Source(server, names, begin, step, array)
    read = files.read_npz if kind == "npz" else files.read_csv

    async def work() -> None:
        grids = read(file, source, datetime.now(UTC))
        async with GatewayClient(find_url(url), find_token(token), timeout_seconds=120.0) as client:
            with importer.progress_bar() as progress:
                receipt = await importer.send(client, grids, SystemClock(), progress)
        rows = sum(len(grid.values) for grid in grids)
        typer.echo(f"{rows:,} rows: {receipt}")
        left_out = sum(grid.left_out for grid in grids)
        if left_out:
            typer.echo(f"{left_out:,} cells were left out: they are empty, NaN or infinite")
        if receipt.refused:
            why = receipt.problem or "are their times within retention, and none in the future?"
            raise CommandError(f"{receipt.refused:,} samples were refused: {why}")

    _run(work())


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except CommandError as error:
        typer.echo(f"openmanager: {error}", err=True)
        sys.exit(1)
