"""Analyses rows beside the event loop, and with basic statistics where that fails."""

import asyncio
import re
from dataclasses import replace
from typing import Final, Literal

import structlog

from services.ai_agent.domain.analyze.check import check_request
from services.ai_agent.domain.analyze.fallback import basic_statistics
from services.ai_agent.domain.analyze.model import AnalysisRequest, AnalysisResult
from services.ai_agent.domain.analyze.optimized import analyse
from services.common.clock import Clock
from services.common.errors import InvalidArgumentError, OpenManagerError
from services.common.pools.pool import Pool

log = structlog.get_logger("ai_agent.analyze")

MAX_ROWS: Final = 100_000
DEADLINE_SECONDS: Final = 30.0
_LARGE_FROM_ROWS: Final = 20_000
_HANGUL: Final = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_LATIN: Final = re.compile(r"[A-Za-z]")


class AnalyzeService:
    """Finds anomalies, trends and the near future in rows that a caller sends.

    Args:
        pool: runs the analysis of few rows; threads are cheapest.
        clock: for the time it took.
        large_pool: runs that of many rows, where a process keeps the loop free of the interpreter lock; `pool` when not given.
        large_from_rows: how many rows are many.
        max_rows: more are refused.
        deadline_seconds: time for waiting and analysing; beyond it the caller gets basic statistics.
        default_lang: language of the answer to a question without letters.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        *,
        large_pool: Pool | None = None,
        large_from_rows: int = _LARGE_FROM_ROWS,
        max_rows: int = MAX_ROWS,
        deadline_seconds: float = DEADLINE_SECONDS,
        default_lang: Literal["ko", "en"] = "en",
    ) -> None:
        self._pool = pool
        self._large_pool = large_pool or pool
        self._large_from_rows = large_from_rows
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._default_lang = default_lang
        self.max_rows = max_rows

    async def analyze(self, request: AnalysisRequest) -> AnalysisResult:
        """What the rows show.

        Raises:
            InvalidArgumentError: the rows cannot be analysed by anyone.
        """
        began = self._clock.monotonic()
        check_request(request, self.max_rows)
        lang = self._lang(request)
        rows = next(iter(request.columns.values())).size
        pool = self._large_pool if rows >= self._large_from_rows else self._pool
        try:
            result = await pool.run(self._deadline_seconds, analyse, request, lang)
        except OpenManagerError as error:
            log.warning("analysis_unavailable", reason=error.reason, rows=rows)
            result = await asyncio.to_thread(basic_statistics, request, lang)
        except Exception as error:
            log.error("analysis_failed", error=repr(error), rows=rows, exc_info=error)
            result = await asyncio.to_thread(basic_statistics, request, lang)
        return replace(result, processing_seconds=self._clock.monotonic() - began)

    def _lang(self, request: AnalysisRequest) -> Literal["ko", "en"]:
        if request.lang:
            if request.lang == "ko":
                return "ko"
            if request.lang == "en":
                return "en"
            raise InvalidArgumentError(f"lang is {request.lang!r} and must be ko or en", reason="UNKNOWN_LANGUAGE")
        if _HANGUL.search(request.query):
            return "ko"
        return "en" if _LATIN.search(request.query) else self._default_lang
