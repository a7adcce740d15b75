"""The suite itself, and logging in to it."""

from typing import Literal

from pydantic import Field

from services.gateway.web.schemas.base import Answer, Strict, Time


class Health(Answer):
    """The process answers."""

    status: Literal["ok"]


class Part(Answer):
    """One part of the suite."""

    status: Literal["serving", "not_serving", "unreachable"]
    detail: str


class Readiness(Answer):
    """Whether all parts serve."""

    status: Literal["ready", "not_ready"]
    parts: dict[str, Part]


class NamedPart(Part):
    """One part of the suite, by name."""

    name: str


class System(Answer):
    """What runs here."""

    version: str
    started_at: Time
    uptime_seconds: float
    services: list[NamedPart]


class LoginBody(Strict):
    """Shows a token, to open a session in the browser."""

    token: str = Field(min_length=1, max_length=1000)


class Caller(Answer):
    """Who asks."""

    role: Literal["viewer", "operator", "admin"]
    proof: Literal["bearer", "session"] = Field(description="How the caller showed who it is.")


class Session(Answer):
    """An open session; the cookie comes with it."""

    role: Literal["viewer", "operator", "admin"]
    expires_at: Time
