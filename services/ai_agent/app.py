"""The AI agent, put together."""

from zoneinfo import ZoneInfo

import grpc.aio
import structlog

from openmanager.ai_agent.v1 import ai_agent_pb2_grpc
from services.ai_agent.adapters.metrics import GrpcMetricsReader
from services.ai_agent.domain.analyze.service import AnalyzeService
from services.ai_agent.domain.ask import AskService
from services.ai_agent.domain.engines.breaker import CircuitBreaker
from services.ai_agent.domain.engines.engine import Engine, MissingEngine
from services.ai_agent.domain.engines.registry import EngineRegistry
from services.ai_agent.domain.nlq.lexicon import load_lexicon
from services.ai_agent.domain.nlq.understand import Understander
from services.ai_agent.door import STOP_SECONDS, HttpDoor
from services.ai_agent.instruments import Instruments
from services.ai_agent.servicer import AiAgentServicer
from services.ai_agent.settings import AiAgentSettings
from services.ai_agent.web import make_app
from services.common import plugins
from services.common.clock import Clock
from services.common.lifecycle import Lifecycle
from services.common.pools.pool import PoolInstruments
from services.common.pools.processes import WorkerPool
from services.common.pools.threads import ThreadPool
from services.common.service import Connect, Service
from services.common.telemetry import Telemetry

log = structlog.get_logger("ai_agent.app")

ENGINES_GROUP = "openmanager.engines"


def build(settings: AiAgentSettings, connect: Connect, telemetry: Telemetry, clock: Clock) -> Service:
    """The service, not yet started."""
    reader = GrpcMetricsReader(connect("metrics"), clock, timeout_seconds=settings.query_seconds)
    registry = EngineRegistry(clock, reader)
    for engine in load_engines(settings.engine_names):
        breaker = CircuitBreaker(clock, failures_to_open=settings.breaker_failures, open_seconds=settings.breaker_seconds)
        registry.register(engine, breaker)
    pool_instruments = PoolInstruments(telemetry)
    threads = ThreadPool(
        "analyze", workers=settings.analyze_threads, queue_size=settings.analyze_queue, instruments=pool_instruments
    )
    processes = WorkerPool(
        "analyze_large", workers=settings.analyze_processes, queue_size=settings.analyze_queue, instruments=pool_instruments
    )
    analysis = AnalyzeService(
        threads,
        clock,
        large_pool=processes,
        max_rows=settings.analyze_max_rows,
        deadline_seconds=settings.analyze_seconds,
        default_lang=settings.lang,
    )
    asking = AskService(registry, reader, Understander(load_lexicon()), clock, settings.lang)
    servicer = AiAgentServicer(
        asking, analysis, registry, clock, Instruments(telemetry), ZoneInfo(settings.tz), settings.ask_seconds
    )

    def register(server: grpc.aio.Server) -> None:
        ai_agent_pb2_grpc.add_AiAgentServiceServicer_to_server(servicer, server)

    async def start(lifecycle: Lifecycle) -> None:
        lifecycle.on_stop("threads of the analysis", threads.stop)
        lifecycle.on_stop("processes of the analysis", processes.stop)
        if settings.http_listen:
            door = HttpDoor(make_app(analysis), settings.http_listen)
            await door.start()
            lifecycle.on_stop("http door", door.stop, STOP_SECONDS + 1.0)

    return Service("ai_agent", register, start)


def load_engines(names: tuple[str, ...]) -> list[Engine]:
    """The engines of these names, in this order; one that is missing or broken takes its place as unavailable."""
    found = {plugin.name: plugin for plugin in plugins.load(ENGINES_GROUP)}
    engines: list[Engine] = []
    for name in names:
        plugin = found.get(name)
        if isinstance(plugin, plugins.Loaded):
            try:
                engine: Engine = plugin.value()
                if engine.name != name:
                    raise ValueError(f"it calls itself {engine.name!r}")
                engines.append(engine)
                continue
            except Exception as error:  # noqa: BLE001  a stranger's constructor may raise anything
                reason = f"{type(error).__name__}: {error}"
        else:
            reason = plugin.reason if plugin is not None else f"no installed package offers it under {ENGINES_GROUP}"
        log.error("engine_missing", engine=name, reason=reason)
        engines.append(MissingEngine(name, reason))
    return engines
