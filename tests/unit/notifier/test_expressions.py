"""What a rule's expression reads, and the expression that tells whether its data is there."""

import pytest

from services.common.errors import InvalidArgumentError
from services.notifier.domain.expressions import Threshold, parse_expression


@pytest.mark.parametrize(
    ("text", "presence"),
    [
        ("cpu > 90", "cpu"),
        ("90 < cpu", "cpu"),
        ('(cpu{role="web"} >= -5)', '(cpu{role="web"})'),
        ("rate(errors[5m]) * 60 > 3", "(rate(errors[5m])) *  (60)"),
        ("used > on (server) size", "(used) > bool on (server) (size)"),
        ("avg by (role) (cpu > 5) > 50", "avg by (role) (cpu)"),
        ("cpu > 90 unless on (server) maintenance", "cpu"),
        ("cpu > 90 and on (server) load1 > 8", "(cpu) and on (server) (load1)"),
        ("topk(3, cpu)", "cpu"),
        ("max_over_time((cpu > 5)[10m:1m] offset 2m) > 3", "max_over_time(((cpu))[10m:1m] offset 2m)"),
        ("time() - last_seen > 300", "(time()) -  (last_seen)"),
        ("cpu > bool 5", "(cpu) > bool (5)"),
        ("-cpu < -90", "-(cpu)"),
    ],
)
def test_presence_drops_nothing_for_its_value(text: str, presence: str) -> None:
    assert parse_expression(text).presence == presence
    assert parse_expression(presence).metrics == parse_expression(text).metrics or "unless" in text


@pytest.mark.parametrize("text", ["absent(up)", "absent_over_time(up[5m])", 'count_values("v", up) > 3'])
def test_what_leaves_such_a_result_was_judged(text: str) -> None:
    assert parse_expression(text).presence is None


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("cpu > 90", {"cpu"}),
        ('{__name__="cpu"} > 90', {"cpu"}),
        ("rate(a[5m]) / on (server) b > 1", {"a", "b"}),
        ('{__name__=~"cpu.*"} > 90', None),
    ],
)
def test_metrics_are_those_whose_batches_matter(text: str, metrics: set[str] | None) -> None:
    assert parse_expression(text).metrics == metrics


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("cpu > 90", Threshold(">", 90.0)),
        ("90 <= cpu", Threshold(">=", 90.0)),
        ("(disk_free < -1.5)", Threshold("<", -1.5)),
        ("cpu", None),
        ("a > b", None),
    ],
)
def test_a_threshold_is_a_comparison_with_a_number(text: str, threshold: Threshold | None) -> None:
    assert parse_expression(text).threshold == threshold


@pytest.mark.parametrize("text", ["sum((", "", "cpu >", "5 > 3", "cpu[5m] > 3"])
def test_what_is_not_promql_is_bad_data(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_expression(text, "recovery_expr")
    assert (caught.value.reason, caught.value.fields[0].field) == ("BAD_DATA", "recovery_expr")
