"""Labels as other programs write them, made those of a series here: names that can be stored, and the server that it belongs to."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from services.gateway.domain.batch import BadSampleError
from services.gateway.domain.samples import CONTROL, MAX_SERVER_LENGTH
from services.gateway.domain.series_table import SeriesLabels

NAME: Final = "__name__"
SERVER: Final = "server"
MAX_LABELS: Final = 64
"""Labels of one series, its name and server among them; as the store has it."""
MAX_LABEL_BYTES: Final = 4096
"""Name and value of one label together in UTF-8; as the store has it."""

_NOT_IN_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")
_NOT_IN_METRIC: Final = re.compile(r"[^a-zA-Z0-9_:]")
_HOST_AND_PORT: Final = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:]+|[a-z][a-z0-9+.-]*://[^:]+)):\d{1,5}")


def server_name(labels: Mapping[str, str], host_name: str = "") -> str:
    """The server that a series belongs to; empty when its labels do not tell.

    The first of these that is there and not empty: the label `server`; OpenTelemetry's `host.name`, which is `host_name` once it is
    a label; the tag `host` of Telegraf; `instance` without its port, `[::1]:9100` being `::1`.

    Args:
        labels: of the series, under the names that they have here.
        host_name: `host.name` of the OpenTelemetry resource.
    """
    named = labels.get(SERVER) or host_name or labels.get("host_name") or labels.get("host")
    return named or without_port(labels.get("instance", ""))


def without_port(instance: str) -> str:
    """The host of `host:port`, a bare IPv6 address left as it is."""
    found = _HOST_AND_PORT.fullmatch(instance)
    if found is None:
        return instance[1:-1] if instance.startswith("[") and instance.endswith("]") else instance
    return found["ipv6"] or found["host"]


def series_labels(pairs: Iterable[tuple[str, str]], *, host_name: str = "") -> SeriesLabels:
    """The labels under which a series is stored, ascending by name.

    An empty value is the same as no label. In names, each character that Prometheus has no place for becomes `_`. All labels are
    kept, `host` and `instance` among them; `server` joins them when the series says whose it is, and a series that does not say
    belongs to nobody.

    Args:
        pairs: names and values, the name of the metric under `__name__`.
        host_name: `host.name` of the OpenTelemetry resource, if any.

    Raises:
        BadSampleError: no metric name (`INVALID_NAME`); a label that is given twice, also after its name was changed
            (`DUPLICATE_LABEL`); too many or too long labels, or one without a name (`INVALID_LABELS`); a server whose name is too long
            or has control characters (`INVALID_SERVER`).
    """
    labels: dict[str, str] = {}
    for given, value in pairs:
        name = given if given == NAME else label_name(given)
        if not name:
            raise BadSampleError("INVALID_LABELS", "a label has no name")
        if name in labels:
            raise BadSampleError("DUPLICATE_LABEL", f"label {name[:100]!r} is given twice")
        labels[name] = value
    if not labels.get(NAME):
        raise BadSampleError("INVALID_NAME", "a series has no name")
    labels[NAME] = metric_name(labels[NAME])
    server = server_name(labels, host_name)
    if server:
        if len(server) > MAX_SERVER_LENGTH or CONTROL.search(server):
            problem = f"a server must have a name of at most {MAX_SERVER_LENGTH} characters without control characters"
            raise BadSampleError("INVALID_SERVER", problem)
        labels[SERVER] = server
    kept = [(name, value) for name, value in labels.items() if value]
    if len(kept) > MAX_LABELS:
        raise BadSampleError("INVALID_LABELS", f"{len(kept)} labels; at most {MAX_LABELS} are taken, the server among them")
    for name, value in kept:
        if (
            len(name) + 3 * len(value) > MAX_LABEL_BYTES
            and len(name) + len(value.encode("utf-8", "surrogatepass")) > MAX_LABEL_BYTES
        ):
            raise BadSampleError("INVALID_LABELS", f"label {name[:100]!r} is longer than {MAX_LABEL_BYTES} bytes")
    kept.sort()
    return tuple(kept)


@lru_cache(4096)
def label_name(given: str) -> str:
    """The name as Prometheus could have it: `cpu.state` is `cpu_state`, `9p` is `_9p`."""
    return _started(_NOT_IN_LABEL.sub("_", given))


@lru_cache(4096)
def metric_name(given: str) -> str:
    """The name of a metric as Prometheus could have it; unlike a label's it may have colons."""
    return _started(_NOT_IN_METRIC.sub("_", given))


def _started(name: str) -> str:
    return f"_{name}" if name[:1].isdigit() else name
