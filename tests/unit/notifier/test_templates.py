"""Annotations: what a template may do, and that none can do harm."""

import math

import pytest

from services.notifier.domain.alerts import Evidence
from services.notifier.domain.templates import MAX_OUTPUT_CHARS, AnnotationTemplates, BadTemplateError

EVIDENCE = Evidence("cpu > 90", 1_700_000_000.0)


def render(source: str, value: float = 97.26, **labels: str) -> str:
    templates = AnnotationTemplates()
    templates.check(source)
    return templates.render(source, {"server": "web-01", **labels}, value, EVIDENCE)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ labels.server }}: {{ value | round(1) }} %", "web-01: 97.3 %"),
        ("{{ labels['server'] | upper }}", "WEB-01"),
        ("{% if value > 95 %}very {% endif %}high", "very high"),
        ("{{ evidence.expr }} @ {{ evidence.time | int }}", "cpu > 90 @ 1700000000"),
        ("{{ labels.nothing }}{{ labels.nothing | default('?') }}", "?"),
        ("{{ value * 2 + 1 }}", "195.52"),
        ("{{ labels.items }}", ""),
        ("{{ labels.__class__ }}{{ value.__class__ }}", ""),
        ("서버 {{ labels.server }}", "서버 web-01"),
    ],
)
def test_templates_print_filter_and_choose(source: str, text: str) -> None:
    assert render(source) == text


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(100000000) %}x{% endfor %}",
        "{% set a = 'x' %}{{ a }}",
        "{{ 2 ** 9999999 }}",
        "{{ labels.server.center(1000000000) }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ '%999999999d' | format(1) }}",
        "{% include '/etc/passwd' %}",
        "{% macro m() %}{% endmacro %}",
        "{{ [1, 2] }}",
        "{{ unclosed",
        "{{ 'x' | nothing }}",
        "x" * 5000,
    ],
)
def test_what_could_do_harm_is_refused_when_the_rule_is_made(source: str) -> None:
    with pytest.raises(BadTemplateError):
        AnnotationTemplates().check(source)


@pytest.mark.parametrize("source", ["{{ 'x' * 1000000000 }}", "{{ '%999999999d' % 1 }}", "{{ 1 / 0 }}", "{{ labels + 1 }}"])
def test_an_error_while_filling_in_becomes_text(source: str) -> None:
    assert "error in template" in render(source)


def test_the_text_is_cut_where_it_is_too_long() -> None:
    assert len(render("{{ labels.server }}", server="x" * 10_000)) == MAX_OUTPUT_CHARS


def test_no_value_is_printed_as_such() -> None:
    assert render("{{ value }}", value=math.nan) == "nan"
