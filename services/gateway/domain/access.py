"""Who may do what."""

import enum
import hashlib
import hmac
from dataclasses import dataclass

from services.common.clock import Clock
from services.gateway.domain.sessions import SessionSigner


class Role(enum.IntEnum):
    """What a caller may do; each role may do what those below it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Proof(enum.Enum):
    """How a caller said who it is."""

    BEARER = "bearer"
    SESSION = "session"


@dataclass(frozen=True)
class Principal:
    """A caller that is known. `key` names it in limits and logs and tells nothing of its secret."""

    key: str
    role: Role
    proof: Proof


class Authenticator:
    """Knows the admin token by its hash, and the sessions that were opened with it.

    Sessions are signed with a key made from the token, so they outlive a restart of the gateway and end when the token changes.
    """

    def __init__(self, admin_token: str, clock: Clock, session_seconds: float) -> None:
        self._digest = _digest(admin_token)
        key = hmac.digest(admin_token.encode(), b"openmanager session key", "sha256")
        self._sessions = SessionSigner(key, clock, session_seconds)
        self.session_seconds = int(session_seconds)

    def by_token(self, token: str) -> Principal | None:
        """The caller that shows this bearer token; None when nobody has it."""
        if not hmac.compare_digest(_digest(token), self._digest):
            return None
        return Principal("admin", Role.ADMIN, Proof.BEARER)

    def by_session(self, value: str) -> Principal | None:
        """The caller whose browser shows this session; None when it is forged or over."""
        role = self._sessions.verify(value)
        if role is None or role not in Role.__members__:
            return None
        return Principal("admin", Role[role], Proof.SESSION)

    def open_session(self, principal: Principal) -> tuple[str, float]:
        """A session value for the caller's browser, and the Unix time at which it ends."""
        return self._sessions.issue(principal.role.name)


def _digest(token: str) -> bytes:
    # A fast hash is enough for the tokens the gateway makes (256 random bits); comparing digests hides the length too.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
