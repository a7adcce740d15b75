"""The expressions of the comparison: products of functions, kinds of data and modifiers, and those written by hand."""

import itertools
import pathlib
from collections.abc import Iterator
from typing import Final

from tests.support.promql_corpus.series import BASE_MS

FOLDER: Final = pathlib.Path(__file__).parent

INSTANTS_MS: Final = (BASE_MS + 601_234, BASE_MS + 1_815_000, BASE_MS + 3_700_000, BASE_MS)
RANGES_MS: Final = (
    (BASE_MS - 60_000, BASE_MS + 4_200_000, 300_000),
    (BASE_MS + 900_007, BASE_MS + 1_500_000, 31_000),
    (BASE_MS + 1_200_000, BASE_MS + 1_200_000, 60_000),
)
"""Start, end and step; from before the first sample to after the last, out of step with the samples, and a single step."""

RECORDED_INSTANT_MS: Final = INSTANTS_MS[0]
RECORDED_RANGE_MS: Final = (BASE_MS - 60_000, BASE_MS + 3_900_000, 660_000)

KNOWN_DIFFERENCES: Final = {
    "gauge atan2 2": "all arithmetic drops the name of the metric; 2.42 forgets it here, later versions do not",
    "hour(odd{kind='inf'})": "a time that is infinite or NaN has no hour; there it has what the processor makes of the number as an integer",
    "predict_linear(slope[5m] @ 1700000600, 600)": "`@` holds at every step; there the window wanders off after the first",
    "avg_over_time(odd{kind='huge'}[20m])": "numbers that cancel each other out: ours is the exact mean, theirs its rounding errors",
    "stdvar_over_time(big[5m])": "a spread of 1 around 1e12: ours is exact to 1e-9, theirs is not",
    "deriv(big[10m])": "the slope of such a series, in the same way",
}
"""Where we do not answer as Prometheus 2.42 does, and why."""

OVER_TIME: Final = (
    "avg_over_time(%s)", "min_over_time(%s)", "max_over_time(%s)", "sum_over_time(%s)", "count_over_time(%s)", "last_over_time(%s)",
    "present_over_time(%s)", "absent_over_time(%s)", "stddev_over_time(%s)", "stdvar_over_time(%s)", "changes(%s)", "resets(%s)",
    "quantile_over_time(0.9, %s)", "quantile_over_time(0.25, %s)", "holt_winters(%s, 0.3, 0.6)",
)  # fmt: skip
RATES: Final = ("rate(%s)", "increase(%s)", "irate(%s)", "delta(%s)", "idelta(%s)", "deriv(%s)", "predict_linear(%s, 600)")
ELEMENTWISE: Final = (
    "abs(%s)", "ceil(%s)", "floor(%s)", "round(%s)", "round(%s, 0.3)", "round(%s, -2)", "round(%s, 0)", "exp(%s)", "ln(%s)", "log2(%s)",
    "log10(%s)", "sqrt(%s)", "sgn(%s)", "sin(%s)", "cos(%s)", "tan(%s)", "asin(%s)", "acos(%s)", "atan(%s)", "sinh(%s)", "cosh(%s)",
    "tanh(%s)", "asinh(%s)", "acosh(%s)", "atanh(%s)", "deg(%s)", "rad(%s)", "clamp(%s, -3, 4)", "clamp(%s, 4, -3)", "clamp_min(%s, 2)",
    "clamp_max(%s, 2)", "clamp_min(%s, NaN)", "clamp(%s, NaN, 4)", "-%s", "+%s", "timestamp(%s)", "scalar(%s)", "vector(scalar(%s))",
    "absent(%s)", "sort(%s)", "sort_desc(%s)",
)  # fmt: skip
AGGREGATIONS: Final = (
    "sum", "avg", "min", "max", "count", "stddev", "stdvar", "group", "topk(2, ", "bottomk(2, ", "quantile(0.4, ", 'count_values("v", ',
)  # fmt: skip
CALENDAR: Final = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
AT_TIMES: Final = ("", " offset 3m", " offset -3m", " @ 1700000500", " @ 1700000500.25 offset 90s", " offset 90s @ start()", " @ end()",
                   " @ end() offset -2m")  # fmt: skip


def expressions() -> list[str]:
    """Every expression, once."""
    by_hand = itertools.chain.from_iterable(_lines(name) for name in ("basics", "details", "dashboards", "alerts"))
    products = (_selectors(), _windows(), _elementwise(), _aggregations(), _operators(), _matching(), _subqueries(), _others())
    return list(dict.fromkeys(itertools.chain(by_hand, *products)))


def refused_texts() -> list[str]:
    """Texts that are not PromQL 2.x, some of them of later versions."""
    return _lines("refused")


def is_ordered(expression: str) -> bool:
    """Whether an instant answer comes in an order that means something; groups of an aggregation have none."""
    return expression.startswith(("sort", "topk(", "bottomk("))


