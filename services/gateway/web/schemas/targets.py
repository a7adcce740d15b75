"""Scrape targets: where samples are fetched from."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.gateway.web.schemas.base import Answer, Document, Listing, Strict, Time

Duration = Annotated[str, Field(max_length=40)] | Annotated[float, Field(gt=0, le=31_622_400)]
"""Such as 15s or 1m30s, or a number of seconds."""
Documents = Annotated[list[Document], Field(max_length=20_000)]


class StaticGroup(Strict):
    """Addresses that share labels."""

    targets: list[str] = Field(max_length=20_000, description="Each host:port.")
    labels: dict[str, str] = Field(default_factory=dict, max_length=64)


class TargetBody(Strict):
    """What to scrape, in the fields of a `scrape_config` of Prometheus."""

    job_name: str = Field(min_length=1, max_length=200, description="Value of the label `job`; no two are alike.")
    scrape_interval: Duration | None = Field(None, description="15 s when not given.")
    scrape_timeout: Duration | None = Field(None, description="10 s when not given, or the interval where that is shorter.")
    metrics_path: str | None = Field(None, max_length=2000)
    scheme: Literal["http", "https"] | None = None
    params: dict[str, list[str]] | None = None
    honor_labels: bool | None = Field(None, description="Labels of the page win over those of the target.")
    honor_timestamps: bool | None = Field(None, description="Times on the page are believed; they are unless switched off.")
    enable_compression: bool | None = None
    follow_redirects: bool | None = None
    basic_auth: Document | None = Field(None, description="username, password or password_file; a password is never returned.")
    authorization: Document | None = Field(None, description="type, credentials or credentials_file; never returned.")
    bearer_token: str | None = Field(None, max_length=65_536, description="Never returned.")
    bearer_token_file: str | None = Field(None, max_length=1000)
    tls_config: Document | None = Field(None, description="ca, ca_file, cert_file, key_file, server_name, insecure_skip_verify.")
    static_configs: list[StaticGroup] | None = Field(None, max_length=20_000)
    file_sd_configs: Documents | None = None
    http_sd_configs: Documents | None = None
    relabel_configs: Documents | None = None
    metric_relabel_configs: Documents | None = None
    sample_limit: int | None = Field(None, ge=0)
    label_limit: int | None = Field(None, ge=0)
    label_name_length_limit: int | None = Field(None, ge=0)
    label_value_length_limit: int | None = Field(None, ge=0)
    target_limit: int | None = Field(None, ge=0)
    body_size_limit: str | int | None = Field(None, description="Such as 10MB, or a number of bytes.")


class ScrapedTarget(Answer):
    """One page that is read again and again."""

    url: str
    labels: dict[str, str] = Field(description="What its series get.")
    state: Literal["up", "down", "unknown"] = Field(description="Unknown until it has been scraped once.")
    last_scrape_at: Time | None
    duration_seconds: float | None
    samples: int = Field(description="On the last page; 0 where that failed.")
    last_error: str | None = Field(description="Why the last scrape failed, or what was not taken of it.")


class TargetJob(Answer):
    """A job and its targets."""

    id: str
    job_name: str
    source: Literal["api", "file"] = Field(description="Jobs of the service's configuration file are changed there.")
    config: dict[str, Any] = Field(description="As it was given, secrets masked.")
    created_at: Time | None
    updated_at: Time | None
    error: str | None = Field(description="What is wrong with finding its targets.")
    dropped_targets: int = Field(description="Addresses that relabel_configs drops.")
    targets: list[ScrapedTarget]


class TargetList(Listing):
    """Jobs in order of name."""

    items: list[TargetJob]


class TargetsImported(Answer):
    """What an import did."""

    items: list[TargetJob] = Field(description="The jobs that were made or replaced.")
    created: int
    updated: int
    ignored: list[str] = Field(description="Sections that are not about scraping, such as rule_files.")
