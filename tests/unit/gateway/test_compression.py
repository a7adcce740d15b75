"""Compressed bodies are taken whole or not at all."""

import gzip
import zlib

import pytest

from services.gateway.web.compression import BrokenBodyError, TooLargeBodyError, decompress

DATA = bytes(range(256)) * 1000


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(DATA), "gzip"),
        (gzip.compress(DATA[:100]) + gzip.compress(DATA[100:]), "gzip"),
        (zlib.compress(DATA), "deflate"),
        (zlib.compress(DATA, wbits=-15), "deflate"),
    ],
)
def test_a_whole_body_comes_back(body: bytes, coding: str) -> None:
    assert decompress(body, coding, len(DATA)) == DATA


def test_an_empty_body_stays_one() -> None:
    assert decompress(b"", "gzip", 10) == b""


def test_a_body_that_breaks_off_anywhere_is_refused() -> None:
    body = gzip.compress(b"line 1\nline 2\n")

    for length in range(1, len(body)):
        with pytest.raises(BrokenBodyError):
            decompress(body[:length], "gzip", 1000)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"no such thing", "gzip"),
        (b"no such thing", "deflate"),
        (gzip.compress(DATA) + b"more", "gzip"),
        (gzip.compress(DATA)[:-8] + bytes(8), "gzip"),
        (zlib.compress(DATA) + zlib.compress(DATA), "deflate"),
        (gzip.compress(b"") * 1001, "gzip"),
    ],
)
def test_what_does_not_hold_together_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(BrokenBodyError):
        decompress(body, coding, 10 * len(DATA))


def test_no_more_is_made_than_allowed() -> None:
    assert decompress(gzip.compress(bytes(1000)), "gzip", 1000) == bytes(1000)
    for body in (gzip.compress(bytes(1001)), gzip.compress(bytes(600)) * 2, gzip.compress(bytes(50_000_000))):
        with pytest.raises(TooLargeBodyError):
            decompress(body, "gzip", 1000)
