"""The dashboard as a person meets it: in headless Chromium, against the running suite."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import CHROMIUM, Page, browser_page
from tests.support.receiver import receiving
from tests.support.stack import TOKEN, Stack, open_api, running

MUST_RUN = bool(os.environ.get("OPENMANAGER_TEST_REQUIRE_SERVERS"))
PICTURES = os.environ.get("OPENMANAGER_TEST_PICTURES")
pytestmark = pytest.mark.skipif(CHROMIUM is None and not MUST_RUN, reason="Chromium is not installed (apt install chromium)")

SPIKES = {40, 41}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running("all_in_one", tmp_path_factory.mktemp("dashboard"), OPENMANAGER_DEMO="true", OPENMANAGER_TZ="Asia/Seoul") as stack:
        yield stack


@pytest.fixture
async def page(stack: Stack) -> AsyncIterator[Page]:
    async with browser_page() as page:
        yield page
        assert page.errors == []


async def keep_picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.picture(Path(PICTURES) / f"{name}.png")


async def assert_nothing_overflows(page: Page) -> None:
    assert await page.run("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def minutes_of(server: str) -> list[dict[str, Any]]:
    """An hour of a quiet server with one short spike."""
    now = datetime.now(UTC)
    return [
        {
            "server": server,
            "timestamp": (now - timedelta(seconds=30 * (119 - k))).isoformat(),
            "metrics": {"cpu": 97.0 if k in SPIKES else 22.0 + (k * 7 % 5) * 0.6, "memory": 48.0 + (k * 3 % 4) * 0.2, "disk": 61.0},
        }
        for k in range(120)
    ]


async def test_the_token_behind_the_address_opens_the_fleet_and_leaves_no_trace(stack: Stack, page: Page) -> None:
    await page.open(f"{stack.url}/#token={TOKEN}")
    await page.until("document.querySelectorAll('.server').length >= 21", 30)
    assert TOKEN not in str(await page.run("location.href"))
    await page.until("document.querySelector('.live').classList.contains('on')")
    await assert_nothing_overflows(page)
    await keep_picture(page, "fleet-en")


async def test_a_wrong_token_is_told_and_the_right_one_opens(stack: Stack, page: Page) -> None:
    await page.open(f"{stack.url}/")
    await page.until("document.querySelector('#login button')?.disabled === false")
    await page.run("(document.querySelector('#token').value = 'wrong', document.querySelector('#login').requestSubmit())")
    await page.until("document.querySelector('#error').textContent.length > 5")
    page.errors.clear()  # the browser reports the refused login on its console
    await page.run(f"(document.querySelector('#token').value = '{TOKEN}', document.querySelector('#login').requestSubmit())")
    await page.until("document.querySelector('.grid')")


async def test_figures_change_without_a_reload(stack: Stack, page: Page) -> None:
    await page.open(f"{stack.url}/#token={TOKEN}")
    async with open_api(stack) as api:
        await api.post("/api/v1/metrics", {"samples": [{"server": "live-01", "metrics": {"cpu": 11.25, "memory": 20, "disk": 30}}]})
        card = "[...document.querySelectorAll('.server')].find((card) => card.textContent.includes('live-01'))"
        await page.until(f"{card}?.textContent.includes('11.3 %')", 40)
        await page.run("window.stayed = true")
        await api.post("/api/v1/metrics", {"samples": [{"server": "live-01", "metrics": {"cpu": 88.5}}]})
        await page.until(f"{card}.textContent.includes('88.5 %')", 20)
    assert await page.run("window.stayed")


async def test_one_server_has_charts_and_its_unusual_point_is_marked(stack: Stack, page: Page) -> None:
    async with open_api(stack) as api:
        await api.post("/api/v1/metrics", {"samples": minutes_of("spiky-01")})
    await page.open(f"{stack.url}/#token={TOKEN}")
    await page.until("document.querySelector('.grid')")
    await page.run("location.hash = '#/server/spiky-01'")
    await page.until("document.querySelectorAll('.chart canvas').length === 3")
    await page.until("document.querySelector('.analysis table')")
    assert "97" in str(await page.run("document.querySelector('.analysis table').textContent"))
    await assert_nothing_overflows(page)
    await keep_picture(page, "server-en")


@pytest.mark.parametrize(
    ("lang", "query", "word"), [("ko", "서버 상태 어때?", "서버"), ("en", "top 3 servers by memory", "memory")]
)
async def test_an_answer_shows_its_evidence_which_runs_again(stack: Stack, page: Page, lang: str, query: str, word: str) -> None:
    await page.open(f"{stack.url}/#token={TOKEN}", lang=lang)
    await page.until("document.querySelectorAll('.server').length >= 21", 30)
    await page.run(
        f"(document.querySelector('.ask input').value = '{query}',"
        "document.querySelector('.ask input').dispatchEvent(new Event('input', {bubbles: true})))"
    )
    await page.until("document.querySelector('.ask input').value")
    await asyncio.sleep(0)
    await page.run("new Promise(requestAnimationFrame).then(() => document.querySelector('.ask form').requestSubmit())")
    await page.until("document.querySelector('.response')")
    assert word in str(await page.run("document.querySelector('.response').textContent")).lower()
    await page.run("document.querySelector('.answer details').open = true")
    await page.run("document.querySelector('.answer td button').click()")
    await page.until("document.querySelector('.answer td [aria-live]').textContent.startsWith('✓')")
    await assert_nothing_overflows(page)
    await keep_picture(page, f"ask-{lang}")


async def test_a_rule_made_here_fires_to_a_webhook_made_here(stack: Stack, page: Page) -> None:
    async with receiving() as receiver, open_api(stack) as api:
        await page.open(f"{stack.url}/#token={TOKEN}", lang="ko")
        await page.until("document.querySelector('.grid')")
        await page.run("location.hash = '#/alerts'")
        await page.until("document.querySelectorAll('.alerts form').length === 2")
        fill = (
            "((form, values) => {{ for (const [name, value] of Object.entries(values))"
            " if (form.elements[name].type === 'checkbox') form.elements[name].checked = value; else form.elements[name].value = value;"
            " form.requestSubmit(); }})(document.querySelectorAll('.alerts form')[{number}], {values})"
        )
        await page.run(fill.format(number=1, values=f"{{name: 'ops', url: '{receiver.url}', allow_private: true}}"))
        await page.until("[...document.querySelectorAll('.alerts select[name=channel] option')].some((o) => o.value === 'ops')")
        await page.run(
            fill.format(number=0, values="{name: '뜨거운 서버', expr: 'board_heat > 50', for_seconds: '0', channel: 'ops'}")
        )
        await page.until("document.querySelector('.alerts').textContent.includes('뜨거운 서버')")
        await api.post("/api/v1/metrics", {"samples": [{"server": "board-01", "metrics": {"board_heat": 71}}]})
        await page.until("[...document.querySelectorAll('.alerts tr')].some((row) => row.textContent.includes('board-01'))", 40)
        await page.until("document.querySelector('.badge')?.textContent === '1'")
        async with asyncio.timeout(30):
            await receiver.arrived.wait()
        assert receiver.deliveries[0].body["alerts"][0]["labels"]["server"] == "board-01"
        await assert_nothing_overflows(page)
        await keep_picture(page, "alerts-ko")


async def test_a_fault_is_injected_with_two_clicks_is_among_the_truth_and_is_withdrawn(stack: Stack, page: Page) -> None:
    await page.open(f"{stack.url}/#token={TOKEN}")
    await page.until("document.querySelector('.grid')")
    await page.run("location.hash = '#/fleet'")
    await page.until("document.querySelectorAll('.host').length === 20", 60)
    await page.until("document.querySelectorAll('.host-fault').length === 20")
    await keep_picture(page, "virtual-fleet-en")
    host = "[...document.querySelectorAll('.host')].find((row) => row.textContent.includes('api-01'))"
    await page.run(f"{host}.querySelector('.host-fault').click()")
    await page.until("document.querySelectorAll('dialog[open] [data-kind]').length === 19")
    await keep_picture(page, "virtual-fleet-inject-en")
    await page.run("document.querySelector('dialog [data-kind=memory_leak]').click()")
    await page.until("!document.querySelector('dialog')", 60)
    await page.run("location.hash = '#/fleet/truth'")
    row = "[...document.querySelectorAll('.beside tbody tr')].find((row) => row.textContent.includes('Memory leak'))"
    await page.until(f"{row}?.textContent.includes('not yet')", 60)
    async with open_api(stack) as api:
        rule = await api.post(
            "/api/v1/rules", {"name": "api-01 works", "expr": 'cpu{server="api-01"} > 0', "for_seconds": 0, "severity": "info"}
        )
        await page.until(f"{row}?.textContent.includes('matched')", 90)
        await api.call("DELETE", f"/api/v1/rules/{rule['id']}")
    assert "api-01 works" in str(await page.run(f"{row}.querySelector('.found').textContent"))
    await assert_nothing_overflows(page)
    await keep_picture(page, "virtual-fleet-truth-en")
    await page.run(
        "[...document.querySelectorAll('.fault')].find((card) => card.querySelector('button')).querySelector('button').click()"
    )
    await page.until(f"{row}.textContent.includes('cancelled')", 60)
    await page.run("location.hash = '#/fleet/dependencies'")
    await page.until("document.querySelectorAll('svg .edge').length > 15")
    await assert_nothing_overflows(page)
    await keep_picture(page, "virtual-fleet-graph-en")


async def test_a_narrow_dark_window_shows_everything(stack: Stack, page: Page) -> None:
    await page.open(f"{stack.url}/#token={TOKEN}", width=390, height=844, dark=True, lang="ko")
    await page.until("document.querySelectorAll('.server').length >= 21", 30)
    await assert_nothing_overflows(page)
    await keep_picture(page, "fleet-ko-narrow-dark")
