"""What a rule must be before it is stored: every wrong field is named at once."""

import re
from collections.abc import Iterator
from typing import Final

from services.common.errors import FieldError, InvalidArgumentError
from services.notifier.domain.expressions import parse_expression
from services.notifier.domain.labels import ALERT_NAME, LABEL_NAME, METRIC_NAME
from services.notifier.domain.rules import Rule
from services.notifier.domain.templates import AnnotationTemplates, BadTemplateError

RULE_NAME: Final = re.compile(r"[^\s\x00-\x1f](?:[^\x00-\x1f]{0,126}[^\s\x00-\x1f])?")
MAX_EXPR_CHARS: Final = 8192
MAX_DURATION_SECONDS: Final = 366 * 86_400.0
MAX_ENTRIES: Final = 64
MAX_VALUE_CHARS: Final = 1024


def check_rule(rule: Rule, templates: AnnotationTemplates) -> None:
    """Checks everything that can be known without asking anybody.

    Raises:
        InvalidArgumentError: with each wrong field; its reason is BAD_DATA when an expression does not parse.
    """
    problems = [*_identity(rule), *_durations(rule), *_labels(rule), *_annotations(rule, templates)]
    reason = "INVALID_RULE"
    for field, text in (("expr", rule.expr), ("recovery_expr", rule.recovery_expr)):
        if not text and field == "recovery_expr":
            continue
        if not text.strip() or len(text) > MAX_EXPR_CHARS:
            problems.append(FieldError(field, f"must have 1 to {MAX_EXPR_CHARS} characters"))
            continue
        try:
            parse_expression(text, field)
        except InvalidArgumentError as error:
            problems.extend(error.fields)
            reason = error.reason
    if problems:
        raise InvalidArgumentError(
            "; ".join(f"{problem.field}: {problem.message}" for problem in problems), reason=reason, fields=problems
        )


def _identity(rule: Rule) -> Iterator[FieldError]:
    if not RULE_NAME.fullmatch(rule.name):
        yield FieldError("name", "must have 1 to 128 printable characters and no space at either end")
    if len(set(rule.channels)) != len(rule.channels) or len(rule.channels) > MAX_ENTRIES:
        yield FieldError("channels", f"must name each channel once, at most {MAX_ENTRIES}")


def _durations(rule: Rule) -> Iterator[FieldError]:
    for field in (
        "for_seconds",
        "keep_firing_for_seconds",
        "group_wait_seconds",
        "group_interval_seconds",
        "repeat_interval_seconds",
    ):
        if not 0 <= getattr(rule, field) <= MAX_DURATION_SECONDS:
            yield FieldError(field, f"must be between 0 and {MAX_DURATION_SECONDS:.0f} seconds")
    if 0 < rule.repeat_interval_seconds < 1:
        yield FieldError("repeat_interval_seconds", "must be 0 (never) or at least 1 second")


def _labels(rule: Rule) -> Iterator[FieldError]:
    if len(rule.labels) > MAX_ENTRIES:
        yield FieldError("labels", f"must be at most {MAX_ENTRIES}")
    for name, value in rule.labels.items():
        if not LABEL_NAME.fullmatch(name) or name in (METRIC_NAME, ALERT_NAME):
            yield FieldError(
                f"labels.{name}", f"is no label name; use letters, digits and _, and neither {METRIC_NAME} nor {ALERT_NAME}"
            )
        if len(value) > MAX_VALUE_CHARS:
            yield FieldError(f"labels.{name}", f"must have at most {MAX_VALUE_CHARS} characters")
    for name in rule.group_by:
        if not LABEL_NAME.fullmatch(name):
            yield FieldError("group_by", f"{name!r} is no label name; use letters, digits and _")


def _annotations(rule: Rule, templates: AnnotationTemplates) -> Iterator[FieldError]:
    if len(rule.annotations) > MAX_ENTRIES:
        yield FieldError("annotations", f"must be at most {MAX_ENTRIES}")
    for name, source in rule.annotations.items():
        if not LABEL_NAME.fullmatch(name):
            yield FieldError(f"annotations.{name}", "is no annotation name; use letters, digits and _")
        try:
            templates.check(source)
        except BadTemplateError as error:
            yield FieldError(f"annotations.{name}", str(error))
