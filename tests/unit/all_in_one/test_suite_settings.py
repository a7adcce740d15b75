"""The settings of five services from one set of flags, one environment and one file."""

from pathlib import Path

import pytest

from services.all_in_one.app import NEEDS
from services.all_in_one.settings import load_suite_settings
from services.common.config import ConfigError


def test_every_service_gets_its_settings_from_the_same_places(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text('lang = "ko"\n[metrics]\nretention_days = 7\n[notifier]\nlang = "en"\n')
    environ = {"OPENMANAGER_AI_AGENT_ENGINES": "fallback", "OPENMANAGER_LISTEN": "127.0.0.1:0"}
    suite = load_suite_settings({"data_dir": tmp_path / "data", "demo": True}, file, environ)
    assert {part.service for part in suite.all} == set(NEEDS)
    assert {part.data_dir for part in suite.all} == {tmp_path / "data"}
    assert all(part.demo for part in suite.all)
    assert [part.lang for part in suite.all] == ["ko", "ko", "ko", "en", "ko"]
    assert suite.metrics.retention_days == 7
    assert suite.ai_agent.engine_names == ("fallback",)
    assert suite.gateway.listen == suite.shared.listen == "127.0.0.1:0"


def test_the_flag_listen_is_the_gateways_alone() -> None:
    suite = load_suite_settings({"listen": "0.0.0.0:9000"}, None, {})
    assert suite.gateway.listen == "0.0.0.0:9000"
    others = {part.listen for part in (suite.server_gen, suite.metrics, suite.ai_agent, suite.notifier)}
    assert others == {"127.0.0.1:50051", "127.0.0.1:50052", "127.0.0.1:50053", "127.0.0.1:50054"}


def test_the_wrong_settings_of_every_service_are_told_at_once_and_each_once(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text("[server_gen]\ntarget_count = 0\n")
    environ = {
        "OPENMANAGER_TZ": "Mars/Olympus",
        "OPENMANAGER_METRICS_RETENTION_DAYS": "ever",
        "OPENMANAGER_NOTIFIER_QUERY_TIMEOUT_SECONDS": "0",
        "OPENMANAGER_AI_AGENT_ENGINES": ",",
        "OPENMANAGER_GATEWAY_SESSION_HOURS": "-1",
    }
    with pytest.raises(ConfigError) as raised:
        load_suite_settings({"lang": "fr"}, file, environ)
    wrong = [problem.field for problem in raised.value.fields]
    assert sorted(wrong) == sorted([*environ, "--lang", f"[server_gen] target_count in {file}"])
    assert all(field in raised.value.message for field in wrong)


def test_a_file_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_suite_settings({}, tmp_path / "none.toml", {})
    assert [problem.field for problem in raised.value.fields] == [str(tmp_path / "none.toml")]
