"""Settings of the whole suite: those of each service, read from the same flags, environment and file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from services.ai_agent.settings import AiAgentSettings
from services.common.config import CommonSettings, ConfigError, load_settings
from services.common.errors import FieldError
from services.gateway.settings import GatewaySettings
from services.metrics.settings import MetricsSettings
from services.notifier.settings import NotifierSettings
from services.server_gen.settings import ServerGenSettings

SettingsT = TypeVar("SettingsT", bound=CommonSettings)


class AllInOneSettings(CommonSettings):
    """Runs the whole suite in one process, with its dashboard."""

    service: ClassVar[str] = "all_in_one"

    listen: str = Field(
        "127.0.0.1:8080",
        description="Address of the HTTP API and dashboard; port 0 picks a free one and prints it.",
        json_schema_extra={"env": "OPENMANAGER_LISTEN"},
    )


@dataclass(frozen=True)
class SuiteSettings:
    """The settings of every service."""

    shared: AllInOneSettings
    server_gen: ServerGenSettings
    metrics: MetricsSettings
    ai_agent: AiAgentSettings
    notifier: NotifierSettings
    gateway: GatewaySettings

    @property
    def all(self) -> tuple[CommonSettings, ...]:
        """Each service's settings."""
        return (self.server_gen, self.metrics, self.ai_agent, self.notifier, self.gateway)


def load_suite_settings(flags: Mapping[str, Any], file: Path | None, environ: Mapping[str, str] | None = None) -> SuiteSettings:
    """The settings of all services.

    Raises:
        ConfigError: with every wrong setting of every service.
    """
    problems: dict[str, FieldError] = {}

    def load(kind: type[SettingsT]) -> SettingsT | None:
        try:
            return load_settings(kind, flags, environ=environ, file=file)
        except ConfigError as error:
            problems.update({problem.field: problem for problem in error.fields})
            return None

    # `listen` is the gateway's alone: the others have no socket here.
    shared, gateway = load(AllInOneSettings), load(GatewaySettings)
    flags = {name: value for name, value in flags.items() if name != "listen"}
    server_gen, metrics, ai_agent, notifier = (
        load(ServerGenSettings),
        load(MetricsSettings),
        load(AiAgentSettings),
        load(NotifierSettings),
    )
    if not (shared and server_gen and metrics and ai_agent and notifier and gateway):
        raise ConfigError.of(problems.values())
    return SuiteSettings(shared, server_gen, metrics, ai_agent, notifier, gateway)
