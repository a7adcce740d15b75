"""Target groups from files and URLs."""

import asyncio
import glob
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from services.common.errors import InvalidArgumentError
from services.metrics.adapters.scrape.http import Fetcher
from services.metrics.adapters.scrape.yaml_text import MAX_BYTES, load_yaml
from services.metrics.domain.scrape.configuration import read_groups
from services.metrics.domain.scrape.job import FileDiscovery, HttpDiscovery, TargetGroup
from services.metrics.domain.scrape.ports import FetchError, FoundGroups

MAX_FILES: Final = 1000


@dataclass(frozen=True)
class _Seen:
    stamp: tuple[int, int, int]
    groups: tuple[TargetGroup, ...]


class GroupFinder:
    """Implements `GroupSource`."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._seen: WeakKeyDictionary[FileDiscovery, dict[str, _Seen]] = WeakKeyDictionary()  # for as long as there is such a job

    async def from_files(self, discovery: FileDiscovery) -> FoundGroups:
        """See the port."""
        before = self._seen.get(discovery, {})
        seen, errors = await asyncio.to_thread(_read_changed, discovery, before)
        self._seen[discovery] = seen
        return FoundGroups(tuple(group for path in sorted(seen) for group in seen[path].groups), "; ".join(errors[:3]))

    async def from_url(self, discovery: HttpDiscovery) -> FoundGroups:
        """See the port."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "X-Prometheus-Refresh-Interval-Seconds": f"{discovery.refresh_seconds:g}",
        }
        answer = await self._fetcher.get(discovery.url, discovery.http, headers, MAX_BYTES)
        try:
            groups = await asyncio.to_thread(lambda: read_groups(load_yaml(answer.body)))
        except InvalidArgumentError as error:
            raise FetchError(f"{discovery.url}: {error.message}") from None
        return FoundGroups(tuple(replace(group, labels={**group.labels, "__meta_url": discovery.url}) for group in groups))


def _read_changed(discovery: FileDiscovery, before: dict[str, _Seen]) -> tuple[dict[str, _Seen], list[str]]:
    """What the files hold; those that have not changed are not read again, and one that cannot be read keeps what it had."""
    paths = dict.fromkeys(path for pattern in discovery.files for path in sorted(glob.glob(pattern)))
    seen: dict[str, _Seen] = {}
    errors = [f"{len(paths)} files match, and at most {MAX_FILES} are read"] if len(paths) > MAX_FILES else []
    for path in list(paths)[:MAX_FILES]:
        try:
            found = Path(path).stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if path in before and before[path].stamp == stamp:
                seen[path] = before[path]
                continue
            if found.st_size > MAX_BYTES:
                raise InvalidArgumentError(f"larger than {MAX_BYTES // 2**20} MiB")
            groups = read_groups(load_yaml(Path(path).read_bytes()))
        except (OSError, InvalidArgumentError) as error:
            errors.append(f"{path}: {error.strerror if isinstance(error, OSError) else error.message}")
            if path in before:
                seen[path] = before[path]
        else:
            seen[path] = _Seen(stamp, tuple(replace(group, labels={**group.labels, "__meta_filepath": path}) for group in groups))
    missing = [pattern for pattern in discovery.files if not glob.has_magic(pattern) and pattern not in paths]
    return seen, errors + [f"{pattern}: there is no such file" for pattern in missing]
