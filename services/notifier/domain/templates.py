"""Annotations: templates over `labels`, `value` and `evidence`, small enough in grammar to be harmless.

A template may print values, combine them, filter them and choose with `if`. Loops, assignments, calls and powers are refused when
the rule is made, because the sandbox alone bounds neither their time nor their memory.
"""

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.domain.alerts import Evidence

MAX_SOURCE_CHARS: Final = 4096
MAX_OUTPUT_CHARS: Final = 4096
FILTERS: Final = frozenset(
    {"abs", "capitalize", "d", "default", "float", "int", "length", "lower", "round", "title", "trim", "truncate", "upper"}
)
_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.CondExpr,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Filter,
    nodes.Keyword,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Pos,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
)


class BadTemplateError(ValueError):
    """The template cannot be used; the message says why."""


class _Environment(ImmutableSandboxedEnvironment):
    """Names lead to items of mappings only, never to Python attributes; `*` and `%` are for numbers only."""

    intercepted_binops = frozenset({"*", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(operand, int | float) for operand in (left, right)):
            raise TemplateError(f"{operator} takes numbers")
        return super().call_binop(context, operator, left, right)


class AnnotationTemplates:
    """Compiles templates, keeps them compiled, and fills them in."""

    def __init__(self, max_compiled: int = 1024) -> None:
        self._environment = _Environment(autoescape=False)
        self._compiled: dict[str, Template] = {}
        self._max_compiled = max_compiled

    def check(self, source: str) -> None:
        """Raises BadTemplateError when the template cannot be used."""
        self._compile(source)

    def render(self, source: str, labels: Mapping[str, str], value: float, evidence: Evidence) -> str:
        """The text, at most MAX_OUTPUT_CHARS long; an error while filling in becomes part of the text, so that the alert goes out."""
        variables = {"labels": dict(labels), "value": value, "evidence": {"expr": evidence.expr, "time": evidence.time}}
        try:
            text = self._compile(source).render(variables)
        except (BadTemplateError, TemplateError, ArithmeticError, TypeError, ValueError) as error:
            text = f"<error in template: {error}>"
        return text if len(text) <= MAX_OUTPUT_CHARS else text[: MAX_OUTPUT_CHARS - 1] + "…"

    def _compile(self, source: str) -> Template:
        if source in self._compiled:
            return self._compiled[source]
        if len(source) > MAX_SOURCE_CHARS:
            raise BadTemplateError(f"is longer than {MAX_SOURCE_CHARS} characters")
        try:
            for node in _walk(self._environment.parse(source)):
                if not isinstance(node, _ALLOWED):
                    raise BadTemplateError(f"may not use {type(node).__name__.lower()}; it prints, filters and chooses with `if`")
                if isinstance(node, nodes.Filter) and node.name not in FILTERS:
                    raise BadTemplateError(f"may not use the filter {node.name}; it may use {', '.join(sorted(FILTERS))}")
            template = self._environment.from_string(source)
        except TemplateError as error:
            raise BadTemplateError(f"is not a template: {error.message}") from error
        if len(self._compiled) >= self._max_compiled:
            self._compiled.clear()
        self._compiled[source] = template
        return template


def _walk(node: nodes.Node) -> list[nodes.Node]:
    found = [node]
    for child in node.iter_child_nodes():
        found.extend(_walk(child))
    return found
