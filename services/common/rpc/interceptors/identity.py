"""Who calls: the name that the caller gives, and the token that the services share."""

import hmac
from typing import Any, Final

from services.common.errors import UnauthenticatedError
from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.metadata import AUTHORIZATION_KEY, CALLER_KEY, caller_var, first_text, is_token

HEALTH_SERVICE: Final = "grpc.health.v1.Health"


class IdentityInterceptor(CallInterceptor):
    """Sets `caller_var`, and with a token lets only those in who know it; health checks need none."""

    def __init__(self, token: str | None) -> None:
        super().__init__()
        self._expected = None if token is None else f"Bearer {token}".encode()

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run the method for callers who may call it."""
        expected = None if method.service == HEALTH_SERVICE else self._expected

        async def serve(request: Any, context: Context) -> Any:
            metadata = context.invocation_metadata()
            if expected is not None:
                given = first_text(metadata, AUTHORIZATION_KEY).encode()
                if not hmac.compare_digest(given, expected):
                    raise UnauthenticatedError(
                        "this service wants the token that all services share; set OPENMANAGER_SERVICE_TOKEN to the same value",
                        reason="SERVICE_TOKEN_WRONG" if given else "SERVICE_TOKEN_MISSING",
                    )
            caller = first_text(metadata, CALLER_KEY)
            caller_var.set(caller if is_token(caller) else "")
            return await proceed(request, context)

        return serve
