"""`openmanager ask`: one question, its answer and the queries that give each figure again."""

from typing import Any

from rich.console import Console

from services.all_in_one.commands.client import GatewayClient

MAX_EVIDENCE = 20


async def ask(client: GatewayClient, query: str, lang: str | None, show_json: bool, console: Console | None = None) -> None:
    """Ask and print; raises GatewayError."""
    body = {"query": query} | ({"lang": lang} if lang else {})
    answer = await client.post("/api/v1/ask", body)
    # Lines are never broken here: a query that is copied from the terminal or a pipe has to be whole.
    console = console or Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    if show_json:
        console.print_json(data=answer)
        return
    console.print(answer["response"])
    for recommendation in answer.get("recommendations") or ():
        console.print(f"→ {recommendation}")
    evidence = answer.get("evidence") or []
    for item in evidence[:MAX_EVIDENCE]:
        console.print(f"\n  {item['claim']}")
        console.print(f"  {item['expr']}  @ {_when(item)}", style="dim")
    if len(evidence) > MAX_EVIDENCE:
        console.print(f"\n  and {len(evidence) - MAX_EVIDENCE} more: --json shows them")


def _when(item: dict[str, Any]) -> str:
    return str(item.get("time") or f"{item.get('start')} … {item.get('end')}")
