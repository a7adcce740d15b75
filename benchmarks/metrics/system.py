"""What every system that is measured has, ours and the others."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.metrics.queries import Queries
from benchmarks.metrics.workload import Workload


@dataclass(frozen=True)
class Door:
    """Where samples of a wire go in over HTTP."""

    path: str
    wire: str
    headers: Mapping[str, str]


class Server(ABC):
    """A running server with its data in a folder of its own."""

    pid: int
    url: str
    headers: Mapping[str, str] = {}

    @abstractmethod
    def queries(self) -> Queries:
        """How it is asked."""

    def make_visible(self) -> None:  # noqa: B027  most have nothing to do
        """Have everything that was acknowledged found by queries."""

    @abstractmethod
    def merged_bytes(self, folder: Path) -> int:
        """Bytes on disk once everything is merged as far as it goes; the server may be stopped for it."""

    @abstractmethod
    def stop(self) -> None:
        """End the server; harmless when it has ended."""


class System(ABC):
    """A system that can be started.

    Attributes:
        name: as it is printed.
        acknowledges: what an acknowledgement of it means, in a few words.
    """

    name: str
    acknowledges: str

    @abstractmethod
    def missing(self) -> str | None:
        """What is not there that it needs; None when it can run."""

    @abstractmethod
    def start(self, folder: Path, workload: Workload) -> Server:
        """Start it with empty data below `folder`; it listens when this returns."""

    @abstractmethod
    def door(self, wire: str) -> Door:
        """Where samples of a wire go in."""
