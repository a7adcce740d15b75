"""Where servers stand: a site gives them their time of day and their holidays."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

_WINTER: Final = datetime(2026, 1, 15, tzinfo=UTC)


@dataclass(frozen=True)
class Site:
    """A place with servers.

    Attributes:
        name: value of the label `site`.
        zone: IANA name of its time zone.
        country: ISO 3166-1 code of the country whose holidays its users keep.
    """

    name: str
    zone: str
    country: str

    @property
    def city(self) -> str:
        """The name without its number."""
        return self.name.rsplit("-", 1)[0]

    @property
    def standard_offset_seconds(self) -> float:
        """Local standard time ahead of UTC. Planned jobs keep to it all year, as machines that run on UTC do."""
        offset = _WINTER.astimezone(ZoneInfo(self.zone)).utcoffset()
        return offset.total_seconds() if offset else 0.0


SEOUL: Final = Site("seoul-1", "Asia/Seoul", "KR")
BUSAN: Final = Site("busan-1", "Asia/Seoul", "KR")
TOKYO: Final = Site("tokyo-1", "Asia/Tokyo", "JP")
SITES: Final = (SEOUL, BUSAN, TOKYO)
