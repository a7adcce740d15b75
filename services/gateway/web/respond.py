"""Writing answers."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from services.gateway.domain.ports import Page


def json_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The document as JSON; NaN and infinities become null, for JSON has none."""
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json", headers=headers)


def page_response(page: Page) -> web.Response:
    """One page of a list."""
    return json_response({"items": page.items, "next_page_token": page.next_page_token or None})
