"""What a service is to the programs that run it: the all-in-one, a process of its own, or a test."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc.aio

from services.common.lifecycle import Lifecycle

Connect = Callable[[str], grpc.aio.Channel]
"""Gives the channel to the peer service of this name; whether it is TCP, a unix socket or in process is not the caller's concern."""


@dataclass(frozen=True)
class Service:
    """One service, built but not started.

    `register` adds its servicers to a server of any transport and does nothing else. `start` opens what the service needs and
    registers each stop with the lifecycle; the service is ready when it returns.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]
    start: Callable[[Lifecycle], Awaitable[None]]
