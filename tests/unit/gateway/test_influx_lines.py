"""InfluxDB's lines into columns."""

from typing import Any

import pytest

from services.common.errors import InvalidArgumentError
from services.gateway.domain.protocols import influx_lines
from services.gateway.domain.protocols.influx_lines import InfluxBatch
from services.gateway.domain.series_table import SeriesTable

NOW_MS = 1_700_000_000_000
NOW_NS = NOW_MS * 1_000_000


def parse(body: str | bytes, precision: str = "ns", series: SeriesTable | None = None) -> InfluxBatch:
    raw = body if isinstance(body, bytes) else body.encode()
    return influx_lines.parse_lines(raw, precision, NOW_MS, SeriesTable() if series is None else series)


def rows(found: InfluxBatch) -> list[tuple[str, dict[str, str], float, int]]:
    batch = found.samples
    labels = [dict(batch.series.labels[number]) for number in batch.numbers.tolist()]
    names = [one.pop("__name__") for one in labels]
    return list(zip(names, labels, batch.values.tolist(), batch.timestamps_ms.tolist(), strict=True))


def values(body: str) -> list[tuple[str, float]]:
    return [(name, value) for name, _, value, _ in rows(parse(body))]


def errors(found: InfluxBatch) -> list[tuple[int, str]]:
    return [(error.index, error.reason) for error in found.samples.errors]


def test_fields_become_series_named_after_measurement_and_field() -> None:
    found = parse(
        f"cpu,cpu=cpu-total,host=web-01 usage_idle=90.5,usage_user=7i {NOW_NS}\n"
        f"load,host=web-01 value=0.75 {NOW_NS + 1_500_000}\n"
        "mem,host=web-02 used_percent=44\n"
    )
    assert rows(found) == [
        ("cpu_usage_idle", {"cpu": "cpu-total", "host": "web-01", "server": "web-01"}, 90.5, NOW_MS),
        ("cpu_usage_user", {"cpu": "cpu-total", "host": "web-01", "server": "web-01"}, 7.0, NOW_MS),
        ("load", {"host": "web-01", "server": "web-01"}, 0.75, NOW_MS + 1),
        ("mem_used_percent", {"host": "web-02", "server": "web-02"}, 44.0, NOW_MS),
    ]
    assert errors(found) == []


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("", NOW_NS),
        ("n", NOW_NS),
        ("ns", NOW_NS),
        ("u", NOW_MS * 1000),
        ("µ", NOW_MS * 1000),
        ("us", NOW_MS * 1000),
        ("ms", NOW_MS),
        ("s", NOW_MS // 1000),
        ("m", NOW_MS // 60_000),
        ("h", NOW_MS // 3_600_000),
    ],
)
def test_timestamps_have_the_unit_that_was_said(precision: str, text: int) -> None:
    unit_ms = {"m": 60_000, "h": 3_600_000}.get(precision, 1)
    ((_, _, _, time_ms),) = rows(parse(f"m a=1 {text}", precision))
    assert time_ms == NOW_MS // unit_ms * unit_ms


def test_another_unit_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="precision"):
        parse("m a=1", "d")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.5", -1.5),
        ("+2", 2.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("007", 7.0),
        ("12i", 12.0),
        ("-12i", -12.0),
        ("9223372036854775807i", 2.0**63),
        ("18446744073709551615u", 2.0**64),
        ("t", 1.0),
        ("TRUE", 1.0),
        ("true", 1.0),
        ("F", 0.0),
        ("false", 0.0),
    ],
)
def test_values_of_every_type(text: str, value: float) -> None:
    assert values(f"m a={text},b=2") == [("m_a", value), ("m_b", 2.0)]
    assert values(f'm a={text},s="x",b=2') == [("m_a", value), ("m_b", 2.0)]


@pytest.mark.parametrize(
    "text",
    ["", "abc", "1_000", "nan", "NaN", "inf", "-Infinity", "0x10", "1.5i", "1e3i", "i", "u", "-1u", "9223372036854775808i",
     "18446744073709551616u", "[1]", "null", "tru", '"open', "1\t2", "--1", "1e", "99999999999999999999i"],
)  # fmt: skip
def test_what_is_no_value_is_refused_with_its_line(text: str) -> None:
    found = parse(f"good a=1\nm a={text},b=2\ngood b=2")
    assert [index for index, _ in errors(found)] == [1]
    assert [row[0] for row in rows(found)] == ["good_a", "good_b"]


def test_a_number_beyond_a_double_is_refused_alone() -> None:
    found = parse("m a=1e999,b=2")
    assert errors(found) == [(0, "NOT_FINITE")]
    assert [row[0] for row in rows(found)] == ["m_b"]


