"""The state and the metrics of all parts of the suite."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc.aio
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from openmanager.common.v1 import telemetry_pb2, telemetry_pb2_grpc
from services.common.errors import DeadlineExceededError, OpenManagerError
from services.common.telemetry import Telemetry
from services.gateway.adapters.calls import call
from services.gateway.domain.ports import PartStatus

log = structlog.get_logger("gateway.suite")

CHECK_TIMEOUT_SECONDS: Final = 1.0
EXPORT_TIMEOUT_SECONDS: Final = 2.0


class SuiteClient:
    """Asks every service how it is; a service that does not answer in time is unreachable, and the others are told all the same."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], own: Telemetry) -> None:
        self._health: dict[str, Any] = {name: health_pb2_grpc.HealthStub(channel) for name, channel in channels.items()}
        self._telemetry = {name: telemetry_pb2_grpc.TelemetryServiceStub(channel) for name, channel in channels.items()}
        self._own = own

    async def check(self) -> dict[str, PartStatus]:
        """The state of each service by name."""
        names = list(self._health)
        return dict(zip(names, await asyncio.gather(*map(self._check_one, names)), strict=True))

    async def exposition(self) -> bytes:
        """The metrics of all services and of the gateway, each sample with a label `service`."""
        names = list(self._telemetry)
        texts = dict(zip(names, await asyncio.gather(*map(self._export_one, names)), strict=True))
        texts[self._own.service] = self._own.exposition()
        return await asyncio.to_thread(merge_expositions, texts)

    async def _check_one(self, name: str) -> PartStatus:
        try:
            response = await call(self._health[name].Check, health_pb2.HealthCheckRequest(), CHECK_TIMEOUT_SECONDS)
        except DeadlineExceededError:
            return PartStatus("unreachable", f"it did not answer within {CHECK_TIMEOUT_SECONDS:g} s")
        except OpenManagerError as error:
            log.info("health_unknown", service=name, reason=error.reason, detail=error.message)
            return PartStatus("unreachable", "it is not running or cannot be reached")
        if response.status == health_pb2.HealthCheckResponse.SERVING:
            return PartStatus("serving")
        return PartStatus("not_serving", "it is starting or stopping")

    async def _export_one(self, name: str) -> bytes | None:
        try:
            request = telemetry_pb2.ExportMetricsRequest()
            response = await call(self._telemetry[name].ExportMetrics, request, EXPORT_TIMEOUT_SECONDS)
        except OpenManagerError as error:
            log.warning("no_metrics_of_service", service=name, reason=error.reason, detail=error.message)
            return None
        return response.exposition


def merge_expositions(texts: Mapping[str, bytes | None]) -> bytes:
    """One page of Prometheus text 0.0.4 out of several, where None stands for a service that did not answer.

    Families of the same name become one; `openmanager_up` tells which services answered. A text that does not parse counts as no
    answer.
    """
    families: dict[str, Metric] = {}
    up = GaugeMetricFamily("openmanager_up", "Whether the service answered.", labels=["service"])
    for service, text in texts.items():
        parsed = None if text is None else _parse(service, text)
        up.add_metric([service], 0.0 if parsed is None else 1.0)
        for family in parsed or ():
            known = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                known.samples.append(sample._replace(labels={**sample.labels, "service": service}))
    return generate_latest(_Fixed([up, *families.values()]))


class _Fixed(Collector):
    """What `generate_latest` reads from."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _parse(service: str, text: bytes) -> list[Metric] | None:
    try:
        return list(text_string_to_metric_families(text.decode("utf-8")))
    except (ValueError, KeyError, IndexError) as error:
        log.error("metrics_of_service_do_not_parse", service=service, error=repr(error))
        return None
