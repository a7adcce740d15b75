"""What scraping needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.metrics.domain.scrape.job import FileDiscovery, HttpDiscovery, TargetGroup
from services.metrics.domain.scrape.target import Target


class FetchError(Exception):
    """A page or list that could not be had; the message says why, without anything secret."""


@dataclass(frozen=True)
class FetchedPage:
    """A page as it came, decoded.

    Attributes:
        text: of the page.
        openmetrics: it is in the OpenMetrics format; else in the text format 0.0.4.
    """

    text: str
    openmetrics: bool


class PageSource(Protocol):
    """Fetches pages."""

    async def fetch(self, target: Target) -> FetchedPage:
        """The page of a target. Has no time limit of its own; cancel it.

        Raises:
            FetchError: there is none.
        """
        ...


@dataclass(frozen=True)
class FoundGroups:
    """Target groups, and what is wrong with some of their places; empty when nothing is."""

    groups: tuple[TargetGroup, ...]
    error: str = ""


class GroupSource(Protocol):
    """Finds target groups."""

    async def from_files(self, discovery: FileDiscovery) -> FoundGroups:
        """The groups in the files of a discovery; a file that has not changed is not read again, one that is broken keeps its last."""
        ...

    async def from_url(self, discovery: HttpDiscovery) -> FoundGroups:
        """The groups that a URL answers with.

        Raises:
            FetchError: it does not.
        """
        ...


@dataclass(frozen=True)
class KeptJob:
    """A scrape configuration as it is kept, secrets in the clear; it never leaves the service so.

    Attributes:
        id: names it for ever.
        name: `job_name`; no two are alike.
        config: fields of a `scrape_config`.
        created_at: Unix seconds.
        updated_at: Unix seconds.
    """

    id: str
    name: str
    config: Mapping[str, Any]
    created_at: float
    updated_at: float


class JobStore(Protocol):
    """Keeps the jobs that were made through the API."""

    async def list(self) -> Sequence[KeptJob]:
        """All of them, ascending by name."""
        ...

    async def put(self, jobs: Sequence[KeptJob]) -> None:
        """Keep jobs, replacing those of the same id; all of them or none, durable on return.

        Raises:
            AlreadyExistsError: another one has the name of one of them.
            UnavailableError: nothing was kept.
        """
        ...

    async def delete(self, job_id: str) -> bool:
        """Forget a job; gives whether it was there."""
        ...
