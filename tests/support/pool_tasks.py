"""Functions for pools to run; a worker process imports this module by its name."""

import os
import time
from pathlib import Path


def add(a: int, b: int) -> int:
    return a + b


def process_id() -> int:
    return os.getpid()


def fail(message: str) -> None:
    raise ValueError(message)


class AwkwardError(Exception):
    """Cannot be made again from its own text."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def fail_awkwardly() -> None:
    raise AwkwardError(1, 2)


def own_timeout() -> None:
    raise TimeoutError("the task's own")


def chatter(value: int) -> int:
    print("a task may print", value)
    return value


def die() -> None:
    os._exit(3)


def wait_for(path: str, seconds: float = 20.0) -> str:
    """Says that it runs by a file, then waits until that file is gone."""
    file = Path(path)
    file.write_text(str(os.getpid()), encoding="utf-8")
    end = time.monotonic() + seconds
    while file.exists() and time.monotonic() < end:
        time.sleep(0.005)
    return "done"


def loaded(name: str) -> bool:
    import sys

    return name in sys.modules


def double(data: bytes) -> bytes:
    return data * 2