def _lines(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text().splitlines()


def _selectors() -> Iterator[str]:
    names = (
        'gauge{server!="s0",role=~"w.*"}',
        "ends",
        "sparse",
        'odd{kind=~".*nan"}',
        "single",
        "moving",
        '{__name__=~"one|limit"}',
    )
    for name, modifier in itertools.product(names, AT_TIMES):
        yield name + modifier
    for window, modifier in itertools.product(("[2m]", "[7m:70s]"), AT_TIMES):
        yield f"sum_over_time(gauge{window}{modifier})"
        yield f"rate(restart_total{window}{modifier})"


def _windows() -> Iterator[str]:
    data = (
        "gauge[3m]",
        "steps[6m]",
        'odd{kind!~"tiny|huge"}[2m]',
        "ends[4m]",
        "sparse[12m]",
        "slope[5m] offset 2m",
        "moving[10m]",
        "nope[5m]",
    )
    for function, window in itertools.product(OVER_TIME, data):
        yield function % window
    growing = ("counter_total[5m]", "counter_total[31s]", "restart_total[4m]", "fast_total[2m]", "young_total[10m]", "slope[7m] offset 1m",
            "ends[5m]", "sparse[20m]", "odd[3m]", "counter_total[1h]", "single[5m]")  # fmt: skip
    for function, window in itertools.product(RATES, growing):
        # A line through numbers as far apart as these is nothing but rounding errors.
        if not (function.startswith(("deriv", "predict_linear")) and window.startswith(("odd", "fast_total"))):
            yield function % window


def _elementwise() -> Iterator[str]:
    for function, vector in itertools.product(ELEMENTWISE, ('odd{kind!~"tiny|huge"}', "(gauge - 50)")):
        yield function % vector


def _aggregations() -> Iterator[str]:
    data = ("gauge", 'odd{kind!~"tiny|huge"}', "ends", 'node_cpu_seconds_total{mode=~"user|idle"}')
    groupings = ("", "by (role, mode) ", "without (server, cpu, kind, instance) ", "by () ", "without () ")
    for operator, grouping, vector in itertools.product(AGGREGATIONS, groupings, data):
        name, _, parameter = operator.partition("(")
        yield f"{name} {grouping}({parameter}{vector})"
    counts = ("0", "1", "3.7", "-1", "100", "scalar(one)", "NaN", "1e30", "Inf")
    for operator, count in itertools.product(("topk", "bottomk"), counts):
        yield f"{operator}({count}, gauge)"


def _operators() -> Iterator[str]:
    signs = ("+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "== bool", "!= bool", "> bool", "<= bool")
    pairs = (("odd", "2"), ("2", "odd"), ("gauge", "gauge offset 1m"), ("odd", "odd"))
    for sign, (left, right) in itertools.product(signs, pairs):
        yield f"{left} {sign} {right}"
    for sign, first, second in itertools.product(
        ("+", "-", "*", "/", "%", "^", "== bool", "> bool"), ("3", "-2.5", "0"), ("2", "0", "-Inf")
    ):
        yield f"{first} {sign} {second}"


def _matching() -> Iterator[str]:
    signs = ("+", "> bool", "<", "and", "or", "unless")
    pairs = (("gauge", "counter_total"), ("gauge", "one"), ("ends", "moving"), ("moving", "restart_total"), ("limit", "gauge"))
    how = ("", "on(server) ", "ignoring(role, site) ", "on() ", "on(v) ", "on(role) ")
    for sign, (left, right), matching in itertools.product(signs, pairs, how):
        yield f"{left} {sign} {matching}{right}"
    sides = ("group_left", "group_left(team)", "group_left(team, nope)", "group_left(site)", "group_right", "group_right(site)")
    for sign, side in itertools.product(("*", ">=", "== bool", "/"), sides):
        left, right = ("gauge", "limit") if "left" in side else ("limit", "gauge")
        yield f"{left} {sign} on(role) {side} {right}"
        yield f"{left} {sign} ignoring(server, site, team) {side} {right}"


def _subqueries() -> Iterator[str]:
    inner = ("gauge", "rate(counter_total[2m])", "sum by (role) (gauge)", "(gauge > 50)", "ends", "time()", "vector(2)", "(1)")
    outer = ("max_over_time(%s[10m:1m])", "avg_over_time(%s[5m:])", "count_over_time(%s[3m:17s] offset 1m)", "last_over_time(%s[4m:1m] @ end())",
             "rate(%s[9m:40s])", "quantile_over_time(0.5, %s[6m:30s] offset -1m)", "deriv(%s[8m:30s] @ 1700000700)", "%s[5m:2m]")  # fmt: skip
    for function, vector in itertools.product(outer, inner):
        yield function % vector


def _others() -> Iterator[str]:
    quantiles = ("0", "0.01", "0.5", "0.99", "1", "-1", "2", "NaN")
    for quantile, buckets in itertools.product(
        quantiles, ("odd_bucket", "latency_seconds_bucket", "rate(latency_seconds_bucket[5m])")
    ):
        yield f"histogram_quantile({quantile}, {buckets})"
    times = ("", "vector(0)", "vector(951782400)", "vector(1709251199.9)", "vector(-1)", "vector(-86401)", "vector(4107542400)", "vector(1e11)",
             "node_boot_time_seconds", "timestamp(gauge)")  # fmt: skip
    for function, argument in itertools.product(CALENDAR, times):
        yield f"{function}({argument})"
    for function, number in itertools.product(
        ("round(gauge, %s)", "clamp_max(odd, %s)"), ("0.5", "NaN", "Inf", "-Inf", "0", "-7.5")
    ):
        yield function % number
