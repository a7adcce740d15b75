"""Targets that behave, and targets that do not."""

import asyncio
import gzip
import itertools
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.common.clock import ManualClock, settle
from services.metrics.domain.health import Health
from services.metrics.domain.inventory import Inventory
from services.metrics.domain.ports import StoreLimits
from services.metrics.domain.scrape.target import TargetState
from tests.support.scrape import MAX_BODY_BYTES, Handler, Scraper, a_job, page, scraping, serving, the_target
from tests.support.waiting import until

PAGE = '# TYPE a counter\na{x="1"} 1\na{x="2"} NaN\nb +Inf\nc 5 1699999990000\n'


@pytest.fixture
async def scraper() -> AsyncIterator[Scraper]:
    async with scraping() as made:
        yield made


async def scraped(scraper: Scraper, handler: Handler, ssl_context: Any = None, **config: Any) -> tuple[TargetState, str]:
    """State and error after one scrape of a target that answers like this."""
    async with serving(handler, ssl_context) as address:
        loop = scraper.loop(the_target(a_job(**config), address))
        await scraper.scrape(loop)
        assert await scraper.value(f'up{{instance="{address}"}}') == (1.0 if loop.health.state is TargetState.UP else 0.0)
        return loop.health.state, loop.health.error


async def test_a_page_is_stored_with_the_targets_labels_and_what_the_scrape_tells_of_itself(scraper: Scraper) -> None:
    async with serving(page(PAGE)) as address:
        loop = scraper.loop(the_target(a_job(), address, role="web"))
        await scraper.scrape(loop)
    own = (("instance", address), ("job", "test"), ("role", "web"), ("server", "127.0.0.1"))
    assert await scraper.query('a{x="1"}') == {(("__name__", "a"), *own, ("x", "1")): 1.0}
    assert await scraper.value("b") == float("inf")
    assert (await scraper.samples("c")) == [(-10.0, 5.0)]
    assert await scraper.query("up") == {(("__name__", "up"), *own): 1.0}
    assert await scraper.value("scrape_samples_scraped") == 4.0
    assert await scraper.value("scrape_samples_post_metric_relabeling") == 4.0
    assert await scraper.value("scrape_series_added") == 3.0
    assert await scraper.value("scrape_duration_seconds") is not None
    assert (loop.health.state, loop.health.samples, loop.health.error) == (TargetState.UP, 4, "")


async def test_a_series_that_is_gone_from_the_page_is_gone_at_once(scraper: Scraper) -> None:
    texts = iter(["a 1\nb 1\n", "a 2\n", "b 3\na 3\n"])

    async def handler(request: web.Request) -> web.StreamResponse:
        return await page(next(texts))(request)

    async with serving(handler) as address:
        loop = scraper.loop(the_target(a_job(), address))
        await scraper.scrape(loop)
        assert await scraper.value("b") == 1.0
        await scraper.clock.advance(15)
        await scraper.scrape(loop)
        assert (await scraper.value("a"), await scraper.value("b")) == (2.0, None)
        await scraper.clock.advance(15)
        await scraper.scrape(loop)
        assert (await scraper.value("a"), await scraper.value("b")) == (3.0, 3.0)
    assert await scraper.samples("b") == [(0.0, 1.0), (15.0, -1.0), (30.0, 3.0)]
    await scraper.clock.advance(15)
    await scraper.scrape(loop)  # nobody is there any more
    assert loop.health.state is TargetState.DOWN
    assert "no connection" in loop.health.error
    assert (await scraper.value("a"), await scraper.value("up")) == (None, 0.0)
    await scraper.clock.advance(15)
    await scraper.scrape(loop)
    assert await scraper.samples("b") == [(0.0, 1.0), (15.0, -1.0), (30.0, 3.0), (45.0, -1.0)], "marked once, not each time"
    await loop.end()
    await scraper.clock.advance(1)
    assert await scraper.value("up") is None


