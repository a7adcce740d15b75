"""The page of the virtual fleet in headless Chromium, over services that say what the test wants."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from openmanager.notifier.v1 import notifier_pb2
from openmanager.server_gen.v1 import server_gen_pb2
from services.common.clock import ManualClock
from tests.support.browser import CHROMIUM, Page, browser_page
from tests.support.gateway import TOKEN, RunningGateway, running_gateway
from tests.support.gateway_fleet import FakeFleet
from tests.support.gateway_peers import FakeNotifier, Peers, alert
from tests.support.gateway_world import make_world

MUST_RUN = bool(os.environ.get("OPENMANAGER_TEST_REQUIRE_SERVERS"))
PICTURES = os.environ.get("OPENMANAGER_TEST_PICTURES")
pytestmark = pytest.mark.skipif(CHROMIUM is None and not MUST_RUN, reason="Chromium is not installed (apt install chromium)")

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    # The page reckons with the browser's clock, so the services have to live now.
    now_ms = round(time.time() * 1000)
    peers = Peers(server_gen=FakeFleet(now_ms))
    make_world(peers, 24, now_ms)
    _befall(peers, now_ms)
    async with running_gateway(tmp_path, clock=ManualClock(now_ms / 1000), peers=peers) as running:
        yield running


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with browser_page() as page:
        yield page
        assert page.errors == []


def _fault(fleet: FakeFleet, kind: str, server: str, minutes_ago: int, minutes: int, *, harmless: bool = False) -> None:
    fault = server_gen_pb2.Fault(
        id=f"f-{kind}-{minutes_ago}", kind=kind, server=server, severity=0.6, harmless=harmless, source="calm", servers=[server],
        root_cause=f"something is wrong with {server}", state=server_gen_pb2.FAULT_STATE_ENDED,
    )  # fmt: skip
    start_ms = fleet.now_ms - minutes_ago * MINUTE_MS
    fault.start.FromMilliseconds(start_ms)
    fault.end.FromMilliseconds(start_ms + minutes * MINUTE_MS)
    for k, metric in enumerate(("cpu", "latency", "node_load1")):
        fault.symptoms.add(server=server, metric=metric, direction=1 - k).onset.FromMilliseconds(start_ms + 5000 * (k + 1))
    if minutes_ago < minutes:
        fault.state = server_gen_pb2.FAULT_STATE_ACTIVE
    fleet.faults[fault.id] = fault


def _alert(notifier: FakeNotifier, alert_id: str, server: str, at_ms: int) -> None:
    made = alert(alert_id, notifier_pb2.ALERT_STATE_RESOLVED)
    made.labels[1].value = server
    made.started_at.FromMilliseconds(at_ms - 30_000)
    made.fired_at.FromMilliseconds(at_ms)
    made.ends_at.FromMilliseconds(at_ms + 10 * MINUTE_MS)
    notifier.alerts.append(made)


def _befall(peers: Peers, now_ms: int) -> None:
    fleet, notifier = peers.server_gen, peers.notifier
    fleet.faults.clear()
    _fault(fleet, "memory_leak", "web-01", 300, 60)  # an alert comes four minutes after it began
    _fault(fleet, "cpu_runaway", "api-02", 200, 30)  # nothing notices it
    _fault(fleet, "backup_window", "database-01", 500, 40, harmless=True)  # an alert takes it for a fault
    _fault(fleet, "backup_window", "cache-01", 700, 40, harmless=True)  # nothing is raised about it
    _fault(fleet, "gradual_degradation", "queue-01", 5, 90)  # under way
    _fault(fleet, "disk_fill", "app-01", 30 * 60, 60)  # over before the fleet was watched
    notifier.alerts.clear()
    _alert(notifier, "a-1", "web-01", now_ms - 296 * MINUTE_MS)
    _alert(notifier, "a-2", "database-01", now_ms - 490 * MINUTE_MS)
    _alert(notifier, "a-3", "app-02", now_ms - 100 * MINUTE_MS)  # about nothing
    _alert(notifier, "a-4", "somebody-else", now_ms - 90 * MINUTE_MS)  # no server of the fleet


async def _open(page: Page, gateway: RunningGateway, tab: str, ready: str, **window: object) -> None:
    await page.open(f"{gateway.url}/#token={TOKEN}", **window)  # type: ignore[arg-type]
    await page.until("document.querySelector('.grid')")
    await page.run(f"location.hash = '#/fleet/{tab}'")
    await page.until(ready)


async def _picture(page: Page, name: str) -> None:
    assert await page.run("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    if PICTURES:
        await page.picture(Path(PICTURES) / f"{name}.png", whole=True)


WINDOWS = [
    pytest.param({}, id="desktop"),
    pytest.param({"dark": True, "lang": "ko"}, id="dark"),
    pytest.param({"width": 390, "height": 844}, id="narrow"),
    pytest.param({"width": 390, "height": 844, "dark": True, "lang": "ko"}, id="narrow-dark"),
]


@pytest.mark.parametrize("window", WINDOWS)
async def test_every_part_fits_its_window(
    gateway: RunningGateway, page: Page, window: dict[str, object], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    await _open(page, gateway, "hosts", "document.querySelectorAll('.host').length === 24", **window)
    await _picture(page, f"world-hosts-{name}")
    await page.run("location.hash = '#/fleet/dependencies'")
    await page.until("document.querySelectorAll('svg .node').length === 24")
    await _picture(page, f"world-graph-{name}")
    await page.run("location.hash = '#/fleet/truth'")
    await page.until("document.querySelectorAll('.beside tbody tr').length === 6")
    await _picture(page, f"world-truth-{name}")
    await page.run("location.hash = '#/fleet/hosts'")
    await page.until("document.querySelector('.host-fault')")
    await page.run("document.querySelector('.host-fault').click()")
    await page.until("document.querySelector('dialog[open] .kinds button')")
    await _picture(page, f"world-inject-{name}")


async def test_two_clicks_inject_a_fault_and_a_third_withdraws_it(gateway: RunningGateway, page: Page) -> None:
    await _open(page, gateway, "hosts", "document.querySelector('.host-fault')")
    await page.run(
        "[...document.querySelectorAll('.host')].find((row) => row.textContent.includes('web-02')).querySelector('button').click()"
    )
    await page.until("document.querySelector('dialog[open]')")
    await page.run("document.querySelector('dialog [data-kind=memory_leak]').click()")
    await page.until("!document.querySelector('dialog')")
    card = "[...document.querySelectorAll('.fault')].find((card) => card.textContent.includes('web-02'))"
    await page.until(f"{card}?.textContent.includes('Memory leak')")
    order = gateway.peers.server_gen.requests[gateway.peers.server_gen.calls.index("InjectFault")]
    await page.run("location.hash = '#/fleet/truth'")
    row = "[...document.querySelectorAll('.beside tbody tr')].find((row) => row.textContent.includes('web-02'))"
    await page.until(f"{row}?.textContent.includes('not yet')")
    await page.run(f"{card}.querySelector('button').click()")
    await page.until(f"!{card}")
    await page.until(f"{row}?.textContent.includes('cancelled')")

    assert (order.kind, order.server, order.severity, order.duration.seconds) == ("memory_leak", "web-02", 0.7, 900)


async def test_a_fault_that_is_refused_is_told_where_it_was_asked_for(gateway: RunningGateway, page: Page) -> None:
    await gateway(
        "POST", "/api/v1/fleet/faults", {"kind": "cpu_runaway", "server": "web-01", "duration_seconds": 60, "severity": 1}
    )
    await _open(page, gateway, "hosts", "document.querySelector('.host-fault')")
    await page.run(
        "[...document.querySelectorAll('.host')].find((row) => row.textContent.includes('web-01')).querySelector('button').click()"
    )
    await page.until("document.querySelector('dialog[open]')")
    await page.run("document.querySelector('dialog [data-kind=cpu_runaway]').click()")
    await page.until("document.querySelector('dialog [role=alert]')?.textContent.includes('there is one already')")
    page.errors.clear()  # the browser reports the refusal on its console


async def test_what_was_noticed_is_judged_by_the_truth(gateway: RunningGateway, page: Page) -> None:
    await _open(page, gateway, "truth", "document.querySelectorAll('.beside tbody tr').length === 6")
    rows = await page.run(
        "[...document.querySelectorAll('.beside tbody tr')].map((row) => [row.querySelector('strong')?.textContent ?? '', row.className, row.querySelector('.found')?.textContent ?? ''])"
    )
    await page.run("[...document.querySelectorAll('.counts button')].find((button) => button.textContent === '14d').click()")
    await page.until("document.querySelectorAll('.beside tbody tr').length === 7")
    last = await page.run("[...document.querySelectorAll('.beside tbody tr')].at(-1).className")
    await page.run(
        "[...document.querySelectorAll('.counts button')].find((button) => button.textContent.includes('missed')).click()"
    )
    await page.until("document.querySelectorAll('.beside tbody tr').length === 1")

    assert [(kind, verdict) for kind, verdict, _ in rows] == [
        ("Gradual degradation", "verdict-notYet"),
        ("", "verdict-falseAlarm"),
        ("CPU runaway", "verdict-missed"),
        ("Memory leak", "verdict-matched"),
        ("Backup window", "verdict-falseAlarm"),
        ("Backup window", "verdict-leftAlone"),
    ]
    assert "+4 min" in rows[3][2]
    assert last == "verdict-unwatched"


async def test_the_graph_is_walked_with_the_keyboard(gateway: RunningGateway, page: Page) -> None:
    await _open(page, gateway, "dependencies", "document.querySelectorAll('svg .node').length === 24")
    await page.run("document.querySelector('svg .node[tabindex=\"0\"]').focus()")
    stops = await page.run("document.querySelectorAll('svg .node[tabindex=\"0\"]').length")
    first = await page.run("document.activeElement.dataset.key")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        for kind in ("keyDown", "keyUp"):
            await page.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)
    await page.until("document.querySelector('svg .node.chosen')")
    label = str(await page.run("document.activeElement.getAttribute('aria-label')"))
    lit = await page.run("document.querySelectorAll('.edge.on').length")
    listed = await page.run("document.querySelectorAll('.graph details tbody tr').length")

    assert stops == 1
    assert str(first).startswith("load_bal-")
    assert label.startswith("web-")
    assert "Calls: api-" in label
    assert lit > 0
    assert listed == await page.run("document.querySelectorAll('.edge').length")


async def test_a_thousand_servers_stay_handy(gateway: RunningGateway, page: Page) -> None:
    gateway.peers.metrics.servers.clear()
    make_world(gateway.peers, 1000, gateway.peers.server_gen.now_ms)
    await _open(page, gateway, "hosts", "document.querySelectorAll('.group').length === 8")
    closed = await page.run("document.querySelectorAll('.host').length")
    await page.run("document.querySelector('.group-head').click()")
    await page.until("document.querySelectorAll('.host').length === 50")
    await page.run("location.hash = '#/fleet/dependencies'")
    await page.until("document.querySelectorAll('svg .node').length === 24")
    await _picture(page, "world-graph-thousand")

    assert closed == 0


async def test_a_viewer_is_offered_nothing_to_change(gateway: RunningGateway, page: Page) -> None:
    await _open(page, gateway, "hosts", "document.querySelector('.host-fault')")
    await page.run(
        "(window.real = window.fetch, window.fetch = (path, how) => path === '/api/v1/caller'"
        ' ? Promise.resolve(new Response(\'{"role":"viewer","proof":"session"}\')) : window.real(path, how), location.hash = \'#/\')'
    )
    await page.until("document.querySelector('.grid')")
    await page.run("location.hash = '#/fleet'")
    await page.until("document.querySelectorAll('.host').length === 24")
    await page.until("document.querySelector('.fault')")

    assert await page.run("document.querySelectorAll('.host-fault, .fault button').length") == 0
