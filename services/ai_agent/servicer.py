"""The AI agent over gRPC."""

import asyncio
from collections.abc import AsyncIterator
from datetime import tzinfo

import grpc.aio

from openmanager.ai_agent.v1 import ai_agent_pb2 as pb
from openmanager.ai_agent.v1 import ai_agent_pb2_grpc
from services.ai_agent import analyze_wire, wire
from services.ai_agent.domain.analyze.service import AnalyzeService
from services.ai_agent.domain.ask import AskService, Reply, Step
from services.ai_agent.domain.engines.registry import EngineRegistry
from services.ai_agent.domain.interpretation import Interpretation
from services.ai_agent.instruments import Instruments
from services.common.clock import Clock

_MARGIN_SECONDS = 0.25
"""Kept of the caller's deadline for the way back."""


class AiAgentServicer(ai_agent_pb2_grpc.AiAgentServiceServicer):
    """Answers AiAgentService; see ai_agent.proto for what each RPC promises."""

    def __init__(
        self,
        asking: AskService,
        analysis: AnalyzeService,
        registry: EngineRegistry,
        clock: Clock,
        instruments: Instruments,
        zone: tzinfo,
        ask_seconds: float,
    ) -> None:
        self._asking = asking
        self._analysis = analysis
        self._registry = registry
        self._clock = clock
        self._instruments = instruments
        self._zone = zone
        self._ask_seconds = ask_seconds

    async def Ask(self, request: pb.AskRequest, context: grpc.aio.ServicerContext[pb.AskRequest, pb.AskResponse]) -> pb.AskResponse:
        """Answers a question."""
        ask = wire.ask_of(request, self._zone, self._now_ms())
        reply = await self._asking.ask(ask, deadline_seconds=self._seconds(context.time_remaining()))
        self._instruments.record(reply)
        return pb.AskResponse(answer=wire.answer_message(reply))

    async def AskStream(
        self, request: pb.AskStreamRequest, context: grpc.aio.ServicerContext[pb.AskStreamRequest, pb.AskStreamResponse]
    ) -> AsyncIterator[pb.AskStreamResponse]:
        """Answers a question, telling each step; a step waits for no reader, for there are few."""
        ask = wire.ask_of(request.ask, self._zone, self._now_ms())
        steps: asyncio.Queue[Step | None] = asyncio.Queue()

        async def work() -> Reply:
            try:
                return await self._asking.ask(
                    ask, deadline_seconds=self._seconds(context.time_remaining()), on_step=steps.put_nowait
                )
            finally:
                steps.put_nowait(None)

        async with asyncio.TaskGroup() as group:
            asked = group.create_task(work())
            while (step := await steps.get()) is not None:
                yield _step_message(step)
        reply = asked.result()
        self._instruments.record(reply)
        for piece in reply.text.splitlines(keepends=True):
            yield pb.AskStreamResponse(text=piece)
        yield pb.AskStreamResponse(answer=wire.answer_message(reply))

    async def Analyze(self, request: pb.AnalyzeRequest, _context: object) -> pb.AnalyzeResponse:
        """Analyses rows."""
        result = await self._analysis.analyze(analyze_wire.analysis_of(request))
        self._instruments.record_analysis(result)
        return analyze_wire.analysis_message(result)

    async def ListEngines(self, _request: pb.ListEnginesRequest, _context: object) -> pb.ListEnginesResponse:
        """Lists the engines in the order they are tried."""
        return pb.ListEnginesResponse(engines=[wire.engine_message(state) for state in self._registry.states()])

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def _seconds(self, remaining: float | None) -> float:
        """The time for one question: the setting, or less when the caller waits less."""
        return self._ask_seconds if remaining is None else max(0.0, min(self._ask_seconds, remaining - _MARGIN_SECONDS))


def _step_message(step: Step) -> pb.AskStreamResponse:
    if isinstance(step, Interpretation):
        return pb.AskStreamResponse(interpretation=wire.interpretation_message(step))
    return pb.AskStreamResponse(attempt=wire.attempt_message(step))
