"""The analysis: everything is fitted on the rows of the request, and nothing else is remembered."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from services.ai_agent.domain.analyze.model import (
    AnalysisRequest,
    AnalysisResult,
    AnomalyReport,
    Direction,
    Prediction,
    PredictionPoint,
    Trend,
)
from services.ai_agent.domain.analyze.report import report_of
from services.ai_agent.domain.analyze.window import LEAST_ROWS, Window, open_window
from services.ai_agent.domain.analyze.wording import Findings, advise, describe, refusal_text
from services.ai_agent.domain.detect.batch import Verdict, find_unusual
from services.ai_agent.domain.detect.robust import filled, spread
from services.ai_agent.domain.forecast.ahead import LEAST_ROWS as LEAST_ROWS_AHEAD
from services.ai_agent.domain.forecast.ahead import forecast
from services.ai_agent.domain.forecast.season import Season, find_season
from services.ai_agent.domain.forecast.trend import Slopes, find_slopes

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Lang = Literal["ko", "en"]

_TREND_CHANCE: Final = 0.005
_LEAST_MOVE: Final = 2.0
"""A trend moves a column over the window by this many times the least change that matters, and by a part of its spread."""
_LEAST_MOVE_SPREADS: Final = 0.25
_MOST_MISSING: Final = 0.3
_EASY_JUMP: Final = 10.0
_FEW_ROWS_CONFIDENCE: Final = 0.1
_MOST_CONFIDENCE: Final = 0.99


@dataclass(frozen=True)
class _Course:
    """What is known of the course of the d judged columns: lines and season of the analysed values, lines of the raw ones."""

    whole: Floats
    slopes: Slopes
    moving: Flags
    season: Season
    raw_slope: Floats
    raw_chance: Floats
    raw_moving: Flags


def analyse(request: AnalysisRequest, lang: Lang) -> AnalysisResult:
    """What the rows show. The request has been checked; `processing_seconds` is left 0 for the caller, who has the clock."""
    window = open_window(request)
    course = _course(window) if window.names else None
    if course is None:
        verdict, anomalies = None, AnomalyReport(0, "normal", [])
    else:
        baseline = course.season.at(window.hours)
        line = course.slopes.line(window.hours) - course.slopes.level[:, None]
        baseline = baseline + np.where(course.moving[:, None], line, 0.0)
        verdict = find_unusual(window.values, baseline, window.least_changes(), window.after_gap)
        anomalies = report_of(window, verdict.marks)
    trends = _trends(window, course, request)
    predictions = _predictions(window, course, lang)
    confidence = _confidence(window, verdict, anomalies)
    findings = Findings(window, anomalies, trends, predictions, request.query, lang)
    return AnalysisResult(
        analysis=describe(findings),
        recommendations=advise(findings),
        confidence=confidence,
        processing_seconds=0.0,
        anomalies=anomalies,
        trends=trends,
        predictions=predictions,
        engine="optimized",
        lang=lang,
    )


def _course(window: Window) -> _Course:
    whole = filled(window.values)
    slopes = find_slopes(whole, window.hours)
    raw_slope, raw_chance = slopes.per_hour.copy(), slopes.p_value.copy()
    if window.logarithmic.any():
        raw = find_slopes(filled(window.raw[window.logarithmic]), window.hours)
        raw_slope[window.logarithmic], raw_chance[window.logarithmic] = raw.per_hour, raw.p_value
    move = np.abs(raw_slope) * (window.hours[-1] - window.hours[0])
    least = _LEAST_MOVE * np.array([meaning.least_change for meaning in window.meanings])
    material = move >= np.maximum(least, _LEAST_MOVE_SPREADS * spread(filled(window.raw)))
    moving = (slopes.p_value < _TREND_CHANCE) & material
    line = slopes.line(window.hours)
    season = find_season(whole - np.where(moving[:, None], line, slopes.level[:, None]), window.hours)
    return _Course(whole, slopes, moving, season, raw_slope, raw_chance, (raw_chance < _TREND_CHANCE) & material)


def _trends(window: Window, course: _Course | None, request: AnalysisRequest) -> list[Trend]:
    found: dict[str, Trend] = {}
    if course is not None:
        for column, name in enumerate(window.names):
            known = window.known(column)
            slope = float(course.raw_slope[column])
            moves = bool(course.raw_moving[column])
            direction: Direction = "stable" if not moves else "rising" if slope > 0 else "falling"
            found[name] = Trend(name, direction, slope, float(course.raw_chance[column]), float(known.mean()), float(known[-1]))
    for name in window.scarce:
        known = request.columns[name][~np.isnan(request.columns[name])]
        mean, last = (float(known.mean()), float(known[-1])) if known.size else (math.nan, math.nan)
        found[name] = Trend(name, "unknown", 0.0, 1.0, mean, last)
    return [found[name] for name in request.columns]


def _predictions(window: Window, course: _Course | None, lang: Lang) -> list[Prediction]:
    refused = [Prediction(name, "", refusal_text("few_values", lang), []) for name in window.scarce]
    if course is None:
        return refused
    if window.count < LEAST_ROWS_AHEAD:
        return [Prediction(name, "", refusal_text("few_rows", lang), []) for name in window.names] + refused
    ahead = forecast(course.whole, window.hours, window.step_hours, course.slopes, course.moving, course.season)
    index = np.arange(len(window.names))[:, None]
    value, lower, upper = (
        window.restored(index, edge) for edge in (ahead.value, ahead.value - ahead.half_width, ahead.value + ahead.half_width)
    )
    times: list[int | None] = [None] * ahead.steps.size
    if window.times_ms is not None:
        times = [int(window.times_ms[-1]) + round(step * window.step_hours * 3_600_000) for step in ahead.steps.tolist()]
    predictions = []
    for column, name in enumerate(window.names):
        if window.missing_share[column] > _MOST_MISSING:
            predictions.append(Prediction(name, "", refusal_text("gaps", lang), []))
            continue
        rows = zip(times, ahead.steps.tolist(), value[column].tolist(), lower[column].tolist(), upper[column].tolist(), strict=True)
        predictions.append(Prediction(name, ahead.method[column], "", [PredictionPoint(*row) for row in rows]))
    return predictions + refused


def _confidence(window: Window, verdict: Verdict | None, anomalies: AnomalyReport) -> float:
    """See `AnalysisResult`."""
    if verdict is None or window.count < LEAST_ROWS:
        return _FEW_ROWS_CONFIDENCE
    present = 1.0 - float(window.missing_share.mean())
    if anomalies.count:
        furthest = max(item.score for item in anomalies.items)
        doubt = min(1.0, 4.0 * window.raw.size * math.pow(10.0, -furthest))
        return min((1.0 - doubt) * present, _MOST_CONFIDENCE)
    ease = np.minimum(_EASY_JUMP / np.maximum(verdict.noticed_from, 1e-9), 1.0)
    return min(float(ease.mean()) * present, _MOST_CONFIDENCE)
