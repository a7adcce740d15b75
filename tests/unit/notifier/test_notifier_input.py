"""Tokens and configurations that were made up."""

import base64

import pytest

from services.common.errors import InvalidArgumentError
from services.common.paging import read_token, write_token
from services.notifier.wire import config_from_json


def test_a_token_gives_its_position_back() -> None:
    assert read_token(write_token("alerts", 1.5, "이름"), "alerts", float, str) == [1.5, "이름"]
    assert read_token("", "alerts", float, str) is None


@pytest.mark.parametrize(
    "made_up", [b"[" * 1400, b'["rules","\\ud800"]', b'["rules",NaN]', b"{}", b"null", b"\xff", b'["rules"]', b'["alerts","a"]']
)
def test_a_token_that_was_made_up_is_refused(made_up: bytes) -> None:
    token = base64.urlsafe_b64encode(made_up).decode().rstrip("=")

    with pytest.raises(InvalidArgumentError) as refused:
        read_token(token, "rules", str)

    assert refused.value.reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("text", ['{"a":' * 2000, '{"url": "\\ud800"}', '{"timeout_seconds": NaN}', "[]", "1"])
def test_a_configuration_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        config_from_json(text)

    assert refused.value.fields[0].field == "config_json"
