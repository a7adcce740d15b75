"""The scrape configurations of a whole `prometheus.yml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.common.errors import FieldError
from services.metrics.domain.scrape.configuration import read_job, refuse
from services.metrics.domain.scrape.fields import Fields, duration_seconds
from services.metrics.domain.scrape.job import ScrapeJob
from services.metrics.domain.scrape.paths import FilePaths

_ELSEWHERE: Final = frozenset(
    ("rule_files", "alerting", "remote_write", "remote_read", "storage", "tracing", "otlp", "runtime", "evaluation")
)
_GLOBAL_ELSEWHERE: Final = frozenset(
    ("evaluation_interval", "external_labels", "query_log_file", "rule_query_offset", "scrape_failure_log_file")
)
_PROMETHEUS_INTERVAL: Final = "1m"
_PROMETHEUS_TIMEOUT: Final = "10s"
MAX_JOBS: Final = 1000


@dataclass(frozen=True)
class ScrapeFile:
    """What a file says of scraping.

    Attributes:
        jobs: configuration and job, in order; the configurations stand by themselves, with what they take from `global` filled in.
        ignored: sections of the file that are not about scraping.
    """

    jobs: tuple[tuple[Mapping[str, Any], ScrapeJob], ...]
    ignored: tuple[str, ...]


def read_scrape_file(document: object, paths: FilePaths) -> ScrapeFile:
    """The jobs of a decoded file.

    Raises:
        InvalidArgumentError: with everything that is wrong or not supported (`INVALID_SCRAPE_CONFIG`).
    """
    problems: list[FieldError] = []
    if not isinstance(document, Mapping) or "scrape_configs" not in document:
        refuse([FieldError("scrape_configs", "is missing; this is no configuration of Prometheus")])
    top: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
    given = top["scrape_configs"] or []
    if not isinstance(given, list) or len(given) > MAX_JOBS:
        refuse([FieldError("scrape_configs", f"must be a list of at most {MAX_JOBS} objects")])
    ignored = [name for name in top if name in _ELSEWHERE]
    problems += [
        FieldError(str(name), "is not supported")
        for name in top
        if name not in _ELSEWHERE and name not in ("global", "scrape_configs")
    ]
    defaults = _defaults(top.get("global"), ignored, problems)
    jobs = [_with_defaults(item, defaults) for item in given]
    read = [_read(config, f"scrape_configs[{place}]", paths, problems) for place, config in enumerate(jobs)]
    names: set[str] = set()
    for place, job in enumerate(read):
        if job is not None and job.name in names:
            problems.append(FieldError(f"scrape_configs[{place}].job_name", f"{job.name!r} is there twice"))
        names.add(job.name if job is not None else "")
    refuse(problems)
    return ScrapeFile(tuple((config, job) for config, job in zip(jobs, read, strict=True) if job is not None), tuple(ignored))


def _read(config: object, at: str, paths: FilePaths, problems: list[FieldError]) -> ScrapeJob | None:
    found: list[FieldError] = []
    job = read_job(config, at, found)
    job = paths.resolved(job, found)
    problems += found
    return None if found else job


def _defaults(section: object, ignored: list[str], problems: list[FieldError]) -> dict[str, Any]:
    fields = Fields(section, "global", problems)
    defaults: dict[str, Any] = {
        "scrape_interval": fields.text("scrape_interval", _PROMETHEUS_INTERVAL),
        "scrape_timeout": fields.text("scrape_timeout", _PROMETHEUS_TIMEOUT),
    }
    for name in ("sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit", "target_limit"):
        if name in fields:
            defaults[name] = fields.count(name)
    if "body_size_limit" in fields:
        defaults["body_size_limit"] = fields.size("body_size_limit")
    for name in sorted(_GLOBAL_ELSEWHERE):
        if name in fields:
            fields.skip(name)
            ignored.append(f"global.{name}")
    fields.finish(lambda _: "is not supported")
    return defaults


def _with_defaults(item: object, defaults: Mapping[str, Any]) -> Any:
    """The configuration with what it takes from `global`; a timeout that does not fit into the interval is cut to it, as there."""
    if not isinstance(item, Mapping):
        return item
    config = {**defaults, **{str(name): value for name, value in item.items() if value is not None}}
    interval, timeout = duration_seconds(config["scrape_interval"]), duration_seconds(config["scrape_timeout"])
    if "scrape_timeout" not in item and interval and timeout and timeout > interval:
        config["scrape_timeout"] = config["scrape_interval"]
    return config
