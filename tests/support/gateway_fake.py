"""What the services that the gateway is tested with have in common."""

from typing import Any, Final

NOW_MS: Final = 1_700_000_000_000
"""What the clock of the tests shows, in Unix milliseconds."""


class Failing:
    """A service that can be told to fail its next calls."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[str] = []
        self.requests: list[Any] = []

    def called(self, name: str, request: Any = None) -> None:
        self.calls.append(name)
        self.requests.append(request)
        if self.error is not None:
            raise self.error
