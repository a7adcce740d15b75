"""docs/reference/http.md, from the gateway's table of routes and the types in its OpenAPI document."""

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from services.gateway.web.openapi import openapi_document
from services.gateway.web.routes import Handlers, route_table
from tools.reference.markdown import link, page, table

INTRODUCTION = """
Send `Authorization: Bearer TOKEN`; a browser that has logged in sends its session instead. `role` is the least that may call a route:
`viewer` reads and asks, `operator` also changes things, `admin` may do everything; a `public` route needs no token. Bodies are JSON in UTF-8,
times are RFC 3339 with a zone, durations are seconds, utilisation is percent from 0 to 100.

Errors are `application/problem+json` ([Problem](#problem)); programs go by `reason`. `X-Request-Id` is taken and given back, and stands
in every log line. A running gateway serves the same as an OpenAPI 3.1 document at `/openapi.json`, and as a page at `/docs`.
"""


class _Unbound:
    """Stands in for handlers: only their place in the table is wanted here."""

    def __getattr__(self, name: str) -> Any:
        return None


def http_page() -> str:
    """The whole page."""
    handlers: Any = [_Unbound() for _ in dataclasses.fields(Handlers)]
    document = openapi_document(route_table(Handlers(*handlers)), "")
    sections = []
    for tag in (tag["name"] for tag in document["tags"]):
        rows = [
            _row(method, path, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if tag in operation["tags"]
        ]
        sections += [f"## Routes: {tag}", table(("route", "role", "what", "parameters", "body", "answer"), rows)]
    sections.append("## Types")
    for name, schema in document["components"]["schemas"].items():
        sections += [f"### {name}", *_type(schema)]
    return page("HTTP API", INTRODUCTION, sections)


def _row(method: str, path: str, operation: Mapping[str, Any]) -> tuple[str, ...]:
    parameters = [
        f"`{parameter['name']}`" + ("" if parameter["required"] else "?")
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    ]
    (status, success), *_ = operation["responses"].items()
    answer = " or ".join(_content(media, content) for media, content in success.get("content", {}).items())
    body = operation.get("requestBody", {})
    bodies = " or ".join(_content(media, content) for media, content in body.get("content", {}).items())
    return (
        f"`{method.upper()} {path}`",
        operation.get("x-openmanager-role", "public"),
        operation["summary"],
        ", ".join(parameters),
        bodies + ("" if body.get("required") or not body else "?"),
        f"{status} {answer}".strip() if status != "200" else answer,
    )


def _content(media: str, content: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    named = "$ref" in schema
    if media == "application/json":
        return _text(schema) if named else "JSON"
    return f"{_text(schema)} as `{media}`" if named else f"`{media}`"


def _type(schema: Mapping[str, Any]) -> list[str]:
    parts = [schema["description"]] if "description" in schema else []
    required = set(schema.get("required", ()))
    rows = [
        (f"`{name}`" + ("" if name in required else "?"), _text(field), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append(table(("field", "type", "what"), rows))
    elif "enum" in schema:
        parts.append(_text(schema))
    return parts


def _text(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in schema:
        return link(unquote(schema["$ref"].rpartition("/")[2]))
    if "anyOf" in schema:
        return " or ".join(_text(option) for option in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(_text({**schema, "type": each}) for each in kind)
    if kind == "array":
        return f"list of {_text(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{_text(schema['additionalProperties'])} by name"
    if schema.get("format") == "date-time":
        return "time"
    return {"string": "text", "boolean": "true or false"}.get(kind, str(kind))
