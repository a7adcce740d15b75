"""What is to be scraped, and how: a job as the operator gives it, before its targets are known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.metrics.domain.scrape.relabel import Rule


@dataclass(frozen=True)
class BasicAuth:
    """A name and a password; the password itself, or the file that has it."""

    username: str
    password: str = field(default="", repr=False)
    password_file: str = ""


@dataclass(frozen=True)
class Authorization:
    """The header `Authorization: <kind> <credentials>`; the credentials themselves, or the file that has them."""

    kind: str = "Bearer"
    credentials: str = field(default="", repr=False)
    credentials_file: str = ""


@dataclass(frozen=True)
class Tls:
    """How the other side is verified and what is shown to it.

    Attributes:
        ca: certificates that are trusted, in PEM, beside none of the system's.
        ca_file: the same in a file.
        cert_file: the certificate that is shown, in a file.
        key_file: its key.
        server_name: name that the certificate must have, instead of the host's.
        insecure_skip_verify: take any certificate.
    """

    ca: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False


@dataclass(frozen=True)
class HttpOptions:
    """How pages and lists of targets are fetched."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls: Tls = Tls()
    follow_redirects: bool = True


@dataclass(frozen=True)
class Limits:
    """What a page may have at most; 0 means as much as it likes. A page that has more is refused as a whole."""

    samples: int = 0
    labels: int = 0
    label_name_characters: int = 0
    label_value_characters: int = 0
    body_bytes: int = 0
    targets: int = 0


@dataclass(frozen=True)
class TargetGroup:
    """Addresses `host:port`, and labels that all of them have."""

    addresses: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileDiscovery:
    """Files of target groups, by patterns with `*`."""

    files: tuple[str, ...]
    refresh_seconds: float


@dataclass(frozen=True)
class HttpDiscovery:
    """A URL that answers with target groups."""

    url: str
    refresh_seconds: float
    http: HttpOptions


@dataclass(frozen=True)
class ScrapeJob:
    """A job; the names are those of a `scrape_config` of Prometheus."""

    name: str
    interval_seconds: float = 60.0
    timeout_seconds: float = 10.0
    metrics_path: str = "/metrics"
    scheme: str = "http"
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    honor_labels: bool = False
    honor_timestamps: bool = True
    enable_compression: bool = True
    http: HttpOptions = HttpOptions()
    limits: Limits = Limits()
    relabel_rules: tuple[Rule, ...] = ()
    metric_relabel_rules: tuple[Rule, ...] = ()
    static: tuple[TargetGroup, ...] = ()
    file_discoveries: tuple[FileDiscovery, ...] = ()
    http_discoveries: tuple[HttpDiscovery, ...] = ()
