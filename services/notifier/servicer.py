"""NotifierService over gRPC: reads the request, calls one thing of the domain, writes the answer."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from openmanager.notifier.v1 import notifier_pb2 as pb
from openmanager.notifier.v1 import notifier_pb2_grpc
from services.common import paging
from services.notifier import wire
from services.notifier.domain.book import AlertBook
from services.notifier.domain.catalogue import ChannelCatalogue, RuleCatalogue
from services.notifier.domain.feed import AlertFeed
from services.notifier.domain.ports import AlertStore, OutboxStore
from services.notifier.domain.trial import ChannelTrial


class NotifierServicer(notifier_pb2_grpc.NotifierServiceServicer):
    """Answers NotifierService; see notifier.proto for what each RPC promises."""

    def __init__(
        self,
        rules: RuleCatalogue,
        channels: ChannelCatalogue,
        trial: ChannelTrial,
        book: AlertBook,
        alerts: AlertStore,
        outbox: OutboxStore,
        feed: AlertFeed,
    ) -> None:
        self._rules = rules
        self._channels = channels
        self._trial = trial
        self._book = book
        self._alerts = alerts
        self._outbox = outbox
        self._feed = feed

    async def CreateRule(self, request: pb.CreateRuleRequest, _context: object) -> pb.CreateRuleResponse:
        """Makes a rule."""
        entry = await self._rules.create(wire.rule_from_message(request.rule))
        return pb.CreateRuleResponse(rule=wire.rule_message(entry))

    async def GetRule(self, request: pb.GetRuleRequest, _context: object) -> pb.GetRuleResponse:
        """Returns one rule."""
        return pb.GetRuleResponse(rule=wire.rule_message(self._rules.get(request.id)))

    async def ListRules(self, request: pb.ListRulesRequest, _context: object) -> pb.ListRulesResponse:
        """Lists rules in order of name."""
        size = paging.page_size(request.page_size)
        (after,) = paging.read_token(request.page_token, "rules", str) or [""]
        found = self._rules.list(size + 1, after)
        token = paging.write_token("rules", found[size - 1].rule.name) if len(found) > size else ""
        return pb.ListRulesResponse(rules=[wire.rule_message(entry) for entry in found[:size]], next_page_token=token)

    async def UpdateRule(self, request: pb.UpdateRuleRequest, _context: object) -> pb.UpdateRuleResponse:
        """Replaces a rule."""
        entry = await self._rules.update(wire.rule_from_message(request.rule))
        return pb.UpdateRuleResponse(rule=wire.rule_message(entry))

    async def DeleteRule(self, request: pb.DeleteRuleRequest, _context: object) -> pb.DeleteRuleResponse:
        """Deletes a rule."""
        await self._rules.delete(request.id)
        return pb.DeleteRuleResponse()

    async def ListAlerts(self, request: pb.ListAlertsRequest, _context: object) -> pb.ListAlertsResponse:
        """Lists alerts, the newest first."""
        size = paging.page_size(request.page_size)
        states = wire.alert_states(request.states)
        if request.states and not states:
            return pb.ListAlertsResponse()
        position = paging.read_token(request.page_token, "alerts", float, str)
        before = None if position is None else (position[0], position[1])
        found = await self._alerts.list_alerts(states, size + 1, before)
        last = found[size - 1] if len(found) > size else None
        token = paging.write_token("alerts", last.started_at, last.id) if last is not None else ""
        alerts = [wire.alert_message(self._book.newest(alert)) for alert in found[:size]]
        return pb.ListAlertsResponse(alerts=alerts, next_page_token=token)

    async def WatchAlerts(self, request: pb.WatchAlertsRequest, _context: object) -> AsyncIterator[pb.WatchAlertsResponse]:
        """Streams alerts as they change."""
        cursor = request.cursor if request.HasField("cursor") else None
        async with aclosing(self._feed.watch(cursor, self._book.open_alerts)) as changes:
            async for change in changes:
                yield wire.watch_message(change)

    async def CreateChannel(self, request: pb.CreateChannelRequest, _context: object) -> pb.CreateChannelResponse:
        """Makes a channel."""
        asked = request.channel
        channel = await self._channels.create(asked.name, asked.kind, wire.config_from_json(asked.config_json))
        return pb.CreateChannelResponse(channel=wire.channel_message(self._channels.mask(channel)))

    async def GetChannel(self, request: pb.GetChannelRequest, _context: object) -> pb.GetChannelResponse:
        """Returns one channel, its secrets masked."""
        channel = await self._channels.get(request.name)
        return pb.GetChannelResponse(channel=wire.channel_message(self._channels.mask(channel)))

    async def ListChannels(self, request: pb.ListChannelsRequest, _context: object) -> pb.ListChannelsResponse:
        """Lists channels in order of name, their secrets masked."""
        size = paging.page_size(request.page_size)
        (after,) = paging.read_token(request.page_token, "channels", str) or [""]
        found = await self._channels.list(size + 1, after)
        token = paging.write_token("channels", found[size - 1].name) if len(found) > size else ""
        channels = [wire.channel_message(self._channels.mask(channel)) for channel in found[:size]]
        return pb.ListChannelsResponse(channels=channels, next_page_token=token)

    async def UpdateChannel(self, request: pb.UpdateChannelRequest, _context: object) -> pb.UpdateChannelResponse:
        """Replaces a channel."""
        asked = request.channel
        channel = await self._channels.update(asked.name, asked.kind, wire.config_from_json(asked.config_json))
        return pb.UpdateChannelResponse(channel=wire.channel_message(self._channels.mask(channel)))

    async def DeleteChannel(self, request: pb.DeleteChannelRequest, _context: object) -> pb.DeleteChannelResponse:
        """Deletes a channel."""
        await self._channels.delete(request.name)
        return pb.DeleteChannelResponse()

    async def TestChannel(self, request: pb.TestChannelRequest, _context: object) -> pb.TestChannelResponse:
        """Sends a test notification at once."""
        return pb.TestChannelResponse(attempt=wire.attempt_message(await self._trial.run(request.name)))

    async def ListNotifications(self, request: pb.ListNotificationsRequest, _context: object) -> pb.ListNotificationsResponse:
        """Lists notifications with every attempt, the newest first."""
        size = paging.page_size(request.page_size)
        (before,) = paging.read_token(request.page_token, "notifications", int) or [None]
        found = await self._outbox.list_notifications(wire.notification_states(request.states), size + 1, before)
        token = paging.write_token("notifications", found[size - 1][0]) if len(found) > size else ""
        messages = [wire.notification_message(notification) for _, notification in found[:size]]
        return pb.ListNotificationsResponse(notifications=messages, next_page_token=token)
