"""Where an InfluxDB is, and who we are to it, out of one URL."""

import base64
from dataclasses import dataclass
from typing import Final

from yarl import URL

DEFAULT_DATABASE: Final = "openmanager"
_OPTIONS: Final = frozenset({"rp", "consistency"})
_CONSISTENCIES: Final = ("any", "one", "quorum", "all")


@dataclass(frozen=True)
class InfluxAddress:
    """A database of an InfluxDB server.

    Attributes:
        base: scheme, host, port and path prefix, without a slash at the end; holds no secret.
        database: name of the database (1.x, 3) or of the bucket (2.x).
        authorization: the header, empty for none.
        retention_policy: to write into and read from; empty for the database's own.
        consistency: of writes to a cluster; empty for the server's own.
    """

    base: str
    database: str
    authorization: str = ""
    retention_policy: str = ""
    consistency: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, so that compressing what goes there saves nothing."""
        return URL(self.base).host in ("localhost", "127.0.0.1", "::1")

    @classmethod
    def parse(cls, url: str) -> "InfluxAddress":
        """Read `http[s]://[user:password@]host[:port]/[prefix/]database[?rp=NAME&consistency=LEVEL]`.

        A password without a user is a token of InfluxDB 2 or 3: `http://:TOKEN@host:8086/openmanager`.

        Raises:
            ValueError: the URL cannot be used; the message does not show it, for it may hold a password.
        """
        try:
            parsed = URL(url)
            port = parsed.port
        except ValueError as error:
            raise ValueError("not a URL") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError("must be like http://user:password@host:8086/openmanager")
        if unknown := sorted(set(parsed.query) - _OPTIONS):
            raise ValueError(f"unknown option {unknown[0][:40]!r}; known are {', '.join(sorted(_OPTIONS))}")
        consistency = parsed.query.get("consistency", "")
        if consistency and consistency not in _CONSISTENCIES:
            raise ValueError(f"consistency must be one of {', '.join(_CONSISTENCIES)}")
        prefix, _, database = parsed.path.rstrip("/").rpartition("/")
        base = URL.build(scheme=parsed.scheme, host=parsed.host, port=port, path=prefix)
        return cls(
            str(base).rstrip("/"),
            database or DEFAULT_DATABASE,
            _authorization(parsed.user or "", parsed.password or ""),
            parsed.query.get("rp", ""),
            consistency,
        )


def _authorization(user: str, password: str) -> str:
    if not user and not password:
        return ""
    if not user:
        return f"Token {password}"
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
