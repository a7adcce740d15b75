"""Reading requests: bodies within their limits, JSON, and parameters, each fault with a clear answer."""

import asyncio
from http import HTTPStatus
from typing import Any, Final, TypeVar, get_origin

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from services.common.errors import FieldError, InvalidArgumentError
from services.gateway.web.compression import CODINGS, BrokenBodyError, TooLargeBodyError, decompress
from services.gateway.web.problems import HttpProblem

ModelT = TypeVar("ModelT", bound=BaseModel)
BODY_TIMEOUT_KEY: Final = web.AppKey("body_timeout_seconds", float)
LARGE_BYTES: Final = 256 * 1024
"""From here on a body is taken apart in a thread: it would hold up other requests for more than a few milliseconds."""
_MAX_FIELD_ERRORS: Final = 20
_BROKEN: Final = "the body is broken off or not compressed as it says"


async def read_bytes(request: web.Request) -> bytes:
    """The body, decompressed.

    Raises:
        HTTPRequestEntityTooLarge: it is larger than the limit, counted after decompression.
        HttpProblem: it did not come in time, or is compressed in a way that is not taken.
        InvalidArgumentError: it is broken off or not compressed as it says.
    """
    limit = request.client_max_size
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity", *CODINGS):
        detail = f"bodies are taken as they are or compressed with {' or '.join(CODINGS)}, not with {coding[:40]}"
        headers = {"Accept-Encoding": ", ".join(CODINGS)}
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_ENCODING", detail, headers)
    if request.content_length is not None and request.content_length > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length)
    try:
        async with asyncio.timeout(request.app[BODY_TIMEOUT_KEY]):
            body = await request.read()
    except TimeoutError:
        raise HttpProblem(HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the body did not come in time") from None
    except web.RequestPayloadError as error:
        raise InvalidArgumentError(_BROKEN, reason="BROKEN_BODY") from error
    if coding not in CODINGS:
        return body
    try:
        return await asyncio.to_thread(decompress, body, coding, limit)
    except BrokenBodyError:
        raise InvalidArgumentError(_BROKEN, reason="BROKEN_BODY") from None
    except TooLargeBodyError:
        raise web.HTTPRequestEntityTooLarge(limit, limit + 1) from None


async def read_json_bytes(request: web.Request) -> bytes:
    """The body of a request that should be JSON; a request that does not name a type is believed to be.

    Raises:
        HttpProblem: it says that it is something else.
    """
    kind = request.content_type
    if "Content-Type" in request.headers and kind != "application/json" and not kind.endswith("+json"):
        detail = f"the body must be application/json, not {kind[:100]}; set the header Content-Type"
        raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)
    return await read_bytes(request)


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
