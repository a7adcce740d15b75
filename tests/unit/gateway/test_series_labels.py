"""Which server a series belongs to, and the labels it is stored under."""

import pytest

from services.gateway.domain.batch import BadSampleError
from services.gateway.domain.protocols.series_labels import label_name, metric_name, series_labels, server_name, without_port


@pytest.mark.parametrize(
    ("labels", "host_name", "server"),
    [
        ({"server": "s", "host": "h", "host_name": "o", "instance": "i:1"}, "r", "s"),
        ({"server": "", "host": "h", "host_name": "o", "instance": "i:1"}, "r", "r"),
        ({"host": "h", "host_name": "o", "instance": "i:1"}, "", "o"),
        ({"host": "h", "instance": "i:1"}, "", "h"),
        ({"host": "", "instance": "i:1"}, "", "i"),
        ({"instance": ""}, "", ""),
        ({"job": "x"}, "", ""),
    ],
)
def test_the_first_label_that_tells_the_server_counts(labels: dict[str, str], host_name: str, server: str) -> None:
    assert server_name(labels, host_name) == server


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("web-01:9100", "web-01"),
        ("web-01", "web-01"),
        ("10.0.0.1:9100", "10.0.0.1"),
        ("[::1]:9100", "::1"),
        ("[fe80::1%eth0]:9100", "fe80::1%eth0"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("fe80::9100", "fe80::9100"),
        ("http://web-01:80", "http://web-01"),
        ("http://web-01:80/health", "http://web-01:80/health"),
        ("a:b", "a:b"),
        ("a:123456", "a:123456"),
        (":9100", ":9100"),
        ("웹-01:9100", "웹-01"),
    ],
)
def test_an_instance_without_its_port(instance: str, host: str) -> None:
    assert without_port(instance) == host


def test_labels_are_kept_and_the_server_joins_them() -> None:
    labels = series_labels([("instance", "a:9100"), ("__name__", "up"), ("empty", ""), ("job", "node")])
    assert labels == (("__name__", "up"), ("instance", "a:9100"), ("job", "node"), ("server", "a"))
    assert series_labels([("__name__", "job:up:sum"), ("job", "node")]) == (("__name__", "job:up:sum"), ("job", "node"))


def test_names_are_changed_to_what_prometheus_could_have() -> None:
    assert (label_name("cpu.state"), label_name("9p"), label_name("é"), label_name("")) == ("cpu_state", "_9p", "_", "")
    assert (metric_name("http:requests.total"), metric_name("9")) == ("http:requests_total", "_9")


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("a", "1")], "INVALID_NAME"),
        ([("__name__", "")], "INVALID_NAME"),
        ([("__name__", "m"), ("", "x")], "INVALID_LABELS"),
        ([("__name__", "m"), ("a", "1"), ("a", "1")], "DUPLICATE_LABEL"),
        ([("__name__", "m"), ("a", ""), ("a", "1")], "DUPLICATE_LABEL"),
        ([("__name__", "m"), ("a.b", "1"), ("a_b", "2")], "DUPLICATE_LABEL"),
        ([("__name__", "m"), ("__name__", "n")], "DUPLICATE_LABEL"),
        ([("__name__", "m"), ("host", "a\nb")], "INVALID_SERVER"),
        ([("__name__", "m"), ("instance", "x" * 254)], "INVALID_SERVER"),
        ([("__name__", "m"), ("a", "é" * 2048)], "INVALID_LABELS"),
        ([("__name__", "m"), *((f"l{k}", "x") for k in range(64))], "INVALID_LABELS"),
    ],
)
def test_what_no_series_can_have_is_refused(pairs: list[tuple[str, str]], reason: str) -> None:
    with pytest.raises(BadSampleError) as error:
        series_labels(pairs)
    assert error.value.reason == reason


def test_labels_may_be_as_many_and_as_long_as_the_store_takes() -> None:
    assert len(series_labels([("__name__", "m"), *((f"l{k}", "x") for k in range(63))])) == 64
    assert series_labels([("__name__", "m"), ("a", "é" * 2047)])[1] == ("a", "é" * 2047)
