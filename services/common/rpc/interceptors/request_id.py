"""Request ids: the caller's, or a new one, on every log line of the call and on every call made in its turn."""

from typing import Any

from services.common.ids import IdSource
from services.common.logs import request_id_var
from services.common.rpc.handlers import Behavior, Context, Method
from services.common.rpc.interceptors.base import CallInterceptor
from services.common.rpc.metadata import REQUEST_ID_KEY, first_text, is_token


class RequestIdInterceptor(CallInterceptor):
    """Sets `request_id_var` for the call."""

    def __init__(self, new_id: IdSource) -> None:
        super().__init__()
        self._new_id = new_id

    def wrap(self, method: Method, proceed: Behavior) -> Behavior:
        """Run the method with the request id in its context."""

        async def serve(request: Any, context: Context) -> Any:
            request_id = first_text(context.invocation_metadata(), REQUEST_ID_KEY)
            # No reset: each call runs in a context of its own on every transport, and log lines of its end need the id too.
            request_id_var.set(request_id if is_token(request_id) else self._new_id())
            return await proceed(request, context)

        return serve
