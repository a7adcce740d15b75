"""Who a request comes from."""

from base64 import b64decode
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from services.common.errors import PermissionDeniedError, UnauthenticatedError
from services.gateway.domain.access import Authenticator, Principal, Proof, Role

SESSION_COOKIE: Final = "openmanager_session"
PRINCIPAL_KEY: Final = web.RequestKey("principal", Principal)
"""Where the caller of a request that was let pass is found."""
_SAFE_METHODS: Final = frozenset((hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS))


def authenticate(request: web.Request, authenticator: Authenticator) -> Principal:
    """The caller, by bearer token or else by session.

    Raises:
        UnauthenticatedError: it shows neither, or one that is wrong.
    """
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is not None:
        token = _token_in(header)
        principal = authenticator.by_token(token) if token else None
        if principal is None:
            raise UnauthenticatedError("the header Authorization holds no token that is known here; it is written `Bearer TOKEN`")
        return principal
    session = request.cookies.get(SESSION_COOKIE)
    principal = authenticator.by_session(session) if session else None
    if principal is None:
        raise UnauthenticatedError("this needs a token: send the header `Authorization: Bearer TOKEN`, or log in")
    return principal


def _token_in(header: str) -> str:
    """The token in a header Authorization, empty when it holds none.

    Beside `Bearer` (RFC 6750) there is `Token`, as InfluxDB 2.x has it, and the password of `Basic` (RFC 7617), for senders that know
    nothing else.
    """
    scheme, _, rest = header.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def authorize(request: web.Request, principal: Principal, role: Role) -> None:
    """Let the caller pass when its role is enough and, if a browser vouches for it, the request comes from our own pages.

    Raises:
        PermissionDeniedError: otherwise.
    """
    if principal.role < role:
        raise PermissionDeniedError(f"this needs the role {role.name.lower()}", reason="ROLE_TOO_LOW")
    if principal.proof is Proof.SESSION and request.method not in _SAFE_METHODS:
        check_same_origin(request, required=True)


def check_same_origin(request: web.Request, *, required: bool = False) -> None:
    """Refuse a request that a page of another origin made a browser send.

    Browsers tell with Sec-Fetch-Site (W3C Fetch Metadata) and, older ones, with Origin (RFC 6454). With `required`, a request that
    tells neither is refused too.

    Raises:
        PermissionDeniedError: with reason CROSS_SITE.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN)
    if site is not None:
        is_ours = site == "same-origin"
    elif origin is not None:
        is_ours = urlsplit(origin).netloc.lower() == request.host.lower()
    else:
        is_ours = not required
    if not is_ours:
        message = "a session of the dashboard may change things from its own pages alone; programs use a bearer token"
        raise PermissionDeniedError(message, reason="CROSS_SITE")


def login_redirect(request: web.Request) -> web.Response:
    """Send a browser that has no session to the login page; it keeps the fragment, which may hold a token."""
    target = "/login" if request.path == "/" else f"/login?next={request.path}"
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: target})
