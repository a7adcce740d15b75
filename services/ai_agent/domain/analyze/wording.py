"""What the analysis says, in the asker's language; every figure comes from the findings."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np

from services.ai_agent.domain.analyze.model import Anomaly, AnomalyReport, Deviation, Prediction, Trend
from services.ai_agent.domain.analyze.window import LEAST_ROWS, Window
from services.ai_agent.domain.answer.tongue import Tongue
from services.ai_agent.domain.forecast.ahead import LEAST_ROWS as LEAST_ROWS_AHEAD

Lang = Literal["ko", "en"]

_SHOWN: Final = 3
_FULL_PERCENT: Final = 90.0
_FURTHEST_CAPACITY_HOURS: Final = 14 * 24.0
_BUSY_PERCENT: Final = 80.0
_MUCH_MISSING: Final = 0.1
_SEVERITIES: Final = {"normal": "정상", "low": "낮음", "medium": "보통", "high": "높음"}
_METHODS: Final = {
    "daily_profile": ("하루 주기", "daily profile"),
    "damped_trend": ("추세", "trend"),
    "level": ("최근 수준", "recent level"),
    "last_value": ("마지막 값", "last value"),
}
_REFUSALS: Final = {
    "few_rows": (
        f"예측하려면 행이 {LEAST_ROWS_AHEAD}개 이상 필요합니다.",
        f"At least {LEAST_ROWS_AHEAD} rows are needed to look ahead.",
    ),
    "few_values": (f"값이 {LEAST_ROWS}개 미만입니다.", f"It holds fewer than {LEAST_ROWS} values."),
    "gaps": ("빠진 값이 30 %를 넘습니다.", "More than 30 % of its values are missing."),
    "fallback": ("기초 통계만 계산했습니다.", "Only basic statistics were computed."),
}


@dataclass(frozen=True)
class Findings:
    """All that there is to tell."""

    window: Window
    anomalies: AnomalyReport
    trends: list[Trend]
    predictions: list[Prediction]
    query: str
    lang: Lang

    @property
    def tongue(self) -> Tongue:
        """The words of the language."""
        return Tongue(self.lang)


def refusal_text(reason: str, lang: Lang) -> str:
    """Why there is no prediction."""
    return _REFUSALS[reason][0 if lang == "ko" else 1]


def describe(findings: Findings) -> str:
    """The analysis as a text of a few sentences."""
    window, say = findings.window, findings.tongue.say
    names = ", ".join(findings.tongue.short(trend.metric) for trend in findings.trends)
    span = _duration(window.span_hours, findings.lang)
    if window.times_ms is None:
        head = say(f"{window.count:,}개 행({names})을 분석했습니다.", f"Analysed {window.count:,} rows of {names}.")
    else:
        head = say(
            f"{span} 동안의 {window.count:,}개 행({names})을 분석했습니다.",
            f"Analysed {window.count:,} rows of {names} over {span}.",
        )
    if not window.names:
        few = say(
            f"판단하기에 값이 너무 적습니다. 열마다 값이 {LEAST_ROWS}개 이상 있어야 합니다.",
            f"That is too few to judge: a column needs at least {LEAST_ROWS} values.",
        )
        return f"{head} {few}"
    parts = [head, _anomalies_text(findings), _trends_text(findings), _predictions_text(findings)]
    return " ".join(part for part in parts if part)


def advise(findings: Findings) -> list[str]:
    """What to do next, each with its evidence; at least one sentence."""
    window, say = findings.window, findings.tongue.say
    if not window.names:
        return [say(f"행을 {LEAST_ROWS}개 이상 보내 주세요.", f"Send at least {LEAST_ROWS} rows.")]
    advice = [*_anomaly_advice(findings), *_capacity_advice(findings)]
    for name, share in zip(window.names, window.missing_share, strict=True):
        if share > _MUCH_MISSING:
            short = findings.tongue.short(name)
            advice.append(
                say(
                    f"{short}: 값의 {share:.0%}가 빠져 있습니다. 수집을 확인하세요.",
                    f"{share:.0%} of the values of {short} are missing: check its collection.",
                )
            )
    calm = say(
        f"조치가 필요하지 않습니다. {window.count:,}개 행에서 특이한 점이 없습니다.",
        f"No action needed: nothing in {window.count:,} rows is unusual.",
    )
    return advice or [calm]


def _anomalies_text(findings: Findings) -> str:
    report, say = findings.anomalies, findings.tongue.say
    if not report.count:
        return say("특이한 행이 없습니다.", "No row is unusual.")
    worst = sorted(report.items, key=lambda item: -item.score)[:_SHOWN]
    shown = "; ".join(
        f"{_when(item, findings)}: {_deviations(item, findings)}" for item in sorted(worst, key=lambda item: item.index)
    )
    severity = _SEVERITIES[report.severity]
    return say(
        f"특이한 행이 {report.count:,}개 있습니다(심각도 {severity}). 가장 두드러진 것은 {shown}.",
        f"{report.count:,} {'row is' if report.count == 1 else 'rows are'} unusual (severity {report.severity}). Most of all {shown}.",
    )


def _trends_text(findings: Findings) -> str:
    say = findings.tongue.say
    moving, steady = [], []
    for trend in findings.trends:
        short = findings.tongue.short(trend.metric)
        if trend.direction in ("rising", "falling"):
            rate = _figure(abs(trend.slope_per_hour), trend.metric, findings)
            word = say("상승" if trend.direction == "rising" else "하락", "rises" if trend.direction == "rising" else "falls")
            moving.append(say(f"{short} 시간당 {rate} {word}", f"{short} {word} by {rate} an hour"))
        elif trend.direction == "stable":
            steady.append(
                say(
                    f"{short} 평균 {_figure(trend.mean, trend.metric, findings)}",
                    f"{short} about {_figure(trend.mean, trend.metric, findings)}",
                )
            )
    told = moving + ([say("변동 없음: ", "steady: ") + ", ".join(steady)] if steady else [])
    return say("추세: ", "Trends: ") + "; ".join(told) + "." if told else ""


def _predictions_text(findings: Findings) -> str:
    told, ahead = [], 0.0
    index = 0 if findings.lang == "ko" else 1
    for prediction in findings.predictions:
        if not prediction.points:
            continue
        last = prediction.points[-1]
        ahead = last.steps_ahead * findings.window.step_hours
        value, low, high = (_figure(x, prediction.metric, findings) for x in (last.value, last.lower, last.upper))
        told.append(f"{findings.tongue.short(prediction.metric)} {value} ({low}~{high}, {_METHODS[prediction.method][index]})")
    if not told:
        refusals = {prediction.refusal for prediction in findings.predictions}
        return " ".join(sorted(refusals))
    span = _duration(ahead, findings.lang)
    return findings.tongue.say(f"{span} 뒤 예측(95 % 구간): ", f"In {span} (95 % interval): ") + ", ".join(told) + "."


def _anomaly_advice(findings: Findings) -> list[str]:
    report, say = findings.anomalies, findings.tongue.say
    if not report.count:
        return []
    advice = []
    for item in sorted((i for i in report.items if i.kind == "shift"), key=lambda item: -item.score)[:_SHOWN]:
        worst = item.deviations[0]
        value = _figure(worst.value, worst.metric, findings)
        usual = _figure((worst.expected_low + worst.expected_high) / 2.0, worst.metric, findings)
        short, when = findings.tongue.short(worst.metric), _when(item, findings)
        advice.append(
            say(
                f"{short} 수준이 {when}부터 {usual}에서 {value}(으)로 바뀌었습니다. 그때의 변경 사항을 확인하세요.",
                f"The level of {short} went from {usual} to {value} at {when}: find out what changed then.",
            )
        )
    groups = Counter(tuple(sorted(d.metric for d in item.deviations)) for item in report.items if item.kind != "shift")
    for metrics, times in groups.most_common(_SHOWN):
        items = [i for i in report.items if i.kind != "shift" and tuple(sorted(d.metric for d in i.deviations)) == metrics]
        worst_item = max(items, key=lambda item: item.score)
        evidence = f"{_when(worst_item, findings)}: {_deviations(worst_item, findings)}"
        rhythm = _rhythm(items, findings)
        advice.append(
            say(
                f"그 시각에 무엇이 실행되었는지 확인하세요. {evidence}{'' if times == 1 else f' 외 {times - 1}개 행'}.{rhythm}",
                f"Check what ran at {evidence}{'' if times == 1 else f', and {times - 1} more such rows'}.{rhythm}",
            )
        )
    return advice


def _rhythm(items: list[Anomaly], findings: Findings) -> str:
    """A remark when unusual rows come at even distances, as scheduled jobs do."""
    if len(items) < 4:
        return ""
    position = np.array([findings.window.hours[np.flatnonzero(findings.window.row == item.index)[0]] for item in items])
    apart = np.diff(np.sort(position))
    usual = float(np.median(apart))
    if usual < 1.5 * findings.window.step_hours or np.mean(np.abs(apart - usual) <= 0.05 * usual) < 0.8:
        return ""
    span = _duration(usual, findings.lang)
    return findings.tongue.say(
        f" {span}마다 반복되므로 예약 작업을 확인하세요.", f" They come every {span}: look for a scheduled job."
    )


def _capacity_advice(findings: Findings) -> list[str]:
    say = findings.tongue.say
    advice = []
    meanings = dict(zip(findings.window.names, findings.window.meanings, strict=True))
    for trend in findings.trends:
        if trend.metric not in meanings or not meanings[trend.metric].is_percent:
            continue
        short = findings.tongue.short(trend.metric)
        hours = (_FULL_PERCENT - trend.last) / trend.slope_per_hour if trend.direction == "rising" else math.inf
        if 0.0 < hours <= _FURTHEST_CAPACITY_HOURS:
            rate, span = _figure(trend.slope_per_hour, trend.metric, findings), _duration(hours, findings.lang)
            advice.append(
                say(
                    f"{short}: 시간당 {rate} 상승 중이며 이대로면 약 {span} 뒤 {_FULL_PERCENT:.0f} %에 이릅니다. 용량을 미리 확보하세요.",
                    f"{short} rises by {rate} an hour and would reach {_FULL_PERCENT:.0f} % in about {span}: make room before then.",
                )
            )
        elif trend.mean >= _BUSY_PERCENT:
            mean = _figure(trend.mean, trend.metric, findings)
            advice.append(
                say(
                    f"{short}: 평균 {mean}로 여유가 적습니다. 부하를 나누거나 용량을 늘리세요.",
                    f"{short} averages {mean}, which leaves little room: spread the load or add capacity.",
                )
            )
    return advice


def _deviations(item: Anomaly, findings: Findings) -> str:
    return ", ".join(_deviation(deviation, findings) for deviation in item.deviations[:_SHOWN])


def _deviation(deviation: Deviation, findings: Findings) -> str:
    value, low, high = (
        _figure(x, deviation.metric, findings) for x in (deviation.value, deviation.expected_low, deviation.expected_high)
    )
    short = findings.tongue.short(deviation.metric)
    return findings.tongue.say(f"{short} {value}(예상 {low}~{high})", f"{short} {value} (expected {low} to {high})")


def _when(item: Anomaly, findings: Findings) -> str:
    if item.timestamp_ms is None:
        return findings.tongue.say(f"{item.index}번 행", f"row {item.index}")
    return time_text(item.timestamp_ms)


def time_text(timestamp_ms: int) -> str:
    """A time to the second, in UTC; times out of range of the calendar as a number."""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000.0, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{timestamp_ms} ms"


def _figure(value: float, metric: str, findings: Findings) -> str:
    meanings = dict(zip(findings.window.names, findings.window.meanings, strict=True))
    if metric in meanings and meanings[metric].is_percent:
        return f"{value:.1f} %" if abs(value) >= 0.1 or value == 0.0 else f"{value:.2g} %"
    return f"{value:,.0f}" if abs(value) >= 10_000.0 else f"{value:.4g}"


def _duration(hours: float, lang: Lang) -> str:
    for size, ko, en in ((24.0, "일", "d"), (1.0, "시간", "h"), (1.0 / 60.0, "분", "min")):
        if hours >= (2.0 if size == 24.0 else 1.0) * size:
            amount = hours / size
            text = f"{amount:.0f}" if amount >= 10.0 or abs(amount - round(amount)) < 0.05 else f"{amount:.1f}"
            return f"{text}{ko}" if lang == "ko" else f"{text} {en}"
    return f"{hours * 3600:.0f}초" if lang == "ko" else f"{hours * 3600:.0f} s"
