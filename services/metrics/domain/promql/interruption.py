"""Ending an evaluation that runs in a thread."""

import threading

from services.metrics.domain.promql.errors import QueryCancelledError


class Interruption:
    """Asks work in another thread to stop; the work looks at it between its parts."""

    def __init__(self) -> None:
        self._demanded = threading.Event()

    def demand(self) -> None:
        """Let the next checkpoint be the last."""
        self._demanded.set()

    def checkpoint(self) -> None:
        """Go on, unless that was demanded.

        Raises:
            QueryCancelledError: it was.
        """
        if self._demanded.is_set():
            raise QueryCancelledError("query was canceled in expression evaluation")