def test_texts_are_left_out_and_counted() -> None:
    found = parse('m s="a, b=c \\" d",a=1,t="" 1700000000000000000\nn s="two\nlines",b=2\nonly s="x"\nlast a=4 oops')
    assert [(row[0], row[2]) for row in rows(found)] == [("m_a", 1.0), ("n_b", 2.0)]
    assert found.texts == 4
    assert errors(found) == [(4, "INVALID_TIMESTAMP")]


def test_escapes() -> None:
    found = parse(r"my\ disk\,x,ta\=g\ 1=va\,l\ ue\=,host=a\\b used\ pct=1,a\,b\=c=2 1700000000000000000")
    assert rows(found) == [
        ("my_disk_x_used_pct", {"ta_g_1": "va,l ue=", "host": r"a\\b", "server": r"a\\b"}, 1.0, NOW_MS),
        ("my_disk_x_a_b_c", {"ta_g_1": "va,l ue=", "host": r"a\\b", "server": r"a\\b"}, 2.0, NOW_MS),
    ]


def test_space_comments_and_ends_of_lines_do_not_matter() -> None:
    body = '\n# a comment, with "quotes\n  #another\n\r\n  m   a=1   1700000000000000000  \r\n\tm\tb=2\nm,h="q" c=3\r\nm d=4'
    found = parse(body)
    assert [(row[0], row[2]) for row in rows(found)] == [("m_a", 1.0), ("m_b", 2.0), ("m_c", 3.0), ("m_d", 4.0)]
    assert errors(found) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("this is no line", "INVALID_LINE"),
        ("no line", "INVALID_VALUE"),
        ("measurement", "INVALID_LINE"),
        ("m a=1 1 2", "INVALID_LINE"),
        ("m,tag a=1", "INVALID_LINE"),
        ("m,tag= a=1", "INVALID_LINE"),
        ("m,=x a=1", "INVALID_LINE"),
        ("m,a=b=c a=1", "INVALID_LINE"),
        (",a=b a=1", "INVALID_NAME"),
        ("m =1", "INVALID_LINE"),
        ("m a=1,", "INVALID_LINE"),
        ("m ,a=1", "INVALID_LINE"),
        ("m a=1,b", "INVALID_VALUE"),
        ("m a=1=2", "INVALID_VALUE"),
        ("m 1,2=3=4", "INVALID_VALUE"),
        ("m a=1 12.5", "INVALID_TIMESTAMP"),
        ("m a=1 99999999999999999999", "INVALID_TIMESTAMP"),
        ("m,t=1,t=2 a=1", "DUPLICATE_LABEL"),
        ("m,a.b=1,a-b=2 a=1", "DUPLICATE_LABEL"),
        ("m,__name__=1 a=1", "DUPLICATE_LABEL"),
        ('m a="x', "INVALID_LINE"),
        ('m a="x"y', "INVALID_LINE"),
        ('"m', "INVALID_LINE"),
        ("m\\", "INVALID_LINE"),
        ("m,host=" + "x" * 300 + " a=1", "INVALID_SERVER"),
        ("m,t=" + "x" * 5000 + " a=1", "INVALID_LABELS"),
        ("m," + ",".join(f"t{k}=1" for k in range(70)) + " a=1", "INVALID_LABELS"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_spoils_no_other(line: str, reason: str) -> None:
    for tail in ("", '\nlast s="x",a=9'):  # with a quote somewhere the body is read more carefully
        found = parse(f"good a=1\n{line}\ngood b=2{tail}")
        assert errors(found) == [(1, reason)], tail
        assert [row[0] for row in rows(found)][:2] == ["good_a", "good_b"]


def test_names_that_are_no_text_are_refused() -> None:
    found = parse(b"m,host=\xff a=1\nm \xfe=1\ng\xc3\xa9 a=1")
    assert errors(found) == [(0, "INVALID_UTF8"), (1, "INVALID_UTF8")]
    assert [row[0] for row in rows(found)] == ["g__a"]


def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_lines, "MAX_SAMPLES", 10)
    with pytest.raises(InvalidArgumentError) as error:
        parse("m a=1,b=2\n" * 6)
    assert error.value.reason == "TOO_MANY_SAMPLES"


def test_a_body_seen_before_gives_the_same() -> None:
    series = SeriesTable()
    body = 'm,host=a x=1,y=2i,z=t\nm,host=b y=5\nm,host=a s="x",x=3\n'
    first: Any = [rows(parse(body, series=series)) for _ in range(3)]
    assert first[0] == first[1] == first[2]
    assert len(series) == 4
