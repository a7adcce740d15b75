import pytest

from services.common.config import ConfigError, load_settings
from services.gateway.settings import GatewaySettings


@pytest.mark.parametrize("token", ["two words", "tab\there", "비밀", "line\n"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(GatewaySettings, environ={"OPENMANAGER_ADMIN_TOKEN": token})
    assert caught.value.fields[0].field == "OPENMANAGER_ADMIN_TOKEN"
    assert token not in caught.value.message


def test_an_empty_token_means_that_one_is_made() -> None:
    assert load_settings(GatewaySettings, environ={"OPENMANAGER_ADMIN_TOKEN": ""}).admin_token is not None
