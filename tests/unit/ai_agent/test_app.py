"""Engines come through entry points, ours like anybody's, and a broken one costs nothing but itself."""

from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest

from services.ai_agent.app import load_engines
from services.ai_agent.domain.engines.engine import MissingEngine
from services.ai_agent.engines.fallback import FallbackEngine
from services.ai_agent.engines.optimized import OptimizedEngine
from services.ai_agent.settings import AiAgentSettings
from services.common import plugins
from services.common.config import ConfigError, load_settings


class Point:
    """An entry point."""

    def __init__(self, name: str, value: object, distribution: str = "stranger") -> None:
        self.name = name
        self.value = f"{distribution}:{name}"
        self.dist = SimpleNamespace(name=distribution)
        self._value = value

    def load(self) -> object:
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_points(*points: Point) -> None:
        monkeypatch.setattr(metadata, "entry_points", lambda **_group: list(points))

    return set_points


def test_the_built_in_engines_load_as_strangers_do() -> None:
    assert [type(engine) for engine in load_engines(("fallback", "optimized"))] == [FallbackEngine, OptimizedEngine]


def test_what_is_not_installed_keeps_its_place_in_the_chain() -> None:
    first, second = load_engines(("llm", "optimized"))
    assert isinstance(first, MissingEngine)
    assert "openmanager.engines" in first.description
    assert second.name == "optimized"


@pytest.mark.parametrize("value", [ImportError("no such module"), lambda: 1 / 0, lambda: SimpleNamespace(name="other"), object()])
def test_a_broken_engine_is_a_status_and_no_crash(offer: Any, value: object) -> None:
    offer(Point("mine", value))
    (engine,) = load_engines(("mine",))
    assert isinstance(engine, MissingEngine)
    assert "could not be loaded" in engine.description


def test_plugins_report_what_fails_and_what_clashes(offer: Any) -> None:
    offer(Point("b", RuntimeError("boom")), Point("a", 1), Point("a", 2, "thief"))
    found = plugins.load("any.group")
    assert found == [
        plugins.Loaded("a", 1, "stranger"),
        plugins.Failed("a", "the name is taken by stranger:a", "thief"),
        plugins.Failed("b", "RuntimeError: boom", "stranger"),
    ]


@pytest.mark.parametrize("engines", ["", " , ", "optimized,optimized"])
def test_an_order_of_engines_that_makes_no_sense_is_refused(engines: str) -> None:
    with pytest.raises(ConfigError):
        load_settings(AiAgentSettings, environ={"OPENMANAGER_AI_AGENT_ENGINES": engines})
