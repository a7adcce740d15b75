"""Structured logs: one line an event, the request id on every line of a request, never blocking the event loop."""

import logging
import logging.handlers
import queue
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal

import structlog

request_id_var: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request being served; set by the gateway and by the RPC server, sent on with every RPC."""


def _add_request_id(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    request_id = request_id_var.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def configure_logging(level: str = "INFO", form: Literal["auto", "json", "text"] = "auto") -> Callable[[], None]:
    """Send the logs of structlog and of the standard library to standard error; returns what flushes and ends it.

    A queue and a thread stand between the event loop and the stream, so a slow reader of the log delays no request.
    """
    shared: list[Any] = [
        _add_request_id,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if form == "text" or (form == "auto" and sys.stderr.isatty()):
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(formatter)
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(lines, stream)
    root = logging.getLogger()
    root.handlers = [_QueueHandler(lines)]
    root.setLevel(level)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    for noisy in ("sqlalchemy.engine", "aiosqlite", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    listener.start()
    return listener.stop


class _QueueHandler(logging.handlers.QueueHandler):
    """Hands records on as they are: structlog's event dictionaries must not be formatted twice."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record
