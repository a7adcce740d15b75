"""Questions and analyses, answered by the ai_agent service."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from openmanager.ai_agent.v1 import ai_agent_pb2, ai_agent_pb2_grpc
from services.common.rows import RowColumns
from services.gateway.adapters.analysis_document import analysis_document
from services.gateway.adapters.answer_document import answer_document, attempt_document, interpretation_document
from services.gateway.adapters.calls import call, stream, timestamp
from services.gateway.domain.ports import Document, Question

ASK_TIMEOUT_SECONDS: Final = 60.0
ANALYZE_TIMEOUT_SECONDS: Final = 60.0
LIST_TIMEOUT_SECONDS: Final = 5.0


class AssistantClient:
    """Asks the ai_agent service."""

    def __init__(self, stub: "ai_agent_pb2_grpc.AiAgentServiceAsyncStub") -> None:
        self._stub = stub

    async def ask(self, question: Question) -> Document:
        """The whole answer."""
        response = await call(self._stub.Ask, _ask_request(question), ASK_TIMEOUT_SECONDS)
        return answer_document(response.answer)

    async def ask_stream(self, question: Question) -> AsyncIterator[tuple[str, Document]]:
        """Each step as (event, document); the last event is `answer`."""
        request = ai_agent_pb2.AskStreamRequest(ask=_ask_request(question))
        async for step in stream(self._stub.AskStream, request, ASK_TIMEOUT_SECONDS):
            match step.WhichOneof("event"):
                case "interpretation":
                    yield "interpretation", interpretation_document(step.interpretation)
                case "attempt":
                    yield "attempt", attempt_document(step.attempt)
                case "text":
                    yield "text", {"text": step.text}
                case "answer":
                    yield "answer", answer_document(step.answer)

    async def analyze(self, query: str, rows: RowColumns, lang: str, context: Mapping[str, str]) -> Document:
        """What the rows show."""
        request = ai_agent_pb2.AnalyzeRequest(
            query=query,
            timestamps_ms=b"" if rows.timestamps_ms is None else rows.timestamps_ms.astype("<i8", copy=False).tobytes(),
            columns=[
                ai_agent_pb2.AnalyzeColumn(name=name, values=values.astype("<f8", copy=False).tobytes())
                for name, values in rows.columns.items()
            ],
            lang=lang,
            context=context,
        )
        return analysis_document(await call(self._stub.Analyze, request, ANALYZE_TIMEOUT_SECONDS))

    async def engines(self) -> list[Document]:
        """Engines in the order they are tried."""
        response = await call(self._stub.ListEngines, ai_agent_pb2.ListEnginesRequest(), LIST_TIMEOUT_SECONDS)
        return [
            {
                "name": engine.name,
                "description": engine.description,
                "circuit": engine.circuit,
                "answered": engine.answered,
                "failed": engine.failed,
            }
            for engine in response.engines
        ]


def _ask_request(question: Question) -> ai_agent_pb2.AskRequest:
    return ai_agent_pb2.AskRequest(
        query=question.query,
        lang=question.lang,
        at=None if question.at_ms is None else timestamp(question.at_ms),
        tz=question.tz,
        session_id=question.session_id,
    )
