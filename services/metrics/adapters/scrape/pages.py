"""Pages of targets."""

from typing import Final

from services.metrics.adapters.scrape.http import Fetcher
from services.metrics.domain.scrape.ports import FetchedPage, FetchError
from services.metrics.domain.scrape.target import Target

OPENMETRICS: Final = "application/openmetrics-text"
# The text format is preferred: it has no exemplars and repeats itself best.
_ACCEPT: Final = f"text/plain;version=0.0.4,{OPENMETRICS};version=1.0.0;q=0.5"
_TEXT: Final = "text/plain"


class HttpPages:
    """Implements `PageSource`."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def fetch(self, target: Target) -> FetchedPage:
        """See the port."""
        headers = {
            "Accept": _ACCEPT,
            "Accept-Encoding": "gzip" if target.job.enable_compression else "identity",
            "User-Agent": "OpenManager",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{target.timeout_seconds:g}",
        }
        answer = await self._fetcher.get(target.url, target.job.http, headers, target.job.limits.body_bytes)
        kind = answer.content_type.partition(";")[0].strip().lower()
        if kind not in ("", _TEXT, OPENMETRICS):
            raise FetchError(f"it answered with {kind[:60]}, which is no page of metrics; is metrics_path right?")
        try:
            return FetchedPage(answer.body.decode(), kind == OPENMETRICS)
        except UnicodeDecodeError as error:
            line = answer.body.count(b"\n", 0, error.start) + 1
            raise FetchError(f"line {line}: not UTF-8") from None
