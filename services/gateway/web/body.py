"""Reading requests: bodies within their limits, JSON, and parameters, each fault with a clear answer."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeAlias, TypeVar, get_origin

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from services.common.errors import FieldError, InvalidArgumentError
from services.gateway.web.compression import CODINGS, BrokenBodyError, TooLargeBodyError, decompress
from services.gateway.web.problems import HttpProblem

ModelT = TypeVar("ModelT", bound=BaseModel)
Hold: TypeAlias = Callable[[int], None]
"""Is told of so many bytes more in memory, and raises when there is no room for them."""
BODY_TIMEOUT_KEY: Final = web.AppKey("body_timeout_seconds", float)
LARGE_BYTES: Final = 256 * 1024
"""From here on a body is taken apart in a thread: it would hold up other requests for more than a few milliseconds."""
_MAX_FIELD_ERRORS: Final = 20
BROKEN: Final = "the body is broken off or not compressed as it says"


def _hold_nothing(_size_bytes: int) -> None:
    """For bodies that nobody counts."""


async def read_bytes(request: web.Request, hold: Hold = _hold_nothing) -> bytes:
    """The body, decompressed.

    Raises:
        HTTPRequestEntityTooLarge: it is larger than the limit, counted after decompression.
        HttpProblem: it did not come in time, or is compressed in a way that is not taken.
        InvalidArgumentError: it is broken off or not compressed as it says.
        OpenManagerError: what `hold` raises.
    """
    coding = coding_of(request)
    if coding and coding not in CODINGS:
        raise unsupported_coding(coding, CODINGS)
    body = await read_wire_bytes(request, hold)
    if not coding:
        return body
    limit = request.client_max_size
    try:
        plain = await asyncio.to_thread(decompress, body, coding, limit)
    except BrokenBodyError:
        raise InvalidArgumentError(BROKEN, reason="BROKEN_BODY") from None
    except TooLargeBodyError:
        raise web.HTTPRequestEntityTooLarge(limit, limit + 1) from None
    hold(len(plain))
    return plain


async def read_wire_bytes(request: web.Request, hold: Hold = _hold_nothing) -> bytes:
    """The body as it was sent.

    Args:
        request: whose body it is.
        hold: is told the size of each part as it comes; whoever sends slowly holds no more than what has come.

    Raises:
        HTTPRequestEntityTooLarge: it is larger than the limit.
        HttpProblem: it did not come in time.
        InvalidArgumentError: it is broken off.
        OpenManagerError: what `hold` raises.
    """
    limit = request.client_max_size
    if request.content_length is not None and request.content_length > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(request.app[BODY_TIMEOUT_KEY]):
            async for part in request.content.iter_any():
                size += len(part)
                if size > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, size)
                hold(len(part))
                parts.append(part)
    except TimeoutError:
        raise HttpProblem(HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the body did not come in time") from None
    except web.RequestPayloadError as error:
        raise InvalidArgumentError(BROKEN, reason="BROKEN_BODY") from error
    return b"".join(parts)


def coding_of(request: web.Request) -> str:
    """How the body is compressed, by the name that HTTP has for it; empty when it is not."""
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    return "" if coding == "identity" else coding


def unsupported_coding(coding: str, taken: Sequence[str]) -> HttpProblem:
    """The problem of a body that is compressed in another way."""
    detail = f"bodies are taken as they are or compressed with {' or '.join(taken)}, not with {coding[:40]}"
    return HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_ENCODING", detail, {"Accept-Encoding": ", ".join(taken)})


def check_media(request: web.Request, *taken: str) -> None:
    """Refuse a body of a type that is not among these; a request that does not name one is believed to be right.

    Raises:
        HttpProblem: it says that it is something else.
    """
    if "Content-Type" in request.headers and request.content_type not in taken:
        detail = f"the body must be {' or '.join(taken)}, not {request.content_type[:100]}; set the header Content-Type"
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)


async def read_json_bytes(request: web.Request, hold: Hold = _hold_nothing) -> bytes:
    """The body of a request that should be JSON; a request that does not name a type is believed to be.

    Raises:
        HttpProblem: it says that it is something else.
    """
    kind = request.content_type
    if "Content-Type" in request.headers and kind != "application/json" and not kind.endswith("+json"):
        detail = f"the body must be application/json, not {kind[:100]}; set the header Content-Type"
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)
    return await read_bytes(request, hold)


def decode_json(body: bytes) -> Any:
    """The decoded body.

    Raises:
        InvalidArgumentError: it is not JSON (`INVALID_JSON`); NaN and Infinity are not.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = "the body is empty" if not body else f"the body is not JSON: {error}"
        raise InvalidArgumentError(message, reason="INVALID_JSON") from None


async def read_model(request: web.Request, kind: type[ModelT], *, empty: bool = False) -> ModelT:
    """The body as `kind`; with `empty`, a request without a body counts as `{}`."""
    body = await read_json_bytes(request)
    if empty and not body:
        return check(kind, {})
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(lambda: check(kind, decode_json(body)))
    return check(kind, decode_json(body))


def read_query(request: web.Request, kind: type[ModelT]) -> ModelT:
    """The parameters of the URL as `kind`."""
    return check(kind, parameters(kind, request.query))


def parameters(kind: type[BaseModel], values: Any) -> dict[str, Any]:
    """A multi-dictionary of texts as a plain one: a list where the field is one, else the last value given."""
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    found = {}
    for name in dict.fromkeys(values):
        given = values.getall(name)
        is_list = name in fields and get_origin(fields[name].annotation) is list
        found[name] = given if is_list else given[-1]
    return found


def check(kind: type[ModelT], document: object) -> ModelT:
    """The document as `kind`.

    Raises:
        InvalidArgumentError: with each wrong field.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as invalid:
        fields = [
            FieldError(".".join(str(part) for part in error["loc"]) or "body", error["msg"].removeprefix("Value error, "))
            for error in invalid.errors(include_url=False, include_input=False, include_context=False)[:_MAX_FIELD_ERRORS]
        ]
        raise InvalidArgumentError(f"{fields[0].field}: {fields[0].message}", fields=fields) from None
