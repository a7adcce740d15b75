"""The seed's routes over the virtual fleet; they keep their camelCase."""

from pydantic import Field

from services.gateway.web.schemas.base import Answer, Strict, Time


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
