"""Pages of samples, with the parser of prometheus_client as the oracle."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from services.metrics.domain.scrape.line import Series
from services.metrics.domain.scrape.page import NO_TIME_MS, PageError, PageReader

Sample = tuple[str, tuple[tuple[str, str], ...], float, int | None]


class Reader:
    """A reader that gives whole samples, and counts how often it had to ask what a series is."""

    def __init__(self) -> None:
        self.series: list[Series] = []
        self._reader = PageReader(self._slot)

    def _slot(self, series: Series) -> int:
        self.series.append(series)
        return len(self.series) - 1

    def __call__(self, text: str, openmetrics: bool = False) -> list[Sample]:
        samples = self._reader.read(text, openmetrics=openmetrics)
        times = [NO_TIME_MS] * len(samples.slots) if samples.times_ms is None else samples.times_ms.tolist()
        return [
            (self.series[slot].name, tuple(sorted(self.series[slot].labels)), value, None if time == NO_TIME_MS else time)
            for slot, value, time in zip(samples.slots.tolist(), samples.values.tolist(), times, strict=True)
        ]


def same(ours: list[Sample], theirs: list[Sample]) -> bool:
    def key(sample: Sample) -> tuple[object, ...]:
        return (*sample[:2], "nan" if math.isnan(sample[2]) else sample[2], sample[3])

    return list(map(key, ours)) == list(map(key, theirs))


names = st.from_regex(r"[a-z_:][a-z0-9_:]{0,8}", fullmatch=True)
label_names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)  # the oracle takes no name that begins with __
label_values = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n"\\{}=, #'), max_size=8)
values = st.floats() | st.integers(-(10**18), 10**18).map(float) | st.sampled_from([math.inf, -math.inf, math.nan])
series = st.tuples(names, st.dictionaries(label_names, label_values, max_size=3))


def written(value: float) -> str:
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)


def line(name: str, labels: dict[str, str], value: float, time: int | None) -> str:
    escaped = ((label, text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')) for label, text in labels.items())
    inner = ",".join(f'{label}="{text}"' for label, text in escaped)
    return f"{name}{f'{{{inner}}}' if inner else ''} {written(value)}{'' if time is None else f' {time}'}"


@given(
    st.lists(series, min_size=1, max_size=8, unique_by=lambda item: (item[0], tuple(sorted(item[1].items())))),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_pages_are_read_as_the_oracle_reads_them_first_and_again(
    found: list[tuple[str, dict[str, str]]], data: st.DataObject
) -> None:
    reader = Reader()
    timed = data.draw(st.sampled_from(["none", "all", "some"]))
    for _ in range(3):  # carefully, then by the layout, then with some series gone
        times = [
            data.draw(st.integers(0, 2**42)) if timed == "all" or (timed == "some" and at % 2) else None for at in range(len(found))
        ]
        lines = [line(name, labels, data.draw(values), time) for (name, labels), time in zip(found, times, strict=True)]
        text = "# HELP x about x\n" + "\n".join(lines) + "\n"
        theirs = [
            (sample.name, tuple(sorted(sample.labels.items())), sample.value, None if sample.timestamp is None else round(float(sample.timestamp) * 1000))
            for family in read_text(text)
            for sample in family.samples
        ]  # fmt: skip
        assert same(reader(text), theirs)
        if data.draw(st.booleans()) and len(found) > 1:
            found = found[1:]


def test_a_series_is_asked_for_once_while_it_stays_on_the_page() -> None:
    reader = Reader()
    for step in range(3):
        assert reader(f"a {step}\nb {step}\n") == [("a", (), float(step), None), ("b", (), float(step), None)]
    assert reader("b 5 17\na 4\n") == [("b", (), 5.0, 17), ("a", (), 4.0, None)]
    assert [one.name for one in reader.series] == ["a", "b"]
    reader("a 1\n")
    reader("a 1\nb 2\n")
    assert [one.name for one in reader.series] == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("text", "sample"),
    [
        ('a { b = "c" , } 1', ("a", (("b", "c"),), 1.0, None)),
        ("a\t1\t5", ("a", (), 1.0, 5)),
        ("  a  1  ", ("a", (), 1.0, None)),
        ('a{b="}"} 0x1p3', ("a", (("b", "}"),), 8.0, None)),
        (r'a{b="\d\\n\""} 1', ("a", (("b", '\\d\\n"'),), 1.0, None)),
        ("a{} -1e-3", ("a", (), -0.001, None)),
    ],
)
def test_liberties_of_the_format(text: str, sample: Sample) -> None:
    assert Reader()(text) == [sample]


BAD = [
    "a", "a ", "a 1 2 3", "a 1 2.5", "a one", "a 1_0", "a ١", '{b="c"} 1', "1a 1", 'a{b="c" 1', 'a{b="c} 1', 'a{b=c} 1', 'a{b="c"d="e"} 1',
    'a{b="1",b="2"} 1', 'a{1="2"} 1', "# TYPE a number", "# TYPE a", "5", "+1 2", 'a{,} 1', "a 1 99999999999999999999",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_sample_is_an_error_with_its_line_and_spoils_nothing(bad: str) -> None:
    reader = Reader()
    before = reader("x 1\ny 2\nz 3\n")
    for text in (f"x 1\n{bad}\nz 3\n", f"x 1\n{bad}\n"):
        with pytest.raises(PageError, match=r"^line 2: "):
            reader(text)
    assert reader("x 1\ny 2\nz 3\n") == before


def test_values_that_python_reads_and_the_format_has_not_are_refused_on_a_known_page_too() -> None:
    reader = Reader()
    reader("a 1\nb 2\n")
    reader("a 1\nb 2\n")
    for bad in ("1_0", "١", "1\r2", ""):
        with pytest.raises(PageError):
            reader(f"a {bad}\nb 2\n")


OPENMETRICS = """# HELP requests Requests.
# TYPE requests counter
requests_total{path="/a"} 17.0 # {trace="x} 1"} 0.5 1700000000.0
requests_created{path="/a"} 1699999999.5
# TYPE size histogram
# UNIT size bytes
size_bucket{le="+Inf"} 3 1700000000.25 # {trace="y"} 2
size_count 3
size_sum 5.5
size_created 1
# TYPE temperature gauge
temperature 21.5
things_created 4
# EOF
"""


def test_openmetrics_without_exemplars_and_times_of_making() -> None:
    expected = [
        ("requests_total", (("path", "/a"),), 17.0, None),
        ("size_bucket", (("le", "+Inf"),), 3.0, 1_700_000_000_250),
        ("size_count", (), 3.0, None),
        ("size_sum", (), 5.5, None),
        ("temperature", (), 21.5, None),
        ("things_created", (), 4.0, None),
    ]
    reader = Reader()
    assert reader(OPENMETRICS, openmetrics=True) == expected
    assert reader(OPENMETRICS, openmetrics=True) == expected
    changed = OPENMETRICS.replace("17.0 # ", "18.0 # ")
    assert reader(changed, openmetrics=True)[0][2] == 18.0
    for broken in (OPENMETRICS.replace("# EOF\n", ""), OPENMETRICS + "a 1\n"):
        with pytest.raises(PageError):
            reader(broken, openmetrics=True)


def test_openmetrics_as_the_oracle_reads_it() -> None:
    text = '# TYPE a gauge\na 1.0 1700000000.125\nb{c="d"} +Inf\n# EOF\n'
    theirs = [
        (sample.name, tuple(sample.labels.items()), sample.value, None if sample.timestamp is None else round(float(sample.timestamp) * 1000))
        for family in read_openmetrics(text)  # type: ignore[no-untyped-call]  # it has no types
        for sample in family.samples
    ]  # fmt: skip
    assert Reader()(text, openmetrics=True) == theirs


def test_exemplars_never_become_values() -> None:
    reader: Callable[[str, bool], list[Sample]] = Reader()
    first = 'a_total 1 # {b="c"} 5\n# EOF\n'
    second = 'a_total 1 # {b="c"} 7\n# EOF\n'
    assert [sample[2] for text in (first, second, second) for sample in reader(text, True)] == [1.0, 1.0, 1.0]
