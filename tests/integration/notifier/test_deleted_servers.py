"""The notifier over the real metrics service: a server that is deleted, and one that falls silent."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np

from openmanager.common.v1 import label_pb2
from openmanager.metrics.v1 import metrics_pb2
from openmanager.metrics.v1.metrics_pb2_grpc import MetricsServiceStub
from openmanager.notifier.v1 import notifier_pb2 as pb
from openmanager.notifier.v1.notifier_pb2_grpc import NotifierServiceStub
from services.common.clock import ManualClock, settle
from services.metrics.app import build as build_metrics
from services.metrics.settings import MetricsSettings
from services.notifier.adapters.metrics_client import MetricsClient
from services.notifier.app import build as build_notifier
from services.notifier.settings import NotifierSettings
from tests.support.services import InProcess, in_process
from tests.support.waiting import until

NOW = 1_795_000_000.0
AWKWARD = 'db "1"\\ 서버'
"""A name with everything that must be quoted in a selector."""


class Suite:
    """Two services on one clock that goes on only when it is told to."""

    def __init__(self, services: InProcess, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.services = services
        self._folder = folder
        self.metrics = MetricsServiceStub(services.channel("metrics"))
        self.notifier = NotifierServiceStub(services.channel("notifier"))

    async def start(self, name: str) -> None:
        if name == "metrics":
            measured = MetricsSettings(data_dir=self._folder, host_enabled=False, fleet_enabled=False)
            await self.services.start(name, lambda connect, telemetry: build_metrics(measured, connect, telemetry, self.clock))
        else:
            told = NotifierSettings(data_dir=self._folder)
            await self.services.start(name, lambda connect, telemetry: build_notifier(told, connect, telemetry, self.clock))

    async def stop(self, name: str) -> None:
        await self.services.stop(name)

    async def write(self, *series: dict[str, str], value: float) -> None:
        labels = [label_pb2.LabelSet(labels=[label_pb2.Label(name=n, value=v) for n, v in sorted(s.items())]) for s in series]
        registered = await self.metrics.RegisterSeries(metrics_pb2.RegisterSeriesRequest(series=labels))
        samples = label_pb2.SampleColumns(
            series_ids=registered.ids,
            timestamps_ms=np.full(len(series), round(self.clock.now() * 1000), "<i8").tobytes(),
            values=np.full(len(series), value, "<f8").tobytes(),
        )
        await self.metrics.Write(metrics_pb2.WriteRequest(store_id=registered.store_id, samples=samples))

    async def delete(self, selector: str) -> None:
        await self.metrics.DeleteSeries(metrics_pb2.DeleteSeriesRequest(selectors=[selector]))

    async def states(self) -> dict[str, str]:
        """State of each alert, over or not, by its rule and server or device."""
        alerts = (await self.notifier.ListAlerts(pb.ListAlertsRequest())).alerts
        found = {}
        for alert in alerts:
            labels = {label.name: label.value for label in alert.labels}
            key = f"{labels['alertname']}: {labels.get('device', labels['server'])}"
            found[key] = pb.AlertState.Name(alert.state).removeprefix("ALERT_STATE_").lower()
            assert alert.HasField("ends_at") == (alert.state == pb.ALERT_STATE_RESOLVED)
        return found

    async def expect(self, wanted: dict[str, str]) -> None:
        """Waits for these states, while the clock goes on by a little for rules that were evaluated just now."""

        async def are_so() -> bool:
            await self.clock.advance(0.25)
            await settle()
            return await self.states() == wanted

        await until(are_so, every=0.01)

    async def told(self) -> Sequence[tuple[str, str]]:
        """(type, server) of everything in the outbox, the oldest first."""
        rows = (await self.notifier.ListNotifications(pb.ListNotificationsRequest(page_size=100))).notifications
        return [(row.type, row.server) for row in reversed(rows)]

    async def make_rule(self, name: str, expr: str, **changes: object) -> None:
        rule = pb.Rule(name=name, expr=expr, channels=["ops"], severity=pb.SEVERITY_WARNING, **changes)  # type: ignore[arg-type]
        await self.notifier.CreateRule(pb.CreateRuleRequest(rule=rule))


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Suite]:
    async with in_process() as services:
        suite = Suite(services, folder)
        await suite.start("metrics")
        await suite.start("notifier")
        # Nobody listens there: what is told stays in the outbox.
        config = '{"url": "http://127.0.0.1:9/", "allow_private": true}'
        await suite.notifier.CreateChannel(
            pb.CreateChannelRequest(channel=pb.Channel(name="ops", kind="webhook", config_json=config))
        )
        yield suite


def cpu(server: str) -> dict[str, str]:
    return {"__name__": "cpu", "server": server}


async def test_an_alert_of_a_deleted_server_is_over_and_one_of_a_silent_server_is_unknown(tmp_path: Path) -> None:
    async with running(tmp_path) as suite:
        await suite.make_rule("hot", "cpu > 90", keep_firing_for={"seconds": 3600})
        await suite.make_rule("heard", "cpu > 99", no_data=pb.NO_DATA_POLICY_ALERT)
        await suite.write(cpu("deleted"), cpu(AWKWARD), cpu("silent"), value=95.0)
        await suite.expect({f"hot: {server}": "firing" for server in ("deleted", AWKWARD, "silent")})

        await suite.delete('cpu{server="deleted"}')
        now = {"hot: deleted": "resolved", f"hot: {AWKWARD}": "firing", "hot: silent": "firing"}
        await suite.expect(now)

        await suite.clock.advance(400)
        silent = {
            "hot: deleted": "resolved",
            f"hot: {AWKWARD}": "unknown",
            "hot: silent": "unknown",
            f"heard: {AWKWARD}": "firing",
            "heard: silent": "firing",
        }
        await suite.expect(silent)

        await suite.delete('cpu{server=~"db.*"}')
        await suite.expect(silent | {f"hot: {AWKWARD}": "resolved", f"heard: {AWKWARD}": "resolved"})
        for _ in range(5):
            await suite.clock.advance(60)
            await settle()
        assert (await suite.states())["hot: silent"] == "unknown"
        told = await suite.told()
        once = [(kind, "deleted") for kind in ("firing", "resolved")]
        by_both_rules = [*[(kind, AWKWARD) for kind in ("firing", "resolved")], ("firing", "silent")]
        assert sorted(told) == sorted([*once, *by_both_rules, *by_both_rules])


async def test_one_disk_that_is_deleted_ends_its_own_alert_only(tmp_path: Path) -> None:
    async with running(tmp_path) as suite:
        await suite.make_rule("full", "disk > 90")
        disks = [{"__name__": "disk", "server": "db-01", "device": device} for device in ("sda", "sdb")]
        await suite.write(*disks, value=99.0)
        await suite.expect({"full: sda": "firing", "full: sdb": "firing"})
        await suite.delete('disk{device="sdb"}')
        await suite.expect({"full: sda": "firing", "full: sdb": "resolved"})


async def test_any_number_of_label_sets_is_looked_up(tmp_path: Path) -> None:
    async with running(tmp_path) as suite:
        await suite.write(*(cpu(f"web-{number}") for number in range(0, 1200, 2)), {**cpu("db-01"), "core": "3"}, value=1.0)
        client = MetricsClient(suite.services.channel("metrics"), 10.0)
        asked = [{"server": f"web-{number}"} for number in range(1200)]
        assert await client.held({"cpu", "load"}, asked) == [number % 2 == 0 for number in range(1200)]
        assert await client.held(None, [{"server": "db-01"}, {"core": "3", "server": "db-01"}, {"core": "4"}]) == [
            True,
            True,
            False,
        ]
        assert await client.held({"load"}, [{"server": "db-01"}]) == [False]


async def test_a_server_deleted_while_the_notifier_is_off_is_over_once_it_is_back(tmp_path: Path) -> None:
    async with running(tmp_path) as suite:
        await suite.make_rule("hot", "cpu > 90")
        await suite.write(cpu("deleted"), cpu("silent"), value=95.0)
        await suite.expect({"hot: deleted": "firing", "hot: silent": "firing"})
        await suite.stop("notifier")
        await suite.delete('cpu{server="deleted"}')
        await suite.clock.advance(400)
        await suite.start("notifier")
        await suite.expect({"hot: deleted": "resolved", "hot: silent": "unknown"})
        assert (await suite.told()).count(("resolved", "deleted")) == 1
