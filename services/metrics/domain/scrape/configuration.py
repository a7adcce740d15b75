"""Scrape configurations in the form that Prometheus gives them, made jobs."""

from typing import Final
from urllib.parse import urlsplit

from services.common.errors import FieldError, InvalidArgumentError
from services.metrics.domain.matching import compile_pattern
from services.metrics.domain.scrape.fields import Fields
from services.metrics.domain.scrape.job import (
    Authorization,
    BasicAuth,
    FileDiscovery,
    HttpDiscovery,
    HttpOptions,
    Limits,
    ScrapeJob,
    TargetGroup,
    Tls,
)
from services.metrics.domain.scrape.relabel import DEFAULT_REGEX, LABEL_NAME, Action, Rule
from services.metrics.domain.scrape.target import is_address

DEFAULT_INTERVAL_SECONDS: Final = 15.0
DEFAULT_TIMEOUT_SECONDS: Final = 10.0
MIN_INTERVAL_SECONDS: Final = 1.0
MAX_TARGETS: Final = 20_000
MAX_RULES: Final = 200
MAX_PROBLEMS: Final = 50
_FILE_REFRESH_SECONDS: Final = 300.0
_HTTP_REFRESH_SECONDS: Final = 60.0
_DISCOVERY: Final = "_sd_configs"
_WITH_TARGET: Final = frozenset(
    (Action.REPLACE, Action.HASHMOD, Action.LOWERCASE, Action.UPPERCASE, Action.KEEPEQUAL, Action.DROPEQUAL)
)
_NOT_HERE: Final = frozenset(
    [
        "oauth2",
        "proxy_url",
        "no_proxy",
        "proxy_from_environment",
        "proxy_connect_header",
        "enable_http2",
        "http_headers",
        "min_version",
        "max_version",
        "cert",
        "key",
        "scrape_protocols",
        "scrape_classic_histograms",
        "scrape_native_histograms",
        "always_scrape_classic_histograms",
        "convert_classic_histograms_to_nhcb",
        "native_histogram_bucket_limit",
        "native_histogram_min_bucket_factor",
        "track_timestamps_staleness",
        "keep_dropped_targets",
        "scrape_failure_log_file",
        "fallback_scrape_protocol",
        "metric_name_validation_scheme",
        "metric_name_escaping_scheme",
        "extra_scrape_metrics",
        "username_file",
        "credentials_ref",
        "password_ref",
        "username_ref",
        "ca_ref",
        "cert_ref",
        "key_ref",
    ]
)


def read_job(document: object, at: str, problems: list[FieldError]) -> ScrapeJob:
    """The job of one scrape configuration; worth something only where no problem was found.

    Args:
        document: what the decoder gave.
        at: where it stands, for the problems.
        problems: everything in it that is wrong or not supported is added.
    """
    return _job(Fields(document, at, problems))


def refuse(problems: list[FieldError]) -> None:
    """Raise one error that tells of all problems, unless there are none."""
    if problems:
        shown = problems[:MAX_PROBLEMS]
        text = "; ".join(f"{problem.field} {problem.message}" for problem in shown[:3])
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise InvalidArgumentError(f"{text}{more}", reason="INVALID_SCRAPE_CONFIG", fields=shown)


def read_groups(document: object, path: str = "") -> tuple[TargetGroup, ...]:
    """The target groups of a list, as files and URLs of discovery hold them.

    Raises:
        InvalidArgumentError: with everything that is wrong with it (`INVALID_SCRAPE_CONFIG`).
    """
    problems: list[FieldError] = []
    if not isinstance(document, list):
        problems.append(FieldError(path or "targets", "must be a list of objects with targets and labels"))
    groups = _groups(Fields({"groups": document or []}, path, problems), "groups")
    refuse(problems)
    return groups


def _job(fields: Fields) -> ScrapeJob:
    name = fields.text("job_name")
    if not name or len(name) > 200:
        fields.complain("job_name", "must be given, with at most 200 characters")
    interval = fields.seconds("scrape_interval", DEFAULT_INTERVAL_SECONDS)
    if interval < MIN_INTERVAL_SECONDS:
        fields.complain("scrape_interval", f"must be {MIN_INTERVAL_SECONDS:g} s or longer")
    timeout = fields.seconds("scrape_timeout", min(DEFAULT_TIMEOUT_SECONDS, interval))
    if timeout > interval:
        fields.complain("scrape_timeout", "must not be longer than scrape_interval")
    scheme = fields.text("scheme", "http").lower()
    if scheme not in ("http", "https"):
        fields.complain("scheme", "must be http or https")
    job = ScrapeJob(
        name=name,
        interval_seconds=interval,
        timeout_seconds=timeout,
        metrics_path=fields.text("metrics_path", "/metrics"),
        scheme=scheme,
        params=fields.parameters("params"),
        honor_labels=fields.flag("honor_labels", False),
        honor_timestamps=fields.flag("honor_timestamps", True),
        enable_compression=fields.flag("enable_compression", True),
        http=_http(fields),
        limits=Limits(
            samples=fields.count("sample_limit"),
            labels=fields.count("label_limit"),
            label_name_characters=fields.count("label_name_length_limit"),
            label_value_characters=fields.count("label_value_length_limit"),
            body_bytes=fields.size("body_size_limit"),
            targets=fields.count("target_limit"),
        ),
        relabel_rules=_rules(fields, "relabel_configs"),
        metric_relabel_rules=_rules(fields, "metric_relabel_configs"),
        static=_groups(fields, "static_configs"),
        file_discoveries=tuple(_file_discovery(found) for found in fields.children("file_sd_configs", 100)),
        http_discoveries=tuple(_http_discovery(found) for found in fields.children("http_sd_configs", 100)),
    )
    fields.finish(_explained)
    return job