async def test_a_server_that_is_scraped_in_vain_is_unknown_and_not_well(scraper: Scraper) -> None:
    inventory = Inventory(scraper.store)

    async def health() -> list[Health]:
        return [server.health for server in await inventory.servers(round(scraper.clock.now() * 1000))]

    async with serving(page("node_load1 0.5\n")) as address:
        loop = scraper.loop(the_target(a_job(), address))
        await scraper.scrape(loop)
        assert await health() == [Health.OK]
    for _ in range(25):
        await scraper.clock.advance(15)
        await scraper.scrape(loop)
    assert await scraper.value("up") == 0.0
    assert await health() == [Health.UNKNOWN]


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (page("a 1\nb one\n"), "line 2: 'one' is no number"),
        (page('a 1\nb{c="d" 1\n'), "line 2: the labels of 'b{c=\"d\" 1' are not closed"),
        (page("a 1", status=500), "it answered with status 500"),
        (page("a 1", status=204), "it answered with status 204"),
        (page("x" * (MAX_BODY_BYTES + 1)), f"the page is larger than {MAX_BODY_BYTES:,} bytes"),
    ],
)
async def test_a_page_that_cannot_be_used_is_a_target_that_is_down(scraper: Scraper, handler: Handler, error: str) -> None:
    assert await scraped(scraper, handler) == (TargetState.DOWN, error)
    assert await scraper.query("a") == {}, "nothing of a bad page is stored"


