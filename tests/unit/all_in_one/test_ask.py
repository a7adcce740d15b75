"""An answer on the terminal."""

import io
from typing import Any

import orjson
from rich.console import Console

from services.all_in_one.commands.ask import MAX_EVIDENCE, ask
from services.all_in_one.commands.client import GatewayClient

LONG = 'avg by (server) (rate(network_receive_bytes_total{server=~"web-0[1-9]"}[5m])) > on () group_left () scalar(vector(1))'


class Gateway(GatewayClient):
    """Gives one answer and remembers the question."""

    def __init__(self, evidence: list[dict[str, Any]]) -> None:
        super().__init__("http://gateway", "token")
        self.answer = {"response": "web-01 is at 91 [bold]%.", "recommendations": ["Add a core."], "evidence": evidence}
        self.body: Any = None

    async def post(self, path: str, body: Any) -> Any:
        self.body = body
        return self.answer


async def _printed(gateway: Gateway, *, show_json: bool = False) -> str:
    text = io.StringIO()
    console = Console(file=text, width=40, soft_wrap=True, highlight=False, markup=False)
    await ask(gateway, "how is web-01?", "en", show_json, console)
    return text.getvalue()


def _evidence(expr: str, **times: Any) -> dict[str, Any]:
    return {"claim": "web-01 cpu 91 %", "expr": expr, "time": None, "start": None, "end": None} | times


async def test_each_figure_comes_with_its_whole_query_and_time() -> None:
    gateway = Gateway([_evidence(LONG, time="2026-01-01T00:00:00Z"), _evidence("cpu", start="A", end="B")])
    lines = (await _printed(gateway)).splitlines()
    assert gateway.body == {"query": "how is web-01?", "lang": "en"}
    assert lines[:2] == ["web-01 is at 91 [bold]%.", "→ Add a core."]
    assert f"  {LONG}  @ 2026-01-01T00:00:00Z" in lines
    assert "  cpu  @ A … B" in lines


async def test_a_long_list_of_figures_is_cut_and_says_so() -> None:
    text = await _printed(Gateway([_evidence(f"metric_{k}", time="T") for k in range(MAX_EVIDENCE + 5)]))
    assert f"metric_{MAX_EVIDENCE - 1} " in text
    assert f"metric_{MAX_EVIDENCE} " not in text
    assert "and 5 more" in text


async def test_json_is_the_whole_answer() -> None:
    gateway = Gateway([])
    assert orjson.loads(await _printed(gateway, show_json=True)) == gateway.answer
