"""Whether a fault can be planned, and where it happens when nobody says."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.common.errors import (
    ConflictError,
    FieldError,
    InvalidArgumentError,
    OpenManagerError,
    RefusedError,
    ResourceExhaustedError,
)
from services.server_gen.domain.faults.fault import Fault, utc_text
from services.server_gen.domain.faults.kinds import KINDS, Kind
from services.server_gen.domain.roster import VirtualServer

SOURCE: Final = "injected"
MIN_DURATION_SECONDS: Final = 1.0
MAX_DURATION_SECONDS: Final = 30 * 86_400.0
MAX_DELAY_SECONDS: Final = 60.0
MAX_AHEAD_SECONDS: Final = 30 * 86_400.0
MAX_OPEN_FAULTS: Final = 1_000
MAX_FAULTS: Final = 10_000
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True)
class FaultWish:
    """A fault as somebody asks for it.

    Attributes:
        kind: name of the kind.
        server: host name; empty for the kind's usual place.
        start: Unix time in seconds; None for now.
        duration_seconds: how long it lasts.
        severity: how bad it gets, above 0 and at most 1.
    """

    kind: str
    server: str
    start: float | None
    duration_seconds: float
    severity: float


def plan_fault(wish: FaultWish, fault_id: str, servers: Sequence[VirtualServer], now: float) -> Fault:
    """The fault that the wish means, when it begins on one of these servers.

    Raises:
        InvalidArgumentError: `UNKNOWN_KIND` or `INVALID_FAULT`, with every field that is wrong.
        RefusedError: `UNKNOWN_SERVER`, or `NO_FITTING_SERVER` when none was named and the fleet has none for it.
    """
    start = now if wish.start is None else wish.start
    wrong = [*_wrong_kind(wish.kind), *_wrong_numbers(wish, start, now)]
    if wrong:
        message = "; ".join(f"{error.field} {error.message}" for error in wrong)
        reason = "INVALID_FAULT" if wish.kind in KINDS else "UNKNOWN_KIND"
        raise InvalidArgumentError(message, reason=reason, fields=wrong)
    server = wish.server or _usual_place(KINDS[wish.kind], servers)
    if server not in {known.hostname for known in servers}:
        raise unknown_server(server)
    start = round(start, 3)  # as exact as times on the wire
    end = round(start + wish.duration_seconds, 3)
    return Fault(id=fault_id, kind=wish.kind, server=server, severity=wish.severity, start=start, end=end, source=SOURCE)


def check_room(fault: Fault, injected: Sequence[Fault], others: Iterable[Fault], now: float) -> None:
    """See that the fault can be beside these others.

    Args:
        fault: the new one.
        injected: all that were injected before.
        others: those of the scenario that may be under way at the same time.
        now: Unix time in seconds.

    Raises:
        ConflictError: one of the same kind is under way on the same server in the same time (`FAULT_OVERLAPS`).
        ResourceExhaustedError: there are too many (`TOO_MANY_FAULTS`).
    """
    for other in (*injected, *others):
        alike = (other.kind, other.server) == (fault.kind, fault.server)
        if alike and other.start < fault.end and fault.start < other.stop:
            when = f"from {utc_text(other.start)} to {utc_text(other.stop)}"
            origin = "was injected" if other.source == SOURCE else f"comes from the scenario {other.source}"
            raise ConflictError(
                f"{other.server} has a {other.kind} {when} already, which {origin} ({other.id}); choose another time or server",
                reason="FAULT_OVERLAPS",
            )
    if sum(other.stop > now for other in injected) >= MAX_OPEN_FAULTS:
        raise ResourceExhaustedError(
            f"{MAX_OPEN_FAULTS:,} injected faults are not over yet, and more are not taken; cancel some", reason="TOO_MANY_FAULTS"
        )
    if len(injected) >= MAX_FAULTS:
        raise ResourceExhaustedError(
            f"{MAX_FAULTS:,} faults were injected into this fleet, and more are not taken; reset it", reason="TOO_MANY_FAULTS"
        )


def unknown_server(name: str) -> OpenManagerError:
    """What is raised for a server that the fleet does not have."""
    return RefusedError(f"the fleet has no server named {shown(name)}", reason="UNKNOWN_SERVER")


def shown(text: str) -> str:
    """A caller's text as a message may quote it."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def _usual_place(kind: Kind, servers: Sequence[VirtualServer]) -> str:
    for role in kind.roles:
        for server in servers:
            if server.role.name == role:
                return server.hostname
    message = f"the fleet has no server that a {kind.name} fits ({', '.join(kind.roles)}); name one"
    raise RefusedError(message, reason="NO_FITTING_SERVER")


def _wrong_kind(kind: str) -> list[FieldError]:
    return [] if kind in KINDS else [FieldError("kind", f"{shown(kind)} is not known; one is known of {', '.join(KINDS)}")]


def _wrong_numbers(wish: FaultWish, start: float, now: float) -> list[FieldError]:
    # Written so that NaN, which compares as false with everything, is wrong.
    wrong = []
    if not MIN_DURATION_SECONDS <= wish.duration_seconds <= MAX_DURATION_SECONDS:
        wrong.append(FieldError("duration", f"of {wish.duration_seconds:g} s is not from 1 s to 30 days"))
    if not 0.0 < wish.severity <= 1.0:
        wrong.append(FieldError("severity", f"{wish.severity:g} is not above 0 and at most 1"))
    if not (math.isfinite(start) and now - MAX_DELAY_SECONDS <= start <= now + MAX_AHEAD_SECONDS):
        wrong.append(FieldError("start", "is not from 60 s ago to 30 days ahead"))
    return wrong
