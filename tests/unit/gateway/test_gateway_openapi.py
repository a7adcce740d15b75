"""The table of routes and the document agree."""

import dataclasses
from typing import Any
from unittest.mock import MagicMock

import pytest

from services.gateway.domain.access import Role
from services.gateway.web.openapi import openapi_document
from services.gateway.web.routes import Handlers, Route, route_table

# http_api.md: what outside programs rely on now, as METHOD path.
CONTRACT = """
GET /healthz, GET /readyz, GET /metrics, GET /openapi.json, GET /docs,
POST /api/servers/generate, GET /api/servers/status, POST /api/servers/reset, POST /analyze, POST /api/v1/metrics,
GET /prometheus/api/v1/query, POST /prometheus/api/v1/query, GET /prometheus/api/v1/query_range, POST /prometheus/api/v1/query_range,
GET /prometheus/api/v1/series, POST /prometheus/api/v1/series, GET /prometheus/api/v1/labels, POST /prometheus/api/v1/labels,
GET /prometheus/api/v1/label/{name}/values, GET /prometheus/api/v1/metadata, GET /prometheus/api/v1/rules,
GET /prometheus/api/v1/alerts, GET /prometheus/api/v1/status/buildinfo, GET /api/v1/servers, GET /api/v1/servers/{server}, GET /api/v1/stream, POST /api/v1/ask,
GET /api/v1/engines, GET /api/v1/rules, POST /api/v1/rules, GET /api/v1/rules/{id}, PUT /api/v1/rules/{id}, DELETE /api/v1/rules/{id},
GET /api/v1/alerts, GET /api/v1/channels, POST /api/v1/channels, GET /api/v1/channels/{name}, PUT /api/v1/channels/{name},
DELETE /api/v1/channels/{name}, POST /api/v1/channels/{name}/test, GET /api/v1/notifications, GET /api/v1/system,
GET /api/v1/fleet, POST /api/v1/fleet/faults, GET /api/v1/fleet/faults, DELETE /api/v1/fleet/faults/{id},
POST /prometheus/api/v1/write, POST /otlp/v1/metrics, POST /influx/write, POST /influx/api/v2/write,
GET /api/v1/targets, POST /api/v1/targets, GET /api/v1/targets/{id}, PUT /api/v1/targets/{id}, DELETE /api/v1/targets/{id},
POST /api/v1/targets/import
"""
PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("DELETE", "/login"),
    ("GET", "/static/{path}"),
}


@pytest.fixture(scope="module")
def routes() -> tuple[Route, ...]:
    return route_table(Handlers(*[MagicMock() for _ in dataclasses.fields(Handlers)]))


@pytest.fixture(scope="module")
def document(routes: tuple[Route, ...]) -> Any:
    return openapi_document(routes, "1.2.3")


def _plain(path: str) -> str:
    return path.replace(":.+}", "}")


def test_every_route_is_documented_and_every_documented_route_is_there(routes: tuple[Route, ...], document: Any) -> None:
    table = {(route.method, _plain(route.path)) for route in routes}
    written = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}

    assert written == table
    assert len(routes) == len(table)


def test_the_contract_is_covered(routes: tuple[Route, ...]) -> None:
    table = {(route.method, route.path) for route in routes}
    wanted = {tuple(entry.split()) for entry in CONTRACT.replace("\n", " ").split(",")}

    assert wanted <= table


def test_only_what_the_contract_names_is_public(routes: tuple[Route, ...]) -> None:
    assert {(route.method, _plain(route.path)) for route in routes if route.role is None} == PUBLIC


def test_whatever_changes_something_needs_an_operator(routes: tuple[Route, ...]) -> None:
    asks = {"/analyze", "/api/v1/ask"}
    unsafe = [
        r
        for r in routes
        if r.method != "GET" and r.role is not None and r.path not in asks and not r.path.startswith("/prometheus")
    ]

    assert unsafe
    assert all(route.role is not None and route.role >= Role.OPERATOR for route in unsafe)


def test_references_lead_somewhere_and_types_are_used(document: Any) -> None:
    schemas = document["components"]["schemas"]
    used = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part and part["$ref"].startswith("#/components/schemas/"):
                used.add(part["$ref"].rpartition("/")[2])
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(document)
    assert used == set(schemas)


def test_operations_are_complete(document: Any) -> None:
    ids = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            ids.append(operation["operationId"])
            assert operation["summary"]
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
            given = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert given == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert ("requestBody" in operation) <= (method in ("post", "put"))

    assert len(ids) == len(set(ids))
    assert document["openapi"].startswith("3.1")


def test_bodies_are_described_with_their_limits(document: Any) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["RuleBody"]["additionalProperties"] is False
    assert schemas["RuleBody"]["required"] == ["name", "expr"]
    assert schemas["AskBody"]["properties"]["query"]["maxLength"] == 2000
    assert "for" in schemas["Interpretation"]["properties"]
    assert schemas["AnalyzeBody"]["properties"]["metrics"]["type"] == "array"
    match = document["paths"]["/prometheus/api/v1/series"]["get"]["parameters"][0]
    assert (match["name"], match["schema"]["type"]) == ("match[]", "array")
