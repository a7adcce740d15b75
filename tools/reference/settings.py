"""docs/reference/settings.md, from the settings classes."""

from typing import Any

from services.ai_agent.settings import AiAgentSettings
from services.common.config import SHARED_FIELDS, CommonSettings, describe_settings
from services.gateway.settings import GatewaySettings
from services.metrics.settings import MetricsSettings
from services.notifier.settings import NotifierSettings
from services.server_gen.settings import ServerGenSettings
from tools.reference.markdown import page, table

SERVICES: tuple[type[CommonSettings], ...] = (
    GatewaySettings,
    MetricsSettings,
    AiAgentSettings,
    NotifierSettings,
    ServerGenSettings,
)
COMMAND_VARIABLES = (
    ("OPENMANAGER_CONFIG", "TOML file with settings; `--config` names it too."),
    ("OPENMANAGER_URL", "Gateway that `openmanager ask`, `agent` and `import` talk to; `http://127.0.0.1:8080` by default."),
    ("OPENMANAGER_TOKEN", "Token that they show; without it, `OPENMANAGER_ADMIN_TOKEN`, then the file in the data folder."),
    ("OPENMANAGER_SERVICE", "Service that a container runs: `all_in_one`, or the name of one."),
    ("OPENMANAGER_TEST_KILLS", "For the tests: how often the suite is killed while four writers push; 6 by default."),
    (
        "OPENMANAGER_TEST_REQUIRE_SERVERS",
        "For the tests: one that needs a server which is not installed fails, and is not left out.",
    ),
)
INTRODUCTION = """
A setting is taken from the first of these that has it: a flag of the command line (`--retention-days 30`; `--help` lists them), the
environment variable below, a file that the variable with `_FILE` at its end names (for secrets in containers), the TOML file's table of
the service (`[metrics]`, `retention_days = 30`), and, for a setting that all share, the file's top level. All wrong settings are told
at once, each with the place it came from.

A shared setting can be given to one service alone by putting the service's name in front: `OPENMANAGER_METRICS_LOG_LEVEL`. The
all-in-one reads the settings of every service; `LISTEN` of the others means nothing there, because they are called in process. Secrets
have no flag: a command line shows in the list of processes.
"""
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))


def settings_page() -> str:
    """The whole page."""
    sections = ["## Shared by every service", _table(CommonSettings, shared=True)]
    for kind in SERVICES:
        sections += [f"## {kind.service}", (kind.__doc__ or "").strip(), _table(kind, shared=False)]
    sections += ["## Read by the commands", table(("variable", "what"), [(f"`{name}`", what) for name, what in COMMAND_VARIABLES])]
    return page("Settings", INTRODUCTION, sections)


def known_variables() -> set[str]:
    """Every environment variable that means something to the suite."""
    names = {name for name, _ in COMMAND_VARIABLES}
    for kind in SERVICES:
        for variable, _, _ in describe_settings(kind):
            names.add(variable)
        names |= {alias for name in kind.model_fields if (alias := _alias(kind, name))}
        names |= {f"OPENMANAGER_{kind.service}_{name}".upper() for name in SHARED_FIELDS}
    return names


def _table(kind: type[CommonSettings], *, shared: bool) -> str:
    properties = kind.model_json_schema()["properties"]
    rows = []
    for name, (variable, default, description) in zip(kind.model_fields, describe_settings(kind), strict=True):
        if (name in SHARED_FIELDS) != shared:
            continue
        names = " or ".join(f"`{each}`" for each in (_alias(kind, name), variable) if each)
        if kind.model_fields[name].annotation == dict[str, str]:
            names = f"`{variable}__NAME`"
        if isinstance(kind.model_fields[name].default, bool | float):
            default = default.lower().removesuffix(".0")
        rows.append((names, _takes(properties[name]), f"`{default}`" if default else "", description))
    return table(("variable", "takes", "default", "what"), rows)


def _alias(kind: type[CommonSettings], name: str) -> str | None:
    extra = kind.model_fields[name].json_schema_extra
    alias = extra.get("env") if isinstance(extra, dict) else None
    return alias if isinstance(alias, str) else None


def _takes(schema: dict[str, Any]) -> str:
    """What a value may be, from its JSON Schema."""
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    schema = options[0]
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("writeOnly"):
        return "secret"
    if schema.get("type") == "boolean":
        return "`true`, `false`"
    if schema.get("type") in ("integer", "number"):
        bounds = " and ".join(f"{sign} {schema[name]:,}".removesuffix(".0") for name, sign in _BOUNDS if name in schema)
        return f"{schema['type']} {bounds}".strip()
    return "text for each name" if schema.get("type") == "object" else "path" if schema.get("format") == "path" else "text"
