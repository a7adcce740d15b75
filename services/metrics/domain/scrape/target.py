"""Targets: what one job finds at one address."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

from services.metrics.domain.ports import Labels
from services.metrics.domain.scrape.fields import duration_seconds
from services.metrics.domain.scrape.job import ScrapeJob
from services.metrics.domain.scrape.relabel import relabel

SERVER_LABEL: Final = "server"
INSTANCE_LABEL: Final = "instance"
JOB_LABEL: Final = "job"
_ADDRESS: Final = "__address__"
_SCHEME: Final = "__scheme__"
_PATH: Final = "__metrics_path__"
_INTERVAL: Final = "__scrape_interval__"
_TIMEOUT: Final = "__scrape_timeout__"
_PARAMETER: Final = "__param_"
_MAX_ADDRESS: Final = 300
_NOT_IN_ADDRESS: Final = re.compile(r"[/@?#\\ ]")
_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~-._"
_HOST_AND_PORT: Final = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:]+|[a-z][a-z0-9+.-]*://[^:]+)):\d{1,5}")


class TargetError(ValueError):
    """An address that cannot be scraped; the message says why."""


@dataclass(frozen=True)
class Target:
    """One page to be read at each interval.

    Attributes:
        job: the job that it belongs to.
        url: of the page, with its parameters.
        labels: that its series get, ascending by name; `server` only where the operator has set it.
        interval_seconds: between pages.
        timeout_seconds: for a page as a whole.
    """

    job: ScrapeJob
    url: str
    labels: Labels
    interval_seconds: float
    timeout_seconds: float

    @property
    def all_labels(self) -> Labels:
        """The labels of series that say nothing of their own, such as `up`: with the server that they belong to."""
        labels = dict(self.labels)
        labels.setdefault(SERVER_LABEL, without_port(labels[INSTANCE_LABEL]))
        return tuple(sorted((name, value) for name, value in labels.items() if value))


class TargetState(StrEnum):
    """Whether a target answers."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass
class TargetHealth:
    """How the last scrape of a target went.

    Attributes:
        state: unknown until the first one.
        last_scrape_at: when it began, Unix seconds.
        duration_seconds: how long it took.
        samples: on its page; 0 where it failed.
        error: why it failed, or what was not taken of a page that could be read; empty when all is well.
    """

    state: TargetState = TargetState.UNKNOWN
    last_scrape_at: float | None = None
    duration_seconds: float = 0.0
    samples: int = 0
    error: str = field(default="")


def make_target(job: ScrapeJob, address: str, group_labels: Mapping[str, str]) -> Target | None:
    """The target at an address, after the job's relabelling; None when that drops it.

    Raises:
        TargetError: what relabelling made of it cannot be scraped.
    """
    labels = {
        JOB_LABEL: job.name,
        _ADDRESS: address,
        _SCHEME: job.scheme,
        _PATH: job.metrics_path,
        _INTERVAL: f"{round(job.interval_seconds * 1000)}ms",
        _TIMEOUT: f"{round(job.timeout_seconds * 1000)}ms",
        **{f"{_PARAMETER}{name}": values[0] for name, values in job.params.items() if values},
        **group_labels,
    }
    kept = relabel(labels, job.relabel_rules)
    if kept is None:
        return None
    host, scheme, path = kept.get(_ADDRESS, ""), kept.get(_SCHEME, ""), kept.get(_PATH, "")
    if not is_address(host):
        raise TargetError(f"{address} has become {host[:100]!r} by relabelling, which is no host:port")
    if scheme not in ("http", "https"):
        raise TargetError(f"{address} would be scraped by {scheme[:20]!r}, which is neither http nor https")
    interval, timeout = duration_seconds(kept.get(_INTERVAL)), duration_seconds(kept.get(_TIMEOUT))
    if not interval or not timeout or interval < 1.0 or timeout > interval:
        raise TargetError(f"{address} has an interval or timeout that cannot be used")
    parameters = {name: list(values) for name, values in job.params.items()}
    for name, value in kept.items():
        if name.startswith(_PARAMETER):
            parameters[name.removeprefix(_PARAMETER)] = [value, *parameters.get(name.removeprefix(_PARAMETER), [])[1:]]
    query = urlencode(sorted(parameters.items()), doseq=True)
    url = f"{scheme}://{host}{quote('/' + path.lstrip('/'), safe=_PATH_CHARACTERS)}{'?' if query else ''}{query}"
    shown = {name: value for name, value in kept.items() if not name.startswith("__")}
    shown.setdefault(INSTANCE_LABEL, host)
    return Target(job, url, tuple(sorted(shown.items())), interval, timeout)


def is_address(text: str) -> bool:
    """Whether it can be the `host:port` of a URL; a name and password before it would show wherever the URL is shown."""
    return 0 < len(text) <= _MAX_ADDRESS and text.isprintable() and not _NOT_IN_ADDRESS.search(text)


def offset_seconds(target: Target) -> float:
    """Where in its interval a target is scraped: always at the same place, and those of many targets evenly spread."""
    name = repr((target.url, target.labels)).encode()
    share = int.from_bytes(hashlib.md5(name, usedforsecurity=False).digest()[:8], "big") / 2**64
    return share * target.interval_seconds


def without_port(instance: str) -> str:
    """The host of `host:port`, a bare IPv6 address left as it is; `[::1]:9100` gives `::1`."""
    found = _HOST_AND_PORT.fullmatch(instance)
    if found is None:
        return instance[1:-1] if instance.startswith("[") and instance.endswith("]") else instance
    return found["ipv6"] or found["host"]