def _http(fields: Fields) -> HttpOptions:
    basic = _basic_auth(fields.child("basic_auth"))
    authorization = _authorization(fields.child("authorization"))
    token, token_file = fields.text("bearer_token"), fields.text("bearer_token_file")
    ways = [bool(basic), bool(authorization), bool(token), bool(token_file)]
    if sum(ways) > 1:
        fields.complain("authorization", "basic_auth, authorization, bearer_token and bearer_token_file exclude each other")
    if token or token_file:
        authorization = Authorization("Bearer", token, token_file)
    return HttpOptions(basic, authorization, _tls(fields.child("tls_config")), fields.flag("follow_redirects", True))


def _basic_auth(fields: Fields | None) -> BasicAuth | None:
    if fields is None:
        return None
    auth = BasicAuth(fields.text("username"), fields.text("password"), fields.text("password_file"))
    if auth.password and auth.password_file:
        fields.complain("password_file", "excludes password")
    if ":" in auth.username:
        fields.complain("username", "must not have a colon")
    fields.finish(_explained)
    return auth


def _authorization(fields: Fields | None) -> Authorization | None:
    if fields is None:
        return None
    found = Authorization(fields.text("type", "Bearer"), fields.text("credentials"), fields.text("credentials_file"))
    if bool(found.credentials) == bool(found.credentials_file):
        fields.complain("credentials", "must be given, or credentials_file instead")
    if found.kind.lower() == "basic" or not found.kind.isprintable() or " " in found.kind:
        fields.complain("type", "must be a scheme such as Bearer; for Basic there is basic_auth")
    if any(character in found.credentials for character in "\r\n\0"):
        fields.complain("credentials", "must be one line")
    fields.finish(_explained)
    return found


def _tls(fields: Fields | None) -> Tls:
    if fields is None:
        return Tls()
    tls = Tls(
        ca=fields.text("ca"),
        ca_file=fields.text("ca_file"),
        cert_file=fields.text("cert_file"),
        key_file=fields.text("key_file"),
        server_name=fields.text("server_name"),
        insecure_skip_verify=fields.flag("insecure_skip_verify", False),
    )
    if tls.ca and tls.ca_file:
        fields.complain("ca_file", "excludes ca")
    if bool(tls.cert_file) != bool(tls.key_file):
        fields.complain("cert_file", "and key_file go together")
    fields.finish(_explained)
    return tls


def _groups(fields: Fields, name: str) -> tuple[TargetGroup, ...]:
    groups = []
    for found in fields.children(name, MAX_TARGETS):
        addresses = found.texts("targets")
        for address in addresses:
            if not is_address(address):
                found.complain("targets", f"{address[:60]!r} is no host:port")
        groups.append(TargetGroup(addresses, found.labels("labels", _is_label_name)))
        found.finish(_explained)
    if sum(len(group.addresses) for group in groups) > MAX_TARGETS:
        fields.complain(name, f"has more than {MAX_TARGETS} targets")
    return tuple(groups)


def _file_discovery(fields: Fields) -> FileDiscovery:
    discovery = FileDiscovery(fields.texts("files"), fields.seconds("refresh_interval", _FILE_REFRESH_SECONDS))
    if not discovery.files:
        fields.complain("files", "must name at least one")
    for pattern in discovery.files:
        if not pattern.lower().endswith((".json", ".yml", ".yaml")):
            fields.complain("files", f"{pattern[:60]!r} does not end with .json, .yml or .yaml")
    fields.finish(_explained)
    return discovery


def _http_discovery(fields: Fields) -> HttpDiscovery:
    url = fields.text("url")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        good = False
    if not good:
        fields.complain("url", "must be one of http or https, without a name and password in it")
    discovery = HttpDiscovery(url, fields.seconds("refresh_interval", _HTTP_REFRESH_SECONDS), _http(fields))
    fields.finish(_explained)
    return discovery


def _rules(fields: Fields, name: str) -> tuple[Rule, ...]:
    return tuple(_rule(found) for found in fields.children(name, MAX_RULES))


def _rule(fields: Fields) -> Rule:
    named = fields.text("action", "replace").lower()
    try:
        action = Action(named)
    except ValueError:
        fields.complain("action", f"{named[:40]!r} is none; there are {', '.join(Action)}")
        action = Action.REPLACE
    rule = Rule(
        action=action,
        source_labels=fields.texts("source_labels"),
        separator=fields.text("separator", ";"),
        regex=fields.text("regex", DEFAULT_REGEX),
        target_label=fields.text("target_label"),
        replacement=fields.text("replacement", "$1"),
        modulus=fields.count("modulus"),
    )
    try:
        compile_pattern(rule.regex)
    except InvalidArgumentError as error:
        fields.complain("regex", error.message)
    for label in rule.source_labels:
        if not _is_label_name(label):
            fields.complain("source_labels", f"{label[:60]!r} is no name of a label")
    if action in _WITH_TARGET and not rule.target_label:
        fields.complain("target_label", f"is needed by {action}")
    elif rule.target_label and "$" not in rule.target_label and not _is_label_name(rule.target_label):
        fields.complain("target_label", f"{rule.target_label[:60]!r} is no name of a label")
    if action is Action.HASHMOD and not rule.modulus:
        fields.complain("modulus", "is needed by hashmod, and above 0")
    fields.finish(_explained)
    return rule


def _is_label_name(name: str) -> bool:
    return LABEL_NAME.fullmatch(name) is not None


def _explained(name: str) -> str:
    if name.endswith(_DISCOVERY):
        return "is a discovery that is not supported; there are static_configs, file_sd_configs and http_sd_configs"
    if name in _NOT_HERE:
        return "is not supported"
    return "is no field of a scrape configuration"
