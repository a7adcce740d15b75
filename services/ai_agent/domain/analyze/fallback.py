"""Basic statistics for when the analysis itself could not be had; the answer says that this is what it is."""

import math
from typing import Final, Literal

import numpy as np

from services.ai_agent.domain.analyze.model import (
    AnalysisRequest,
    AnalysisResult,
    Anomaly,
    AnomalyReport,
    Deviation,
    Prediction,
    Trend,
)
from services.ai_agent.domain.analyze.report import MOST_ITEMS
from services.ai_agent.domain.analyze.wording import refusal_text
from services.ai_agent.domain.answer.tongue import Tongue

_FAR: Final = 6.0
"""Standard deviations from the mean: normal data go there twice in a thousand million values."""
_LEAST_ROWS: Final = 50
"""In n values none lies further than (n-1)/√n standard deviations from the mean, so few rows can show nothing."""
_CONFIDENCE: Final = 0.3


def basic_statistics(request: AnalysisRequest, lang: Literal["ko", "en"]) -> AnalysisResult:
    """Mean, range and values beyond six standard deviations of each column; no trends and no predictions."""
    say = Tongue(lang).say
    parts, trends, deviations = [], [], dict[int, list[Deviation]]()
    far: dict[int, float] = {}
    for name, column in request.columns.items():
        known = column[~np.isnan(column)]
        if not known.size:
            trends.append(Trend(name, "unknown", 0.0, 1.0, math.nan, math.nan))
            continue
        mean, deviation = float(known.mean()), float(known.std())
        trends.append(Trend(name, "unknown", 0.0, 1.0, mean, float(known[-1])))
        least, most = float(known.min()), float(known.max())
        short = Tongue(lang).short(name)
        parts.append(
            say(
                f"{short} 평균 {mean:.4g}(최소 {least:.4g}, 최대 {most:.4g})",
                f"{short} mean {mean:.4g} (min {least:.4g}, max {most:.4g})",
            )
        )
        if known.size < _LEAST_ROWS or deviation == 0.0:
            continue
        z = np.nan_to_num((column - mean) / deviation)
        for row in np.flatnonzero(np.abs(z) > _FAR).tolist():
            low, high = mean - 3.0 * deviation, mean + 3.0 * deviation
            deviations.setdefault(row, []).append(Deviation(name, float(column[row]), low, high))
            far[row] = max(far.get(row, 0.0), abs(float(z[row])))
    report = _report(request, deviations, far)
    lead = say(
        "상세 분석을 쓸 수 없어 기초 통계만 계산했습니다.", "The full analysis was not available; these are basic statistics only."
    )
    found = say(
        f"평균에서 표준편차 6배를 넘는 행: {report.count}개.", f"Rows beyond six standard deviations of the mean: {report.count}."
    )
    refused = [Prediction(name, "", refusal_text("fallback", lang), []) for name in request.columns]
    advice = say("잠시 뒤 다시 분석해 보세요.", "Ask again in a moment for the full analysis.")
    confidence = _CONFIDENCE if parts else 0.0
    text = f"{lead} {'; '.join(parts)}. {found}"
    return AnalysisResult(text, [advice], confidence, 0.0, report, trends, refused, "fallback", lang)


def _report(request: AnalysisRequest, deviations: dict[int, list[Deviation]], far: dict[int, float]) -> AnomalyReport:
    shown = sorted(sorted(far, key=lambda row: -far[row])[:MOST_ITEMS])
    items = []
    for row in shown:
        time = None if request.timestamps_ms is None else int(request.timestamps_ms[row])
        values = {name: float(column[row]) for name, column in request.columns.items() if not math.isnan(column[row])}
        score = min(-math.log10(max(math.erfc(far[row] / math.sqrt(2.0)), 1e-300)), 300.0)
        items.append(Anomaly(row, time, values, deviations[row], score))
    severity = "normal" if not far else "low" if len(far) < 3 else "medium"
    return AnomalyReport(len(far), severity, items)  # type: ignore[arg-type]
