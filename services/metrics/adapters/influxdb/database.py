"""The database in InfluxDB as the store uses it: found or made, read, written and deleted from, with errors that callers know."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import structlog

from services.common.errors import RefusedError, UnavailableError
from services.metrics.adapters.influxdb import queries
from services.metrics.adapters.influxdb.client import (
    DatabaseMissingError,
    InfluxAwayError,
    InfluxClient,
    InfluxRefusalError,
    Series,
)
from services.metrics.adapters.influxdb.names import quoted
from services.metrics.domain.ports import NAME_LABEL, Labels

log = structlog.get_logger("metrics.store")

_RETRY_AFTER_SECONDS: Final = 5.0
_STATEMENTS: Final = 20
"""Statements that delete, in one request at most."""


class InfluxDatabase:
    """What the store asks of InfluxDB. Every method raises `UnavailableError` (`STORE_UNAVAILABLE`) when that is away.

    Attributes:
        is_missing: the server is there and our database is not (any more); `prepare` makes it.
    """

    def __init__(self, client: InfluxClient) -> None:
        self._client = client
        self._version = ""
        self.is_missing = False

    @property
    def address(self) -> str:
        """Where it is, without secrets."""
        return f"{self._client.address.base}/{self._client.address.database}"

    async def prepare(self) -> str:
        """Make sure that the database is there; gives the server's version.

        Raises:
            RefusedError: InfluxDB does not let us in (`STORE_UNAUTHORIZED`), or lets us not make the database (`STORE_NO_DATABASE`).
        """
        name = self._client.address.database
        async with self._telling():
            self._version = await self._client.version()
            try:
                found = await self._client.run("SHOW DATABASES")
                if not any(row[0] == name for series in found for row in series.rows):
                    await self._client.run(f"CREATE DATABASE {quoted(name)}")
                    log.info("influxdb_database_made", database=name)
            except InfluxAwayError as error:
                if not error.forbidden:
                    raise
                raise RefusedError(f"InfluxDB at {self.address}: {error}", reason="STORE_UNAUTHORIZED") from error
            except InfluxRefusalError as error:
                if not self._version.startswith("3"):  # which makes databases on the first write
                    message = f"InfluxDB {self._version} at {self.address} has no such database, and it cannot be made from here ({error})"
                    hint = f"make it yourself; with InfluxDB 2 a bucket called {name}, which its v1 interface finds by that name"
                    raise RefusedError(f"{message}; {hint}", reason="STORE_NO_DATABASE") from error
        self.is_missing = False
        return self._version

    async def write(self, body: bytes) -> None:
        """Store lines; durable on return.

        Raises:
            InfluxRefusalError: some of the lines are not wanted; which were stored is not told.
        """
        async with self._telling():
            await self._client.write(body)

    async def read(self, labels: Iterable[Labels], counts: Mapping[str, int], start_ms: int, end_ms: int) -> AsyncGenerator[Series]:
        """Samples of these series in the range, and maybe of others; see `queries.selections`.

        Raises:
            RefusedError: InfluxDB does not carry the query out (`STORE_QUERY_REFUSED`).
        """
        for statements in queries.selections(labels, counts, start_ms, end_ms):
            async with self._asking(), aclosing(self._client.query(statements)) as answer:
                async for series in answer:
                    yield series

    async def edges(self, function: str, floor_ms: int) -> AsyncGenerator[Series]:
        """The `first` or `last` sample of every series since the floor, numbers and bits apart.

        Raises:
            RefusedError: InfluxDB does not carry the query out (`STORE_QUERY_REFUSED`).
        """
        async with self._asking(), aclosing(self._client.query(queries.edges(function, floor_ms))) as answer:
            try:
                async for series in answer:
                    yield series
            except DatabaseMissingError:
                if not self._version.startswith("3"):
                    raise

    async def drop(self, series: Sequence[Labels]) -> None:
        """Delete series with all their samples.

        Raises:
            RefusedError: this InfluxDB does not delete (`STORE_QUERY_REFUSED`).
        """
        by_name: dict[str, list[Labels]] = {}
        for labels in series:
            by_name.setdefault(dict(labels)[NAME_LABEL], []).append(labels)
        verb = "DROP SERIES" if self._version.startswith("1") else "DELETE"
        async with self._asking():
            statements: list[str] = []
            for name, own in by_name.items():
                told = await self._client.run(f"SHOW TAG KEYS FROM {quoted(name)}")
                statements.extend(queries.removals(own, [row[0] for one in told for row in one.rows], verb=verb))
            for start in range(0, len(statements), _STATEMENTS):
                await self._client.run("; ".join(statements[start : start + _STATEMENTS]))

    async def purge(self, time_ms: int) -> None:
        """Delete every sample before a time.

        Raises:
            RefusedError: this InfluxDB does not delete (`STORE_QUERY_REFUSED`).
        """
        async with self._asking():
            await self._client.run(queries.purge(time_ms))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        try:
            yield
        except InfluxAwayError as error:
            self.is_missing = self.is_missing or isinstance(error, DatabaseMissingError)
            message = f"InfluxDB at {self.address}: {error}"
            raise UnavailableError(message, reason="STORE_UNAVAILABLE", retry_after_seconds=_RETRY_AFTER_SECONDS) from error

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """As `_telling`, for statements that we made and the server may still not have or not allow."""
        async with self._telling():
            try:
                yield
            except InfluxRefusalError as error:
                raise RefusedError(f"InfluxDB at {self.address} refused: {error}", reason="STORE_QUERY_REFUSED") from error
