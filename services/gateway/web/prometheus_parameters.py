"""Parameters of the Prometheus HTTP API, given in the URL or in a form."""

import math
import re
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel

from services.common.errors import InvalidArgumentError
from services.gateway.domain.times import parse_time_ms
from services.gateway.web.body import check, parameters, read_bytes
from services.gateway.web.prometheus_errors import bad_parameter

MAX_FIELDS: Final = 1_000
FORM: Final = "application/x-www-form-urlencoded"

_UNITS: Final = (
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
)
_DURATION: Final = re.compile("".join(f"(?:([0-9]+){unit})?" for unit, _ in _UNITS))
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LONGEST_SECONDS: Final = 1e10

ModelT = TypeVar("ModelT", bound=BaseModel)


async def parameters_of(request: web.Request, kind: type[ModelT]) -> ModelT:
    """The parameters of the URL and of the form; the form's come first, as in Prometheus."""
    values: MultiDict[Any] = MultiDict(request.query)
    if request.method == "POST":
        form = _form(await read_bytes(request), request.content_type)
        for name, _ in form:
            values.popall(name, None)
        values.extend(form)
    given = parameters(kind, values)
    # What is missing is empty, as in Prometheus: who reads it says what is wrong with that.
    missing = {field.alias or name: "" for name, field in kind.model_fields.items() if field.is_required()}
    return check(kind, missing | given)


def time_ms(text: str, name: str) -> int:
    """Unix milliseconds of a time in Unix seconds or RFC 3339."""
    try:
        return parse_time_ms(text)
    except (ValueError, OverflowError):
        raise bad_parameter(name, f"cannot parse {_quoted(text)} to a valid timestamp") from None


def optional_time_ms(text: str | None, name: str) -> int | None:
    """As `time_ms`; nothing where nothing is given."""
    if text is None or not text:
        return None
    try:
        return parse_time_ms(text)
    except (ValueError, OverflowError):
        told = f"Invalid time value for '{name}': cannot parse {_quoted(text)} to a valid timestamp"
        raise bad_parameter(name, told) from None


def duration_ms(text: str, name: str) -> int:
    """Milliseconds of `90`, `1.5` (seconds), `90s` or `1h30m`."""
    try:
        seconds = float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
        if found is not None and text:
            return sum(int(count) * unit_ms for count, (_, unit_ms) in zip(found.groups(), _UNITS, strict=True) if count)
    else:
        if math.isfinite(seconds) and abs(seconds) <= _LONGEST_SECONDS:
            return round(seconds * 1000)
    raise bad_parameter(name, f"cannot parse {_quoted(text)} to a valid duration")


def check_label_name(name: str) -> None:
    """Refuse what cannot be the name of a label."""
    if _LABEL_NAME.fullmatch(name) is None:
        raise InvalidArgumentError(f"invalid label name: {_quoted(name)}")


def _form(body: bytes, kind: str) -> list[tuple[str, str]]:
    """The fields of a form in the order given, always in UTF-8."""
    if not body:
        return []
    if kind != FORM:
        raise InvalidArgumentError(f"the body must be {FORM}, not {kind[:100]}")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise InvalidArgumentError("the body is not UTF-8") from None
    except ValueError:
        raise InvalidArgumentError(f"the body has more than {MAX_FIELDS} fields") from None


def _quoted(text: str) -> str:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
