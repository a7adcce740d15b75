"""Relabelling: cases from Prometheus's documentation of each action."""

from typing import Any

import pytest

from services.common.errors import InvalidArgumentError
from services.metrics.domain.scrape.relabel import relabel
from services.metrics.domain.scrape.target import TargetError, make_target, offset_seconds, without_port
from tests.support.scrape import a_job, the_target


def relabelled(labels: dict[str, str], *rules: dict[str, Any]) -> dict[str, str] | None:
    return relabel(dict(labels), a_job(relabel_configs=list(rules)).relabel_rules)


LABELS = {"a": "foo", "b": "bar", "c": "baz"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch$1"}], LABELS | {"d": "choo-choo"}),
        ([{"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "target_label": "a", "replacement": "b${1}${2}m$2m"}], LABELS | {"a": "boobam"}),
        ([{"source_labels": ["a"], "regex": "oo", "target_label": "d", "replacement": "x"}], LABELS),
        ([{"source_labels": ["a"], "regex": ".*", "target_label": "b", "replacement": ""}], {"a": "foo", "c": "baz"}),
        ([{"target_label": "d", "replacement": "fixed"}], LABELS | {"d": "fixed"}),
        ([{"source_labels": ["a"], "regex": "(?P<n>f)oo", "target_label": "d", "replacement": "${n}$$$9"}], LABELS | {"d": "f$"}),
        ([{"source_labels": ["a"], "regex": "(f)oo", "target_label": "${1}x", "replacement": "y"}], LABELS | {"fx": "y"}),
        ([{"source_labels": ["a"], "regex": "(.*)", "target_label": "$1-x", "replacement": "y"}], LABELS),
        ([{"source_labels": ["a"], "regex": "foo", "action": "keep"}], LABELS),
        ([{"source_labels": ["a"], "regex": "fo", "action": "keep"}], None),
        ([{"source_labels": ["a"], "regex": "foo|x", "action": "drop"}], None),
        ([{"source_labels": ["a"], "regex": "fo", "action": "drop"}], LABELS),
        ([{"source_labels": ["a"], "target_label": "b", "action": "keepequal"}], None),
        ([{"source_labels": ["a"], "target_label": "b", "action": "dropequal"}], LABELS),
        ([{"source_labels": ["a"], "target_label": "d", "action": "uppercase"}], LABELS | {"d": "FOO"}),
        ([{"source_labels": ["d"], "target_label": "d", "action": "lowercase"}], LABELS),
        ([{"source_labels": ["c"], "target_label": "d", "action": "hashmod", "modulus": 1000}], LABELS | {"d": "976"}),
        ([{"regex": "(b.*)", "replacement": "bar_${1}", "action": "labelmap"}], LABELS | {"bar_b": "bar"}),
        ([{"regex": "a|b", "action": "labeldrop"}], {"c": "baz"}),
        ([{"regex": "a|b", "action": "labelkeep"}], {"a": "foo", "b": "bar"}),
    ],
)  # fmt: skip
def test_actions(rules: list[dict[str, Any]], expected: dict[str, str] | None) -> None:
    assert relabelled(LABELS, *rules) == expected


def test_a_regular_expression_that_would_run_away_elsewhere_does_not() -> None:
    assert relabelled({"a": "a" * 5000 + "!"}, {"source_labels": ["a"], "regex": "(a*)*b", "action": "keep"}) is None


def test_the_parts_of_a_url_can_be_relabelled() -> None:
    # The blackbox pattern of Prometheus's documentation.
    job = a_job(
        metrics_path="/probe",
        params={"module": ["http_2xx"]},
        relabel_configs=[
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": "127.0.0.1:9115"},
        ],
    )
    target = the_target(job, "example.com:443")
    assert target.url == "http://127.0.0.1:9115/probe?module=http_2xx&target=example.com%3A443"
    assert dict(target.all_labels) == {"instance": "example.com:443", "job": "test", "server": "example.com"}


def test_labels_of_a_group_may_say_how_to_scrape() -> None:
    target = make_target(
        a_job(), "x:1", {"__scheme__": "https", "__metrics_path__": "m?a b", "server": "web", "__scrape_interval__": "30s"}
    )
    assert target is not None
    assert (target.url, target.interval_seconds) == ("https://x:1/m%3Fa%20b", 30.0)
    assert target.all_labels == (("instance", "x:1"), ("job", "test"), ("server", "web"))


@pytest.mark.parametrize(
    "labels",
    [
        {"__scheme__": "file"},
        {"__address__": "a/b"},
        {"__address__": "me:secret@a"},
        {"__address__": ""},
        {"__scrape_timeout__": "1h"},
    ],
)
def test_a_target_that_cannot_be_scraped_is_told(labels: dict[str, str]) -> None:
    with pytest.raises(TargetError):
        make_target(a_job(), "x:1", labels)


def test_offsets_are_stable_and_spread() -> None:
    job = a_job(scrape_interval="15s")
    offsets = [offset_seconds(the_target(job, f"web-{number}:9100")) for number in range(1000)]
    assert offsets[0] == offset_seconds(the_target(a_job(scrape_interval="15s"), "web-0:9100"))
    counts = [sum(1 for offset in offsets if int(offset) == second) for second in range(15)]
    assert sum(counts) == 1000
    assert max(counts) < 110


@pytest.mark.parametrize(
    ("instance", "server"),
    [
        ("web:9100", "web"),
        ("web", "web"),
        ("[::1]:9100", "::1"),
        ("[::1]", "::1"),
        ("fe80::1", "fe80::1"),
        ("http://x:80", "http://x"),
    ],
)
def test_the_server_of_an_instance(instance: str, server: str) -> None:
    assert without_port(instance) == server


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"consul_sd_configs": [], "proxy_url": "x", "typo": 1}, {"consul_sd_configs", "proxy_url", "typo"}),
        ({"scrape_interval": "0s", "scrape_timeout": "x", "scheme": "ftp"}, {"scrape_interval", "scrape_timeout", "scheme"}),
        ({"scrape_interval": 5, "scrape_timeout": "6s"}, {"scrape_timeout"}),
        ({"static_configs": [{"targets": ["http://x"], "labels": {"a-b": "c"}, "x": 1}]},
         {"static_configs[0].targets", "static_configs[0].labels.a-b", "static_configs[0].x"}),
        ({"basic_auth": {"username": "a:b"}, "bearer_token": "x"}, {"basic_auth.username", "authorization"}),
        ({"authorization": {"type": "Basic"}}, {"authorization.credentials", "authorization.type"}),
        ({"tls_config": {"cert_file": "x", "min_version": "TLS12"}}, {"tls_config.cert_file", "tls_config.min_version"}),
        ({"relabel_configs": [{"regex": "(", "action": "hashmod"}]},
         {"relabel_configs[0].regex", "relabel_configs[0].target_label", "relabel_configs[0].modulus"}),
        ({"http_sd_configs": [{"url": "http://u:p@x/"}], "file_sd_configs": [{"files": ["x.txt"]}]}, {"http_sd_configs[0].url", "file_sd_configs[0].files"}),
        ({"job_name": "", "honor_labels": "yes", "sample_limit": -1, "body_size_limit": "many", "params": []},
         {"job_name", "honor_labels", "sample_limit", "body_size_limit", "params"}),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_is_told_at_once(config: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        a_job(**config)
    assert {field.field for field in refused.value.fields} == fields
    assert refused.value.reason == "INVALID_SCRAPE_CONFIG"
