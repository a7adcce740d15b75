"""Where to send, and what can be tuned."""

import base64
from dataclasses import dataclass
from pathlib import Path

from yarl import URL


@dataclass(frozen=True)
class RemoteWriteOptions:
    """A receiver and how it is treated.

    Attributes:
        url: of its remote-write endpoint, without user and password.
        authorization: the header, empty for none.
        ca_file: certificates to trust instead of the machine's own.
        queue_bytes: the queue holds this much on disk; beyond it the oldest samples are dropped.
        request_samples: in one request at most.
        request_seconds: an answer must be there after this.
        backoff_seconds: wait after the first failure; each further one doubles it.
        max_backoff_seconds: longest wait of our own choice.
        max_retry_after_seconds: longest wait that a receiver may ask for.
        split_requests: requests spent on finding the samples that a receiver does not take, out of one that it refused.
        split_late_requests: the same for samples older than what was sent of their series before, all of which it may not want.
    """

    url: str
    authorization: str = ""
    ca_file: Path | None = None
    queue_bytes: int = 1 << 30
    request_samples: int = 10_000
    request_seconds: float = 30.0
    backoff_seconds: float = 0.5
    max_backoff_seconds: float = 30.0
    max_retry_after_seconds: float = 600.0
    split_requests: int = 512
    split_late_requests: int = 64

    @classmethod
    def of(
        cls, url: str, *, bearer_token: str = "", ca_file: Path | None = None, queue_bytes: int = 1 << 30
    ) -> "RemoteWriteOptions":
        """Read a URL, which may have a user and a password.

        Raises:
            ValueError: it cannot be used; the message does not show it, for it may hold a password.
        """
        try:
            parsed = URL(url)
        except ValueError as error:
            raise ValueError("not a URL") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError("must be like https://user:password@host/api/v1/write")
        authorization = f"Bearer {bearer_token}" if bearer_token else ""
        if parsed.user:
            if bearer_token:
                raise ValueError("has a user, and there is a bearer token too: one of them is too many")
            authorization = "Basic " + base64.b64encode(f"{parsed.user}:{parsed.password or ''}".encode()).decode()
        return cls(str(parsed.with_user(None)), authorization, ca_file, queue_bytes)
