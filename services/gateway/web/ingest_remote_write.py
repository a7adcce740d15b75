"""Samples that a Prometheus, or whatever writes like one, sends on."""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import web

from services.common.errors import InvalidArgumentError, ResourceExhaustedError, UnavailableError
from services.gateway.domain.batch import Receipt
from services.gateway.domain.protocols.remote_write import Decoded, RemoteWriteDecoder
from services.gateway.domain.series_table import SeriesTable
from services.gateway.web.body import BROKEN, check_media, coding_of, read_wire_bytes, unsupported_coding
from services.gateway.web.compression import BrokenBodyError, decompress_snappy, snappy_size
from services.gateway.web.intake import SMALL_BYTES, Intake
from services.gateway.web.problems import HttpProblem

PROTOBUF: Final = "application/x-protobuf"
_DOOR: Final = "remote_write"
_UNNAMED: Final = "application/x-www-form-urlencoded"
"""What clients say that were not told what to say, curl among them."""
_QUICK_BYTES: Final = 1024 * 1024
"""Up to this size a request is read on the event loop unless it has new series: it takes less than a millisecond to decompress it and
to read it by a layout, and four or so to read it by its shape."""
_EXPANSION: Final = 2
"""Memory of a request and its columns for each byte of it, about."""


class RemoteWriteHandlers:
    """`POST /prometheus/api/v1/write`, remote write 1.0."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._decoder = RemoteWriteDecoder()

    async def write(self, request: web.Request) -> web.Response:
        """Answers 204 once the samples are durable.

        What is acceptable is stored before anything is said about the rest. A sender gives up on 4xx and comes again on 5xx; on 429
        most give up too, so that pressure is a 503 here.
        """
        check_media(request, PROTOBUF, _UNNAMED)
        if "io.prometheus.write.v2" in request.headers.get("Content-Type", ""):
            detail = "remote write 2.0 is not taken; let the sender use prometheus.WriteRequest, its default"
            raise HttpProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)
        coding = coding_of(request)
        if coding not in ("", "snappy"):
            raise unsupported_coding(coding, ("snappy",))
        try:
            receipt = await self._take(request)
        except ResourceExhaustedError as error:
            raise UnavailableError(error.message, reason=error.reason, retry_after_seconds=error.retry_after_seconds) from error
        if receipt.rejected or receipt.late:
            raise _refused(receipt)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _take(self, request: web.Request) -> Receipt:
        intake, limit = self._intake, request.client_max_size
        with intake.holder() as holder:
            body = await read_wire_bytes(request, holder.take)
            try:
                size = snappy_size(body)
                if size > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, size)
                holder.take(_EXPANSION * size)
                decoded = await self._decode(body, size, intake.series())
            except BrokenBodyError:
                raise InvalidArgumentError(BROKEN, reason="BROKEN_BODY") from None
            for kind, count in decoded.ignored.items():
                intake.ignore(_DOOR, kind, count)
            return await intake.store(_DOOR, decoded.batch, decoded.way)

    async def _decode(self, body: bytes, size: int, series: SeriesTable) -> Decoded:
        if size > _QUICK_BYTES:
            return await asyncio.to_thread(self._decode_now, body, series)
        data = decompress_snappy(body)
        found = self._decoder.remembered(data, series)
        if found is not None:
            return found
        plain = bytes(data)
        if found := self._decoder.known(plain, series):
            return found
        if size > SMALL_BYTES:
            return await asyncio.to_thread(self._decoder.decode, plain, series)
        return self._decoder.decode(plain, series)

    def _decode_now(self, body: bytes, series: SeriesTable) -> Decoded:
        data = decompress_snappy(body)
        return self._decoder.remembered(data, series) or self._decoder.decode(bytes(data), series)


def _refused(receipt: Receipt) -> InvalidArgumentError:
    count = receipt.rejected + receipt.late
    total = count + receipt.accepted + receipt.duplicate
    first = receipt.errors[0]
    message = f"{count} of {total} samples were refused, the others are stored; sample {first.index}: {first.message}"
    return InvalidArgumentError(message, reason=first.reason)
