"""The body of `POST /analyze` at the AI agent's own door."""

import pytest

from services.ai_agent.web import parse_analyze
from services.common.errors import InvalidArgumentError


def test_context_is_handed_on_as_texts() -> None:
    body = b'{"query": "", "metrics": [{"cpu": 1}], "context": {"a": "text", "b": [1, null]}}'

    assert parse_analyze(body, 10).context == {"a": "text", "b": "[1,null]"}


def test_context_that_nests_deeper_than_can_be_written_is_refused() -> None:
    deep = b'{"a":' * 500 + b"1" + b"}" * 500

    with pytest.raises(InvalidArgumentError, match="nests too deeply"):
        parse_analyze(b'{"query": "", "metrics": [{"cpu": 1}], "context": {"a": ' + deep + b"}}", 10)
