"""Times as the HTTP API writes them: RFC 3339 in UTC with milliseconds, which is as fine as samples are stored."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999  # the end of the year 9999
_FIRST_MS: Final = -62_135_596_800_000  # the beginning of the year 1


def format_ms(time_ms: int) -> str:
    """`2025-01-27T09:30:00.000Z` for Unix milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=min(max(time_ms, _FIRST_MS), _LAST_MS))
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def parse_time_ms(text: str) -> int:
    """Unix milliseconds of a time in RFC 3339 with a zone, or of Unix seconds such as `1737970200.25`.

    Raises:
        ValueError: it is neither, or not between the years 1 and 9999.
    """
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a time needs a zone; end it with Z or an offset such as +09:00") from None
        return round((moment - _EPOCH) / timedelta(milliseconds=1))
    if not _FIRST_MS <= seconds * 1000 <= _LAST_MS:
        raise ValueError("a time must be between the years 1 and 9999")
    return round(seconds * 1000)
