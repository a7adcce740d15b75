"""The one way to a peer service, wherever it runs."""

from typing import Final

import grpc.aio

from services.common.errors import InvalidArgumentError
from services.common.rpc.address import Transport, parse_address
from services.common.rpc.client_channel import ClientChannel
from services.common.rpc.inproc.channel import InprocChannel
from services.common.rpc.inproc.network import InprocNetwork
from services.common.rpc.metadata import is_token
from services.common.rpc.server import DEFAULT_MAX_MESSAGE_BYTES, MAX_METADATA_BYTES

DEFAULT_TIMEOUT_SECONDS: Final = 10.0

_SOCKET_OPTIONS: Final = (
    ("grpc.max_receive_message_length", DEFAULT_MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", DEFAULT_MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
    ("grpc.keepalive_time_ms", 30_000),  # a watched stream notices within 40 s that its server's host is gone
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),  # a proxy for the web is not the way to a peer service
)


def connect(
    address: str,
    *,
    caller: str,
    token: str | None = None,
    network: InprocNetwork | None = None,
    default_timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> grpc.aio.Channel:
    """The channel to the service at `host:port`, `unix:path` or `inproc:name`; nothing is dialled before the first call.

    Args:
        address: where the peer listens.
        caller: name of the calling service.
        token: secret that the peer wants to see.
        network: where `inproc:` names are found; needed for those alone.
        default_timeout_seconds: deadline of calls with one response that are given no `timeout`; streams have none.

    Raises:
        InvalidArgumentError: when the address or the caller's name is malformed, or `inproc:` comes without a network.
    """
    if not is_token(caller):
        raise InvalidArgumentError(f"{caller!r} is no caller's name; use visible ASCII characters", reason="INVALID_CALLER")
    place = parse_address(address)
    inner: grpc.aio.Channel
    if place.transport is Transport.INPROC:
        if network is None:
            raise InvalidArgumentError(f"{address} needs an InprocNetwork", reason="INVALID_ADDRESS")
        inner = InprocChannel(network, place.host)
    else:
        inner = grpc.aio.insecure_channel(str(place), options=_SOCKET_OPTIONS)
    return ClientChannel(inner, caller=caller, token=token, default_timeout_seconds=default_timeout_seconds)
