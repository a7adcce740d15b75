"""The virtual fleet: the seed's routes, which keep their camelCase, and ours."""

from typing import Literal

from pydantic import Field

from services.gateway.web.schemas.base import Answer, Listing, PageQuery, Strict, Time


class GenerateBody(Strict):
    """Asks for one more server."""

    currentCount: int | None = Field(None, ge=0, description="How many servers the caller believes there are.")  # noqa: N815
    reset: bool = Field(False, description="Empty the fleet first.")


class ResetBody(Strict):
    """Asks to empty the fleet."""


class VirtualServer(Answer):
    """A server of the fleet."""

    id: str
    hostname: str
    role: str
    location: str
    metrics: dict[str, float] = Field(description="cpu, memory and disk in percent, and others.")
    time: Time | None


class _Progress(Answer):
    success: bool
    currentCount: int  # noqa: N815
    targetCount: int  # noqa: N815
    isComplete: bool  # noqa: N815
    progress: int = Field(description="Percent of the whole fleet.")


class Generated(_Progress):
    """The server that was added; null when the fleet was complete."""

    server: VirtualServer | None


class FleetStatus(_Progress):
    """The fleet as it is."""

    servers: list[VirtualServer]


class FleetReset(_Progress):
    """The fleet was emptied."""

    removed: int


class ServerSpec(Answer):
    """What a server is built of."""

    cores: int
    memory_bytes: int
    disk_bytes: int


class DescribedServer(Answer):
    """A server of the fleet, without figures."""

    id: str
    hostname: str
    role: str
    site: str
    spec: ServerSpec
    depends_on: list[str] = Field(description="Host names of the servers that it calls.")


class Site(Answer):
    """A place with servers."""

    name: str
    time_zone: str
    holidays: str | None = Field(description="Country whose public holidays its users keep, ISO 3166-1 alpha-2.")


class FaultKind(Answer):
    """A kind of fault."""

    name: str
    description: str
    harmless: bool = Field(description="Whether it only looks like a fault.")
    roles: list[str] = Field(description="Roles that it fits best.")


class FleetDescription(Answer):
    """What the fleet is made of."""

    generation: int = Field(description="Names this fleet; a higher number after each reset.")
    seed: int
    scenario: str
    epoch: Time | None = Field(description="When the fleet began.")
    target: int = Field(description="Servers in a complete fleet.")
    sites: list[Site]
    roles: list[str] = Field(description="Roles of its servers, each once, in the order in which they first appear.")
    servers: list[DescribedServer] = Field(description="In the order they were added.")
    kinds: list[FaultKind]


class FaultBody(Strict):
    """Lets a fault befall the fleet."""

    kind: str = Field(min_length=1, max_length=100, description="Such as memory_leak; /api/v1/fleet lists them.")
    server: str | None = Field(None, max_length=253, description="Host name; the kind's usual place when absent.")
    start: Time | None = Field(None, description="Now when absent.")
    duration_seconds: float = Field(ge=1, le=2_592_000)
    severity: float = Field(gt=0, le=1, description="How bad it gets.")


class FaultsQuery(PageQuery):
    """Which faults."""

    start: Time | None = Field(None, description="Only those that last until then or longer; the fleet's beginning when absent.")
    end: Time | None = Field(None, description="Only those that begin before; one day ahead of now when absent.")
    cancelled: bool = Field(False, description="Those that were withdrawn, too.")


class Symptom(Answer):
    """One series that a fault moves away from what it would be without it."""

    server: str
    metric: str = Field(description="Name of the series; * where every series of the server goes missing.")
    onset: Time | None = Field(description="When it first leaves its usual band.")
    direction: Literal["rises", "falls", "missing"]


class Fault(Answer):
    """Something that befalls the fleet, with the truth about it."""

    id: str
    kind: str
    server: str = Field(description="The server that it begins on: the root cause.")
    severity: float
    start: Time | None
    ramp_seconds: float = Field(description="How long it takes to reach its full severity.")
    end: Time | None
    state: Literal["scheduled", "active", "ended", "cancelled"]
    harmless: bool
    root_cause: str
    servers: list[str] = Field(description="All servers that it touches, in the order in which it reaches them.")
    symptoms: list[Symptom] = Field(description="In the order in which they appear.")
    source: str = Field(description="The name of the scenario, or `injected`.")


class FaultList(Listing):
    """Faults, the latest start first."""

    items: list[Fault]
