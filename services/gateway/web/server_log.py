"""The log of the HTTP server beneath the handlers."""

import logging
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError


class _Malformed(logging.Filter):
    """What does not follow HTTP is the sender's mistake: one line that says so, and no stack trace for whoever sends garbage."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            record.msg = f"{record.msg}: %s"
            record.args = (*(record.args if isinstance(record.args, tuple) else ()), " ".join(error.message.split())[:200])
            record.exc_info = None
        return True


SERVER_LOG: Final = logging.getLogger("gateway.server")
SERVER_LOG.addFilter(_Malformed())