def answering(body: bytes, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return handler


async def test_bodies_that_are_not_what_they_say(scraper: Scraper) -> None:
    bodies: dict[str, tuple[bytes, dict[str, str]]] = {
        "it answered with text/html, which is no page of metrics; is metrics_path right?": (b"<p>", {"Content_Type": "text/html"}),
        "the page is not compressed as it says": (b"a 1\n", {"Content_Type": "text/plain", "Content_Encoding": "gzip"}),
        "the compressed page is broken off": (
            gzip.compress(b"a 1\n" * 1000)[:-9],
            {"Content_Type": "text/plain", "Content_Encoding": "gzip"},
        ),
        f"the page is larger than {MAX_BODY_BYTES:,} bytes": (
            gzip.compress(b"\n" * 200_000_000, 1),
            {"Content_Type": "text/plain", "Content_Encoding": "gzip"},
        ),
        "it answered with the encoding br, which was not asked for": (b"", {"Content_Type": "text/plain", "Content_Encoding": "br"}),
        "line 2: not UTF-8": (b"a 1\nb\xff 1\n", {"Content_Type": "text/plain"}),
        "line 2: the page is broken off, for it does not end with # EOF": (b"a 1\n", {"Content_Type": "application/openmetrics-text"}),
    }  # fmt: skip
    for error, (body, headers) in bodies.items():
        assert await scraped(scraper, answering(body, **headers)) == (TargetState.DOWN, error)
        await scraper.clock.advance(1)


async def test_a_compressed_page_is_read(scraper: Scraper) -> None:
    text = "\n".join(f'a{{number="{number}"}} {number}' for number in range(20_000)).encode()
    headers = {"Content_Type": "text/plain", "Content_Encoding": "gzip"}
    body = gzip.compress(text[:100_000]) + gzip.compress(text[100_000:])
    assert (await scraped(scraper, answering(body, **headers)))[0] is TargetState.UP
    assert await scraper.value("sum(a)") == sum(range(20_000))


@pytest.mark.parametrize("begin", ["silent", "dripping", "comments"])
async def test_a_target_that_never_ends_costs_no_more_than_its_timeout(scraper: Scraper, begin: str) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        asked.set()
        try:
            if begin == "silent":
                await asyncio.Event().wait()
            await response.prepare(request)
            while True:
                await response.write(b"a" if begin == "dripping" else b"# more\n")
                await asyncio.sleep(0.001)
        finally:
            gone.set()
        return response

    async with serving(handler) as address:
        loop = scraper.loop(the_target(a_job(scrape_timeout="3s", scrape_interval="15s"), address))
        task = asyncio.create_task(scraper.scrape(loop))
        await asyncio.wait_for(asked.wait(), 10)
        await scraper.clock.advance(2.9)
        assert not task.done()
        await scraper.clock.advance(0.2)
        await asyncio.wait_for(task, 10)
        await asyncio.wait_for(gone.wait(), 10)
    assert (loop.health.state, loop.health.error) == (TargetState.DOWN, "the page did not come within 3 s")
    assert await scraper.value("scrape_duration_seconds") == pytest.approx(3.0)


async def test_redirects_are_followed_a_few_times_and_only_over_http(scraper: Scraper) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/metrics":
                raise web.HTTPFound("/here")
            case "/here":
                return await page("a 1\n")(request)
            case "/away":
                raise web.HTTPFound("file:///etc/passwd")
            case _:
                raise web.HTTPFound("/loop")

    assert await scraped(scraper, handler) == (TargetState.UP, "")
    await scraper.clock.advance(1)
    assert await scraped(scraper, handler, metrics_path="/loop") == (TargetState.DOWN, "it redirects more than 5 times")
    await scraper.clock.advance(1)
    error = "it leads to a URL that is none of http or https"
    assert await scraped(scraper, handler, metrics_path="/away") == (TargetState.DOWN, error)
    await scraper.clock.advance(1)
    assert await scraped(scraper, handler, follow_redirects=False) == (TargetState.DOWN, "it answered with status 302")


async def test_credentials_are_shown_to_the_target_and_to_nobody_that_it_redirects_to(scraper: Scraper, tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        return await page("a 1\n")(request)

    async with serving(elsewhere) as other:

        async def handler(request: web.Request) -> web.StreamResponse:
            seen.append(request.headers.get("Authorization"))
            if request.headers.get("Authorization") is None:
                return web.Response(status=401)
            raise web.HTTPFound(f"http://{other}/metrics")

        assert await scraped(scraper, handler) == (TargetState.DOWN, "it answered with status 401")
        secret = tmp_path / "token"
        secret.write_text("t0ken\n")
        for config in (
            {"basic_auth": {"username": "me", "password": "secret"}},
            {"bearer_token": "t0ken"},
            {"authorization": {"credentials_file": str(secret)}},
        ):
            await scraper.clock.advance(1)
            assert (await scraped(scraper, handler, **config))[0] is TargetState.UP
    assert seen == [None, "Basic bWU6c2VjcmV0", None, "Bearer t0ken", None, "Bearer t0ken", None]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


async def test_certificates_are_verified_unless_that_is_switched_off(scraper: Scraper, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    ca = str(certificate[0])
    for tls, up in (
        ({}, False),
        ({"ca_file": ca, "server_name": "localhost"}, True),
        ({"ca": certificate[0].read_text(), "server_name": "localhost"}, True),
        ({"ca_file": ca, "server_name": "elsewhere"}, False),
        ({"insecure_skip_verify": True}, True),
        ({"ca_file": ca + ".gone"}, False),
    ):
        state, error = await scraped(scraper, page("a 1\n"), context, scheme="https", tls_config=tls)
        assert (state is TargetState.UP) == up, error
        assert bool(error) != up
        await scraper.clock.advance(1)
    assert error.endswith("cert.pem.gone: No such file or directory")


async def test_limits_of_a_job(scraper: Scraper) -> None:
    text = 'a{long="0123456789012345678901234567890"} 1\nb 1\nc 1\n'
    drop = [{"source_labels": ["__name__"], "regex": "c", "action": "drop"}]
    for config, error in (
        ({"sample_limit": 2}, "the page has 3 samples, and sample_limit is 2"),
        ({"sample_limit": 2, "metric_relabel_configs": drop}, ""),
        ({"label_limit": 4}, "a has 5 labels, and label_limit is 4"),
        ({"label_name_length_limit": 6}, "label __name__ of a is longer than label_name_length_limit"),
        ({"label_value_length_limit": 30}, "the value of label long of a is longer than label_value_length_limit"),
        ({"body_size_limit": 20}, "the page is larger than 20 bytes"),
    ):
        state, told = await scraped(scraper, page(text), **config)
        assert (told, state) == (error, TargetState.DOWN if error else TargetState.UP)
        await scraper.clock.advance(1)


async def test_series_that_the_store_does_not_take_are_told_and_cost_no_others() -> None:
    async with scraping(StoreLimits(max_series=7)) as scraper:
        state, error = await scraped(scraper, page("a 1\nb 1\nc 1\nd 1\n"))
        assert state is TargetState.UP
        assert error.startswith("2 series were not taken: the store holds 7 series")
        assert (await scraper.value("b"), await scraper.value("c")) == (1.0, None)


async def test_who_wins_when_the_page_and_the_target_have_a_label_each(scraper: Scraper) -> None:
    text = 'a{instance="10.0.0.1:80",job="x",exported_job="y",server=""} 1\n'
    async with serving(page(text)) as address:
        await scraper.scrape(scraper.loop(the_target(a_job(), address)))
        (labels,) = await scraper.query("a")
        assert dict(labels) == {
            "__name__": "a", "instance": address, "job": "test", "server": "127.0.0.1",
            "exported_instance": "10.0.0.1:80", "exported_exported_job": "x", "exported_job": "y",
        }  # fmt: skip
        await scraper.clock.advance(400)
        await scraper.scrape(scraper.loop(the_target(a_job(honor_labels=True), address)))
        (labels,) = await scraper.query("a")
        assert dict(labels) == {"__name__": "a", "instance": "10.0.0.1:80", "job": "x", "exported_job": "y"}


async def test_each_target_has_its_place_in_the_interval(scraper: Scraper) -> None:
    times: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        times.append(scraper.clock.now())
        return await page("a 1\n")(request)

    async with serving(handler) as address:
        loop = scraper.loop(the_target(a_job(scrape_interval="15s"), address))
        task = asyncio.create_task(loop.run())
        for _ in range(3):
            seen = len(times)
            clock: ManualClock = scraper.clock
            while len(times) == seen:
                await clock.advance(1.0)
                await asyncio.sleep(0.01)
            await until_written(scraper)
        task.cancel()
        await asyncio.wait([task])
    assert [round(b - a, 6) for a, b in itertools.pairwise(times)] == [15.0, 15.0]


async def until_written(scraper: Scraper) -> None:
    async def written() -> bool:
        await settle()
        found = await scraper.samples("a")
        return bool(found) and abs(scraper.clock.now() - 1_700_000_000.0 - found[-1][0]) < 2.0

    await until(written, seconds=10, every=0.01)


@pytest.mark.skipif(shutil.which("prometheus-node-exporter") is None, reason="prometheus-node-exporter is not on PATH")
async def test_the_page_of_a_real_node_exporter(scraper: Scraper) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        "prometheus-node-exporter", f"--web.listen-address={address}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        loop = scraper.loop(the_target(a_job(), address))

        async def is_up() -> bool:
            await scraper.clock.advance(15)
            await scraper.scrape(loop)
            return loop.health.state is TargetState.UP

        await until(is_up, seconds=20)
        before = await scraper.value("scrape_samples_scraped")
        assert before is not None
        assert before > 200
        assert await scraper.value("node_memory_MemTotal_bytes") == await scraper.value("node_memory_MemTotal_bytes")
        assert await is_up()
        assert loop.health.error == ""
        assert len(await scraper.query("node_cpu_seconds_total")) >= 8
    finally:
        process.kill()
        await process.wait()
