"""The kinds of channels there are."""

from collections.abc import Mapping

from services.common.clock import Clock
from services.notifier.adapters.channels.webhook import WebhookKind
from services.notifier.domain.ports import ChannelKind


def channel_kinds(external_url: str, clock: Clock) -> Mapping[str, ChannelKind]:
    """Every kind by name; `external_url` is the dashboard's address as receivers see it."""
    kinds: tuple[ChannelKind, ...] = (WebhookKind(external_url, clock),)
    return {kind.name: kind for kind in kinds}
