"""`openmanager ask`: one question, its answer and the queries that give each figure again."""

from typing import Any

from rich.console import Console
from rich.table import Table

from services.all_in_one.commands.client import GatewayClient


async def ask(client: GatewayClient, query: str, lang: str | None, show_json: bool) -> None:
    """Ask and print; raises GatewayError."""
    body = {"query": query} | ({"lang": lang} if lang else {})
    answer = await client.post("/api/v1/ask", body)
    console = Console()
    if show_json:
        console.print_json(data=answer)
        return
    console.print(answer["response"], markup=False)
    for recommendation in answer.get("recommendations") or ():
        console.print(f"→ {recommendation}", markup=False)
    if answer.get("evidence"):
        console.print(_evidence(answer["evidence"]))


def _evidence(items: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("claim", "PromQL", "at"):
        table.add_column(column, overflow="fold")
    for item in items[:20]:
        when = item.get("time") or f"{item.get('start')} … {item.get('end')}"
        table.add_row(*(_plain(text) for text in (item["claim"], item["expr"], str(when))))
    if len(items) > 20:
        table.caption = f"and {len(items) - 20} more: --json shows them"
    return table


def _plain(text: str) -> str:
    """PromQL has square brackets, which rich would take for markup."""
    return text.replace("[", r"\[")
