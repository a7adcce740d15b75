"""Addresses, names and lines for InfluxDB."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.lines import encode, pieces
from services.metrics.adapters.influxdb.names import labels_of, line_key, tag_key, tag_value
from services.metrics.adapters.influxdb.queries import removals, selections
from services.metrics.domain.series import canonical


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://influx/metrics", InfluxAddress("http://influx", "metrics")),
        ("http://influx:8086", InfluxAddress("http://influx:8086", "openmanager")),
        ("https://influx:8086/proxy/here/metrics/", InfluxAddress("https://influx:8086/proxy/here", "metrics")),
        ("http://me:p%40ss@influx:8086/m", InfluxAddress("http://influx:8086", "m", "Basic bWU6cEBzcw==")),
        ("http://:to%3Dken@influx:8086/m", InfluxAddress("http://influx:8086", "m", "Token to=ken")),
        ("http://influx:8086/m?rp=year&consistency=all", InfluxAddress("http://influx:8086", "m", "", "year", "all")),
    ],
)
def test_an_address_is_read(url: str, expected: InfluxAddress) -> None:
    assert InfluxAddress.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "influx:8086/m",
        "ftp://influx/m",
        "http:///m",
        "http://secret@influx:x/m",
        "http://i/m?precision=s",
        "http://i/m?consistency=some",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refusal:
        InfluxAddress.parse(url)
    assert "secret" not in str(refusal.value)


_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True) | st.sampled_from(["time", "value", "bits", "_field"])


@given(st.dictionaries(_NAMES.filter(lambda name: name != "__name__"), st.text(min_size=1, max_size=20), max_size=5))
def test_labels_come_back_from_tags(given_labels: dict[str, str]) -> None:
    labels = canonical([("__name__", "cpu"), *given_labels.items()])
    tags = {tag_key(name): tag_value(value) for name, value in given_labels.items()}
    assert labels_of("cpu", tags | {"absent": ""}) == labels
    assert "\n" not in line_key(labels)
    assert len(set(tags)) == len(given_labels)


def test_values_stay_as_they_are_where_that_is_possible() -> None:
    assert tag_value("95 % of 한국, a=b 'c' \"d\"") == "95 % of 한국, a=b 'c' \"d\""
    assert tag_value("a\\b\n%") == "%:a%5Cb%0A%25"
    assert tag_value("%:x") == "%:%25:x"
    assert line_key((("__name__", "m:x"), ("path", "a b,c=d"), ("time", "t"))) == r"m:x,label.time=t,path=a\ b\,c\=d"


def test_lines_carry_numbers_and_the_bits_of_what_is_none() -> None:
    values = np.array([1.5, np.nan, -0.0, np.inf, 1e300])
    assert encode(["a", "b", "c", "d", "e"], np.arange(5), values).decode().split("\n") == [
        "a value=1.5 0",
        "b bits=9221120237041090560i 1",
        "c bits=-9223372036854775808i 2",
        "d bits=9218868437227405312i 3",
        "e value=1e+300 4",
    ]


def test_bodies_are_cut_between_lines() -> None:
    body = b"aaaa\nbb\ncccccccccc\nd"
    assert list(pieces(body, 8)) == [b"aaaa\nbb", b"cccccccccc", b"d"]
    assert list(pieces(body, 100)) == [body]
    assert list(pieces(b"cccccccccc", 8)) == [b"cccccccccc"]


def test_quotes_in_labels_do_not_leave_their_string() -> None:
    labels = (("__name__", "cpu"), ("a", "x' OR 'y'='y"))
    (statements,) = selections([labels], {"cpu": 2}, 0, 9)
    assert "\"a\" = 'x\\' OR \\'y\\'=\\'y'" in statements
    (statement,) = removals([labels], ["b"], verb="DROP SERIES")
    assert statement == "DROP SERIES FROM \"cpu\" WHERE (\"a\" = 'x\\' OR \\'y\\'=\\'y' AND \"b\" = '')"
