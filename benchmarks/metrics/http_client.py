"""A blocking client of one keep-alive connection, as cheap as the standard library has it."""

import http.client
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 120.0


class HttpClient:
    """Requests to one server, one after the other."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
        self._headers = dict(headers)

    def post(self, path: str, body: bytes = b"") -> bytes:
        """The answer, which must be a success."""
        return self._call("POST", path, body)

    def get(self, path: str, **parameters: object) -> bytes:
        """The answer, which must be a success."""
        return self._call("GET", f"{path}?{urlencode(parameters)}" if parameters else path, None)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _call(self, method: str, path: str, body: bytes | None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status // 100 != 2:
            raise RuntimeError(f"{method} {path.partition('?')[0]} was answered {response.status}: {answer[:300]!r}")
        return answer
