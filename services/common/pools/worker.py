"""The worker process of a pool: reads tasks, runs them one at a time, answers, and ends with its parent.

It is a fresh interpreter that imports what its tasks need and nothing else, so it inherits no event loop, no gRPC and no locks.
"""

import os
import pickle
import sys
import threading
import time
from typing import Final

from services.common.pools.frames import content_of, frame, read_frame

_PARENT_CHECK_SECONDS: Final = 0.5


def main() -> None:
    """Serve until the parent closes the pipe or is gone."""
    parent = os.getppid()
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a task prints must not come between the frames
    while (request := read_frame(sys.stdin.buffer)) is not None:
        task, body = request
        try:
            function, args, kwargs = content_of(body)
            answer = frame(task, (True, function(*args, **kwargs)))
        except Exception as error:  # noqa: BLE001  whatever the task raised is its answer
            answer = frame(task, (False, _sendable(error)))
        answers.write(answer)
        answers.flush()


def _sendable(error: Exception) -> Exception:
    """The error, or one with the same text when it cannot make the way."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:  # noqa: BLE001  its constructor may want anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent(parent: int) -> None:
    """A parent that was killed closes the pipe, but a worker in the middle of a task does not look; this does."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
