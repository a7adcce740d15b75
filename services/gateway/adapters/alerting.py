"""Rules, alerts, channels and notifications of the notifier service."""

from collections.abc import Sequence
from typing import Final

from openmanager.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from services.gateway.adapters.alert_document import (
    alert_document,
    channel_document,
    channel_message,
    delivery_document,
    notification_document,
)
from services.gateway.adapters.calls import call
from services.gateway.adapters.rule_document import rule_document, rule_message
from services.gateway.domain.ports import Document, Page

TIMEOUT_SECONDS: Final = 10.0
TEST_TIMEOUT_SECONDS: Final = 40.0


class AlertingClient:
    """Asks the notifier service."""

    def __init__(self, stub: "notifier_pb2_grpc.NotifierServiceAsyncStub") -> None:
        self._stub = stub

    async def create_rule(self, rule: Document) -> Document:
        """Make a rule."""
        request = notifier_pb2.CreateRuleRequest(rule=rule_message(rule))
        return rule_document((await call(self._stub.CreateRule, request, TIMEOUT_SECONDS)).rule)

    async def get_rule(self, rule_id: str) -> Document:
        """One rule."""
        request = notifier_pb2.GetRuleRequest(id=rule_id)
        return rule_document((await call(self._stub.GetRule, request, TIMEOUT_SECONDS)).rule)

    async def list_rules(self, page_size: int, page_token: str) -> Page:
        """Rules in order of name."""
        request = notifier_pb2.ListRulesRequest(page_size=page_size, page_token=page_token)
        response = await call(self._stub.ListRules, request, TIMEOUT_SECONDS)
        return Page([rule_document(rule) for rule in response.rules], response.next_page_token)

    async def update_rule(self, rule_id: str, rule: Document) -> Document:
        """Replace a rule."""
        request = notifier_pb2.UpdateRuleRequest(rule=rule_message(rule, rule_id))
        return rule_document((await call(self._stub.UpdateRule, request, TIMEOUT_SECONDS)).rule)

    async def delete_rule(self, rule_id: str) -> None:
        """Delete a rule."""
        await call(self._stub.DeleteRule, notifier_pb2.DeleteRuleRequest(id=rule_id), TIMEOUT_SECONDS)

    async def list_alerts(self, states: Sequence[str], page_size: int, page_token: str) -> Page:
        """Alerts, the newest first, in any of these states or in all when none is given."""
        request = notifier_pb2.ListAlertsRequest(
            states=[notifier_pb2.AlertState.Value(f"ALERT_STATE_{state.upper()}") for state in states],
            page_size=page_size,
            page_token=page_token,
        )
        response = await call(self._stub.ListAlerts, request, TIMEOUT_SECONDS)
        return Page([alert_document(alert) for alert in response.alerts], response.next_page_token)

    async def create_channel(self, channel: Document) -> Document:
        """Make a channel."""
        request = notifier_pb2.CreateChannelRequest(channel=channel_message(channel))
        return channel_document((await call(self._stub.CreateChannel, request, TIMEOUT_SECONDS)).channel)

    async def get_channel(self, name: str) -> Document:
        """One channel, its secrets masked."""
        request = notifier_pb2.GetChannelRequest(name=name)
        return channel_document((await call(self._stub.GetChannel, request, TIMEOUT_SECONDS)).channel)

    async def list_channels(self, page_size: int, page_token: str) -> Page:
        """Channels in order of name."""
        request = notifier_pb2.ListChannelsRequest(page_size=page_size, page_token=page_token)
        response = await call(self._stub.ListChannels, request, TIMEOUT_SECONDS)
        return Page([channel_document(channel) for channel in response.channels], response.next_page_token)

    async def update_channel(self, channel: Document) -> Document:
        """Replace a channel, by name."""
        request = notifier_pb2.UpdateChannelRequest(channel=channel_message(channel))
        return channel_document((await call(self._stub.UpdateChannel, request, TIMEOUT_SECONDS)).channel)

    async def delete_channel(self, name: str) -> None:
        """Delete a channel."""
        await call(self._stub.DeleteChannel, notifier_pb2.DeleteChannelRequest(name=name), TIMEOUT_SECONDS)

    async def test_channel(self, name: str) -> Document:
        """Send a test notification; gives the attempt."""
        request = notifier_pb2.TestChannelRequest(name=name)
        return delivery_document((await call(self._stub.TestChannel, request, TEST_TIMEOUT_SECONDS)).attempt)

    async def list_notifications(self, states: Sequence[str], page_size: int, page_token: str) -> Page:
        """Notifications with every attempt, the newest first."""
        request = notifier_pb2.ListNotificationsRequest(
            states=[notifier_pb2.NotificationState.Value(f"NOTIFICATION_STATE_{state.upper()}") for state in states],
            page_size=page_size,
            page_token=page_token,
        )
        response = await call(self._stub.ListNotifications, request, TIMEOUT_SECONDS)
        return Page([notification_document(item) for item in response.notifications], response.next_page_token)
