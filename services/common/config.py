"""Settings: flags over environment over TOML file over defaults; every error is told at once, secrets are masked.

A field `retention_days` of the service `metrics` is read from, in this order: the flag given to `load_settings`, the environment
variable `OPENMANAGER_METRICS_RETENTION_DAYS`, the same field without the service (`OPENMANAGER_DATA_DIR`) when it is one of the
shared fields, the TOML file's table `[metrics]`, the file's top level when shared. Nested fields are joined with `__`
(`OPENMANAGER_PEERS__METRICS`). `NAME_FILE` names a file that holds the value, for secrets in containers.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from services.common.errors import FieldError, InvalidArgumentError

PREFIX = "OPENMANAGER_"
DEFAULT_PORTS: dict[str, int] = {"server_gen": 50051, "metrics": 50052, "ai_agent": 50053, "notifier": 50054}


class ConfigError(InvalidArgumentError):
    """Settings that cannot be used; `fields` names each with what is wrong."""

    default_reason = "INVALID_SETTINGS"

    @classmethod
    def of(cls, problems: Iterable[FieldError]) -> "ConfigError":
        """One error that tells of them all."""
        problems = tuple(problems)
        lines = "\n".join(f"  {problem.field}: {problem.message}" for problem in problems)
        return cls(f"these settings cannot be used:\n{lines}", fields=problems)


class CommonSettings(BaseModel):
    """The settings that every service shares; a service subclasses it and names itself in `service`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
    service: ClassVar[str] = ""

    data_dir: Path = Field(Path("openmanager-data"), description="Folder that holds everything the suite keeps.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="How log lines look; auto is text on a terminal and JSON elsewhere."
    )
    tz: str = Field("UTC", description="IANA time zone for times in questions and answers.")
    lang: Literal["ko", "en"] = Field("en", description="Language where a question does not tell.")
    demo: bool = Field(False, description="Watch a demo fleet of twenty virtual servers beside this host.")
    peers: dict[str, str] = Field(
        default_factory=dict,
        description="Address of each service that runs elsewhere: `host:port` or `unix:path`.",
    )
    service_token: SecretStr | None = Field(
        None, description="Secret that services show each other; every RPC without it is refused when it is set."
    )

    @field_validator("tz")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no IANA time zone is called {value!r}; one is called Asia/Seoul") from error
        return value

    def peer_address(self, name: str) -> str:
        """Where the service `name` listens."""
        return self.peers.get(name) or f"127.0.0.1:{DEFAULT_PORTS[name]}"


SHARED_FIELDS = frozenset(CommonSettings.model_fields)
SettingsT = TypeVar("SettingsT", bound=CommonSettings)


def load_settings(
    kind: type[SettingsT],
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> SettingsT:
    """Settings of one service.

    Args:
        kind: the settings class.
        flags: values from the command line by field; None means not given.
        environ: the environment, that of the process by default.
        file: TOML file; `OPENMANAGER_CONFIG` names it when not given.

    Raises:
        ConfigError: with every wrong setting and where it came from.
    """
    environ = os.environ if environ is None else environ
    sources: dict[str, str] = {}
    values: dict[str, Any] = {}
    problems: list[FieldError] = []
    path = file or (Path(environ[f"{PREFIX}CONFIG"]) if environ.get(f"{PREFIX}CONFIG") else None)
    document = _read_file(path, problems) if path else {}
    for name, field in kind.model_fields.items():
        nested = field.annotation == dict[str, str]
        for origin, value in _candidates(kind, name, nested, flags or {}, environ, document, path, problems):
            if nested and isinstance(value, dict):
                values[name] = value | values.get(name, {})
            elif name in values:
                continue
            else:
                values[name] = value
            sources.setdefault(name, origin)
    settings: SettingsT | None = None
    try:
        settings = kind.model_validate(values)
    except ValidationError as invalid:
        for error in invalid.errors():
            if error["type"] == "default_factory_not_called":
                continue  # a default made from another setting, which is told of itself
            name = str(error["loc"][0]) if error["loc"] else "settings"
            problems.append(FieldError(sources.get(name, name), error["msg"].removeprefix("Value error, ")))
    if problems or settings is None:
        raise ConfigError.of(problems)
    return settings


def describe_settings(kind: type[CommonSettings]) -> list[tuple[str, str, str]]:
    """(environment variable, default, description) of every field, for the documentation."""
    rows = []
    for name, field in kind.model_fields.items():
        default = "" if field.is_required() or field.default_factory or field.default is None else str(field.default)
        rows.append((_variable(kind, name, shared=name in SHARED_FIELDS), default, field.description or ""))
    return rows


def _variable(kind: type[CommonSettings], name: str, *, shared: bool) -> str:
    return f"{PREFIX}{name}".upper() if shared else f"{PREFIX}{kind.service}_{name}".upper()


def _candidates(
    kind: type[CommonSettings],
    name: str,
    nested: bool,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    document: Mapping[str, Any],
    path: Path | None,
    problems: list[FieldError],
) -> list[tuple[str, Any]]:
    """Every place that gives the field a value, the strongest first."""
    found: list[tuple[str, Any]] = []
    if flags.get(name) is not None:
        found.append((f"--{name.replace('_', '-')}", flags[name]))
    variables = [_variable(kind, name, shared=False)]
    aliases = (kind.model_fields[name].json_schema_extra or {}) if kind.model_fields[name].json_schema_extra else {}
    if isinstance(aliases, dict) and isinstance(alias := aliases.get("env"), str):
        variables.append(alias)
    if name in SHARED_FIELDS:
        variables.append(_variable(kind, name, shared=True))
    for variable in variables:
        if nested:
            prefix = f"{variable}__"
            entries = {key[len(prefix) :].lower(): value for key, value in environ.items() if key.startswith(prefix)}
            if entries:
                found.append((variable, entries))
        elif variable in environ:
            found.append((variable, environ[variable]))
        elif f"{variable}_FILE" in environ:
            try:
                found.append((variable, Path(environ[f"{variable}_FILE"]).read_text(encoding="utf-8").strip()))
            except (OSError, UnicodeError) as error:
                problems.append(FieldError(f"{variable}_FILE", f"cannot be read: {error}"))
    table = document.get(kind.service)
    for origin, part in ((f"[{kind.service}] {name} in {path}", table), (f"{name} in {path}", document)):
        if isinstance(part, dict) and name in part and (part is table or name in SHARED_FIELDS):
            found.append((origin, part[name]))
    return found


def _read_file(path: Path, problems: list[FieldError]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        problems.append(FieldError(str(path), f"cannot be read: {error}"))
    except tomllib.TOMLDecodeError as error:
        problems.append(FieldError(str(path), f"is not TOML: {error}"))
    return {}
