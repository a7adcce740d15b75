"""Making, changing and removing rules and channels."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.common.clock import Clock
from services.common.errors import FieldError, InvalidArgumentError, NotFoundError, RefusedError
from services.common.ids import IdSource
from services.notifier.domain.book import AlertBook, Entry
from services.notifier.domain.channels import CHANNEL_NAME, Channel
from services.notifier.domain.checks import check_rule
from services.notifier.domain.expressions import parse_expression
from services.notifier.domain.notifications import DeliveryAttempt, Outcome
from services.notifier.domain.ports import ChannelKind, ChannelStore, Metrics
from services.notifier.domain.rules import Rule
from services.notifier.domain.templates import AnnotationTemplates


class RuleCatalogue:
    """The rules that operators manage. Shares a lock with the channels, so that no rule names a channel that is gone."""

    def __init__(
        self,
        book: AlertBook,
        channels: ChannelStore,
        metrics: Metrics,
        templates: AnnotationTemplates,
        clock: Clock,
        new_id: IdSource,
        references: asyncio.Lock,
        on_change: Callable[[str], None],
    ) -> None:
        self._book = book
        self._channels = channels
        self._metrics = metrics
        self._templates = templates
        self._clock = clock
        self._new_id = new_id
        self._references = references
        self._on_change = on_change

    async def create(self, draft: Rule) -> Entry:
        """Makes a rule of the draft, whose id and times are ignored; it is durable when this returns.

        Raises:
            InvalidArgumentError: with each wrong field; reason BAD_DATA when the expression cannot be evaluated.
            RefusedError: it names a channel that does not exist.
            AlreadyExistsError: another rule has its name.
            UnavailableError: the expression cannot be checked now.
        """
        now = self._clock.now()
        rule = replace(draft, id=self._new_id(), created_at=now, updated_at=now)
        await self._check(rule)
        async with self._references:
            await self._refuse_unknown_channels(rule)
            await self._book.add(rule)
        self._on_change(rule.id)
        return self.get(rule.id)

    async def update(self, draft: Rule) -> Entry:
        """Puts the draft in place of the rule with its id. Raises like `create`, and NotFoundError."""
        entry = self.get(draft.id)
        rule = replace(draft, created_at=entry.rule.created_at, updated_at=self._clock.now())
        await self._check(rule)
        async with self._references:
            await self._refuse_unknown_channels(rule)
            await self._book.replace(rule, self._clock.now())
        self._on_change(rule.id)
        return self.get(rule.id)

    async def delete(self, rule_id: str) -> None:
        """Removes the rule; raises NotFoundError when there is none."""
        async with self._references:
            await self._book.remove(rule_id, self._clock.now())
        self._on_change(rule_id)

    def get(self, rule_id: str) -> Entry:
        """The rule of this id; raises NotFoundError when there is none."""
        entry = self._book.get(rule_id)
        if entry is None:
            raise NotFoundError(f"there is no rule with the id {rule_id!r}")
        return entry

    def list(self, limit: int, after: str) -> Sequence[Entry]:
        """At most `limit` rules in order of name, from the first after `after`."""
        return [entry for entry in self._book.entries() if entry.rule.name > after][:limit]

    async def _check(self, rule: Rule) -> None:
        check_rule(rule, self._templates)
        expressions = [("expr", rule.expr), ("recovery_expr", rule.recovery_expr)]
        if (presence := parse_expression(rule.expr).presence) is not None:
            expressions.append(("expr", presence))
        for field, text in expressions:
            if not text:
                continue
            try:
                await self._metrics.query(text, self._clock.now())
            except InvalidArgumentError as error:
                raise InvalidArgumentError(
                    f"{field}: {error.message}", reason=error.reason, fields=[FieldError(field, error.message)]
                ) from error

    async def _refuse_unknown_channels(self, rule: Rule) -> None:
        unknown = [name for name in rule.channels if await self._channels.get(name) is None]
        if unknown:
            message = f"there is no channel named {', '.join(unknown)}"
            raise RefusedError(message, reason="UNKNOWN_CHANNEL", fields=[FieldError("channels", message)])


class ChannelCatalogue:
    """The channels that operators manage."""

    def __init__(
        self,
        channels: ChannelStore,
        kinds: Mapping[str, ChannelKind],
        book: AlertBook,
        clock: Clock,
        references: asyncio.Lock,
        on_change: Callable[[str], None],
    ) -> None:
        self._channels = channels
        self._kinds = kinds
        self._book = book
        self._clock = clock
        self._references = references
        self._on_change = on_change

    async def create(self, name: str, kind: str, config: Mapping[str, Any]) -> Channel:
        """Makes a channel; it is durable when this returns.

        Raises:
            InvalidArgumentError: with each wrong field.
            AlreadyExistsError: there is one of this name.
        """
        if not CHANNEL_NAME.fullmatch(name):
            raise _invalid("name", "must be 1 to 63 letters, digits, dots, dashes or underscores and begin with a letter or digit")
        channel = Channel(name, kind, self._kind(kind).check(config, None), self._clock.now())
        await self._channels.create(channel)
        self._on_change(name)
        return channel

    async def update(self, name: str, kind: str, config: Mapping[str, Any]) -> Channel:
        """Puts a configuration in place of the channel's; masked secrets stay. Raises like `create`, and NotFoundError."""
        async with self._references:
            before = await self.get(name)
            previous = before.config if before.kind == kind else None
            channel = Channel(name, kind, self._kind(kind).check(config, previous), before.created_at)
            await self._channels.update(channel)
        self._on_change(name)
        return channel

    async def delete(self, name: str) -> None:
        """Removes a channel; what is queued for it is given up.

        Raises:
            NotFoundError: there is none of this name.
            RefusedError: rules name it.
        """
        async with self._references:
            users = [entry.rule.name for entry in self._book.entries() if name in entry.rule.channels]
            if users:
                raise RefusedError(f"rules notify this channel: {', '.join(users[:10])}", reason="CHANNEL_IN_USE")
            reason = DeliveryAttempt(self._clock.now(), Outcome.ERROR, "given up: the channel was deleted")
            if not await self._channels.delete(name, reason):
                raise _unknown(name)
        self._on_change(name)

    async def get(self, name: str) -> Channel:
        """The channel of this name; raises NotFoundError when there is none."""
        channel = await self._channels.get(name)
        if channel is None:
            raise _unknown(name)
        return channel

    async def list(self, limit: int, after: str) -> Sequence[Channel]:
        """At most `limit` channels in order of name, from the first after `after`."""
        return await self._channels.list(limit, after)

    def mask(self, channel: Channel) -> Channel:
        """The channel as anybody may see it."""
        return replace(channel, config=self._kinds[channel.kind].mask(channel.config))

    def _kind(self, name: str) -> ChannelKind:
        kind = self._kinds.get(name)
        if kind is None:
            raise _invalid("kind", f"there is no kind {name!r}; there is {', '.join(sorted(self._kinds))}")
        return kind


def _invalid(field: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field}: {message}", reason="INVALID_CHANNEL", fields=[FieldError(field, message)])


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no channel named {name!r}")
