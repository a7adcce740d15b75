"""The OpenAPI 3.1 document, made from the table of routes and the HTTP types."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.gateway.domain.access import Role
from services.gateway.web.problems import CONTENT_TYPE as PROBLEM
from services.gateway.web.routes import ANY, EVENTS, FORM, HTML, JSON, PROTOBUF, TEXT, Route
from services.gateway.web.schemas.base import Problem

_REF: Final = "#/components/schemas/{model}"
_PATH_PARAMETER: Final = re.compile(r"\{(\w+)(:[^{}]*)?\}")
_NON_JSON: Final = (HTML, TEXT, EVENTS, ANY)


def openapi_document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The document; it describes each route of the table and nothing else."""
    kinds = {kind for route in routes for kind in (route.request, route.form, route.query, route.response) if kind} | {Problem}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    references, schemas = models_json_schema([(kind, "validation") for kind in ordered], ref_template=_REF)
    definitions: dict[str, Any] = schemas.get("$defs", {})
    names = {
        kind: reference["$ref"].rpartition("/")[2] for (kind, _), reference in references.items() if issubclass(kind, BaseModel)
    }
    parameters = {kind: _query_parameters(definitions[names[kind]]) for route in routes if (kind := route.query)}
    # Parameters stand where they are used, and have no place among the types of bodies.
    bodies = {kind for route in routes for kind in (route.request, route.form, route.response) if kind}
    for kind in parameters.keys() - bodies:
        definitions.pop(names[kind], None)
    paths: dict[str, Any] = {}
    for route in routes:
        operations = paths.setdefault(_PATH_PARAMETER.sub(r"{\1}", route.path), {})
        operations[route.method.lower()] = _operation(route, names, parameters.get(route.query, []) if route.query else [])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OpenManager",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Server monitoring: samples in, PromQL out, alerts, and questions answered with evidence.",
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(definitions.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "openmanager_session"},
            },
            "responses": {"Problem": {"description": "An error.", "content": {PROBLEM: {"schema": {"$ref": _REF.format(model="Problem")}}}}},
        },
        "security": [{"bearer": []}, {"session": []}],
    }  # fmt: skip


def _operation(route: Route, names: dict[type[BaseModel], str], query: Iterable[dict[str, Any]]) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name, _ in _PATH_PARAMETER.findall(route.path)
    ]
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.tag],
        "summary": route.summary,
        "responses": {str(route.status): _success(route, names), "default": {"$ref": "#/components/responses/Problem"}},
    }
    if parameters := [*path, *query]:
        operation["parameters"] = parameters
    if body := route.request or route.form:
        media = route.request_media if route.request else FORM
        content = {media: {"schema": {"$ref": _REF.format(model=names[body])}}}
        operation["requestBody"] = {"required": route.request is not None and not route.body_optional, "content": content}
    if route.body:
        operation["requestBody"] = {"required": True, "content": {media: {"schema": _unnamed(media)} for media in route.body}}
    if route.role is None:
        operation["security"] = []
    else:
        operation["x-openmanager-role"] = Role(route.role).name.lower()
    return operation


def _success(route: Route, names: dict[type[BaseModel], str]) -> dict[str, Any]:
    description = HTTPStatus(route.status).phrase
    if route.status == HTTPStatus.NO_CONTENT:
        return {"description": description}
    content: dict[str, Any] = {}
    if route.response:
        content["application/json"] = {"schema": {"$ref": _REF.format(model=names[route.response])}}
    elif route.media in _NON_JSON:
        content[route.media] = {"schema": {"type": "string"}}
    else:
        content[route.media] = {"schema": _unnamed(route.media)}
    if route.also:
        content[route.also] = {"schema": _unnamed(route.also)}
    return {"description": description, "content": content}


def _unnamed(media: str) -> dict[str, Any]:
    """The schema of a body that has no type of its own here."""
    return {"type": "object"} if media == JSON else {} if media == PROTOBUF else {"type": "string"}


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    found = []
    for name, field in schema.get("properties", {}).items():
        plain = {key: value for key, value in field.items() if key not in ("title", "description")}
        parameter = {"name": name, "in": "query", "required": name in required, "schema": plain}
        if "description" in field:
            parameter["description"] = field["description"]
        found.append(parameter)
    return found


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", _PATH_PARAMETER.sub(r"by_\1", route.path)) or ["index"]
    return "_".join((route.method.lower(), *words))
