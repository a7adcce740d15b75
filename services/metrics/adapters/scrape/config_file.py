"""The configuration file of this machine's administrator."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from services.common.clock import Clock
from services.common.errors import InvalidArgumentError, RefusedError
from services.metrics.adapters.scrape.yaml_text import load_yaml
from services.metrics.domain.scrape.paths import FilePaths
from services.metrics.domain.scrape.prometheus_file import ScrapeFile, read_scrape_file

log = structlog.get_logger("metrics.scrape")

POLL_SECONDS: Final = 5.0


class ConfigFile:
    """Reads the file and follows its changes.

    Args:
        path: of the file, in the form of a `prometheus.yml`.
        use: is given what it says, and again after each change.
        clock: waits between looks at it.
    """

    def __init__(self, path: Path, use: Callable[[ScrapeFile], Awaitable[None]], clock: Clock) -> None:
        self._path = path.absolute()
        self._use = use
        self._clock = clock
        self._stamp: tuple[int, int] | None = None

    async def begin(self) -> None:
        """Use the file as it is.

        Raises:
            RefusedError: it cannot be read (`SCRAPE_CONFIG_UNREADABLE`).
            InvalidArgumentError: it cannot be used; the message names the file and what is wrong.
        """
        await self._use(await self._read())

    async def follow(self) -> None:
        """Use the file anew whenever it changes, for ever; a change that cannot be used is told and changes nothing."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            try:
                if await asyncio.to_thread(self._look) == self._stamp:
                    continue
                file = await self._read()
            except (RefusedError, InvalidArgumentError) as error:
                log.warning("scrape_config_not_used", file=str(self._path), error=error.message)
                continue
            await self._use(file)
            log.info("scrape_config_changed", file=str(self._path), jobs=len(file.jobs))

    async def _read(self) -> ScrapeFile:
        def read() -> ScrapeFile:
            self._stamp = self._look()
            try:
                text = self._path.read_bytes()
            except OSError as error:
                raise self._unreadable(error) from error
            try:
                return read_scrape_file(load_yaml(text), FilePaths(self._path.parent, only_below=False))
            except InvalidArgumentError as error:
                message = f"{self._path}: {error.message}"
                raise InvalidArgumentError(message, reason=error.reason, fields=error.fields) from None

        return await asyncio.to_thread(read)

    def _look(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise self._unreadable(error) from error
        return found.st_mtime_ns, found.st_size

    def _unreadable(self, error: OSError) -> RefusedError:
        return RefusedError(f"{self._path} cannot be read: {error.strerror}", reason="SCRAPE_CONFIG_UNREADABLE")
