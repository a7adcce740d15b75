from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from services.common.config import CommonSettings, ConfigError, describe_settings, load_settings


class ExampleSettings(CommonSettings):
    service: ClassVar[str] = "example"

    listen: str = Field("127.0.0.1:1", description="Where.", json_schema_extra={"env": "OPENMANAGER_LISTEN"})
    retention_days: float = Field(30.0, gt=0, description="How long.")
    secret: SecretStr | None = Field(None, description="Secret.")


def test_defaults_stand_where_nothing_is_given() -> None:
    settings = load_settings(ExampleSettings, environ={})
    assert (settings.retention_days, settings.tz, settings.demo) == (30.0, "UTC", False)


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "openmanager.toml"
    file.write_text('tz = "Asia/Seoul"\nlang = "ko"\n[example]\nretention_days = 1\nlang = "en"\n', encoding="utf-8")
    environ = {"OPENMANAGER_EXAMPLE_RETENTION_DAYS": "2"}
    assert load_settings(ExampleSettings, {}, environ={}, file=file).retention_days == 1
    assert load_settings(ExampleSettings, {}, environ=environ, file=file).retention_days == 2
    assert load_settings(ExampleSettings, {"retention_days": 3}, environ=environ, file=file).retention_days == 3
    assert load_settings(ExampleSettings, {"retention_days": None}, environ=environ, file=file).retention_days == 2
    shared = load_settings(ExampleSettings, {}, environ={"OPENMANAGER_CONFIG": str(file)})
    assert (shared.tz, shared.lang) == ("Asia/Seoul", "en"), "the service's table beats the file's top level"


def test_a_shared_setting_may_be_given_for_one_service() -> None:
    environ = {"OPENMANAGER_LANG": "ko", "OPENMANAGER_EXAMPLE_LANG": "en"}
    assert load_settings(ExampleSettings, environ=environ).lang == "en"
    assert load_settings(CommonSettings, environ=environ).lang == "ko"


def test_a_setting_of_one_service_has_no_name_without_it() -> None:
    assert load_settings(ExampleSettings, environ={"OPENMANAGER_RETENTION_DAYS": "5"}).retention_days == 30


def test_a_field_may_have_a_name_of_its_own() -> None:
    assert load_settings(ExampleSettings, environ={"OPENMANAGER_LISTEN": "0.0.0.0:80"}).listen == "0.0.0.0:80"


def test_nested_entries_of_all_sources_are_joined(tmp_path: Path) -> None:
    file = tmp_path / "openmanager.toml"
    file.write_text('[peers]\nmetrics = "file:1"\nnotifier = "file:2"\n', encoding="utf-8")
    settings = load_settings(ExampleSettings, environ={"OPENMANAGER_PEERS__METRICS": "env:1"}, file=file)
    assert settings.peers == {"metrics": "env:1", "notifier": "file:2"}
    assert settings.peer_address("metrics") == "env:1"
    assert settings.peer_address("ai_agent") == "127.0.0.1:50053"


def test_a_secret_may_lie_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n", encoding="utf-8")
    settings = load_settings(ExampleSettings, environ={"OPENMANAGER_EXAMPLE_SECRET_FILE": str(file)})
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_every_error_is_told_at_once_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "openmanager.toml"
    file.write_text("demo = 3.5\n", encoding="utf-8")
    environ = {
        "OPENMANAGER_EXAMPLE_RETENTION_DAYS": "-1",
        "OPENMANAGER_TZ": "Mars/Olympus",
        "OPENMANAGER_EXAMPLE_SECRET_FILE": "/nowhere",
    }
    with pytest.raises(ConfigError) as caught:
        load_settings(ExampleSettings, environ=environ, file=file)
    assert {error.field for error in caught.value.fields} == {
        "OPENMANAGER_EXAMPLE_RETENTION_DAYS",
        "OPENMANAGER_TZ",
        "OPENMANAGER_EXAMPLE_SECRET_FILE",
        f"demo in {file}",
    }
    assert "Asia/Seoul" in caught.value.message


@pytest.mark.parametrize("content", ["this is = = not TOML", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "openmanager.toml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=str(file)):
        load_settings(ExampleSettings, environ={}, file=file)


def test_a_wrong_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(ExampleSettings, environ={"OPENMANAGER_EXAMPLE_RETENTION_DAYS": "hunter2"})
    assert "hunter2" not in caught.value.message


def test_every_setting_can_be_described() -> None:
    rows = {variable: text for variable, _, text in describe_settings(ExampleSettings)}
    assert rows["OPENMANAGER_EXAMPLE_RETENTION_DAYS"] == "How long."
    assert all(rows.values())
