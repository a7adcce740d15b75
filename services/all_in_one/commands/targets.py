"""`openmanager import prometheus`: the scrape jobs of a Prometheus, taken over."""

import asyncio
from pathlib import Path

from services.all_in_one.commands.client import CommandError, GatewayClient


async def import_prometheus(client: GatewayClient, file: Path) -> str:
    """Make the jobs of a `prometheus.yml`; gives what became of it, in words.

    Raises:
        CommandError: the file cannot be read.
        GatewayError: the gateway refuses, naming everything in the file that is not supported.
    """
    try:
        text = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    answer = await client.post_bytes("/api/v1/targets/import", text, "application/yaml")
    lines = [f"{answer['created']} jobs made, {answer['updated']} replaced"]
    lines += [f"  {job['job_name']}: {len(job['targets'])} targets" for job in answer["items"]]
    if answer["ignored"]:
        lines.append(f"not about scraping, and let be: {', '.join(answer['ignored'])}")
    return "\n".join(lines)
