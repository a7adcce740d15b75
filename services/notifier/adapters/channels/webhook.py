"""Webhooks: Alertmanager's JSON by POST, signed, never to a private address unless allowed, redirects not followed."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from pydantic import Field, SecretStr, field_validator

from services.common.clock import Clock
from services.common.errors import FieldError, InvalidArgumentError
from services.notifier.adapters.channels.address_guard import BlockedAddressError, GuardedResolver, refuse_private
from services.notifier.adapters.channels.config import ChannelConfig, ConfigModel
from services.notifier.adapters.channels.webhook_body import webhook_body
from services.notifier.domain.channels import Channel
from services.notifier.domain.notifications import DeliveryResult, Notification, Outcome

MAX_ANSWER_BYTES: Final = 1024
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
_RETRYABLE_STATUS: Final = frozenset({408, 425, 429})


class WebhookConfig(ChannelConfig):
    """What a webhook needs to know."""

    url: str = Field(max_length=2048)
    secret: SecretStr | None = Field(None, min_length=1, max_length=1024)
    allow_private: bool = False
    timeout_seconds: float = Field(10.0, ge=0.1, le=30.0)

    @field_validator("url")
    @classmethod
    def _usable(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http or https address such as https://example.org/hook")
        if parts.username or parts.password:
            raise ValueError("must not hold a user or password, because it is shown to everybody; use secret")
        if parts.hostname.rpartition(".")[2].isdigit() and not _is_number(parts.hostname):
            raise ValueError("names its host by a number that is no IP address")
        _ = parts.port  # raises ValueError when it is no port
        return value


class WebhookKind:
    """Implements `ChannelKind`."""

    name: Final = "webhook"

    def __init__(self, external_url: str, clock: Clock) -> None:
        self._external_url = external_url
        self._clock = clock
        self._configs = ConfigModel(WebhookConfig)

    def check(self, config: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
        """See the port. A private address given as a number is refused here, a name that stands for one when it is resolved."""
        checked = self._configs.check(config, previous)
        if not checked["allow_private"]:
            try:
                _refuse_private_number(urlsplit(checked["url"]).hostname or "")
            except BlockedAddressError as error:
                field = FieldError("config.url", str(error))
                raise InvalidArgumentError(f"config.url: {error}", reason="INVALID_CHANNEL", fields=[field]) from error
        return checked

    def mask(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """See the port."""
        return self._configs.mask(config)

    def sender(self, channel: Channel) -> "WebhookSender":
        """See the port."""
        return WebhookSender(self._configs.read(channel.config), self._external_url, self._clock)


class WebhookSender:
    """Implements `Sender` for one URL."""

    def __init__(self, config: WebhookConfig, external_url: str, clock: Clock) -> None:
        self._config = config
        self._external_url = external_url
        self._clock = clock

    async def send(self, notification: Notification) -> DeliveryResult:
        """See the port. A connection of its own for each try: notifications are rare, and a pooled one may be dead."""
        config = self._config
        body = webhook_body(notification, self._external_url)
        timeout = aiohttp.ClientTimeout(total=config.timeout_seconds)
        resolver = None if config.allow_private else GuardedResolver()
        try:
            if not config.allow_private:
                _refuse_private_number(urlsplit(config.url).hostname or "")
            connector = aiohttp.TCPConnector(resolver=resolver, force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session,
                session.post(config.url, data=body, headers=self._headers(notification, body), allow_redirects=False) as response,
            ):
                answer = await response.content.read(MAX_ANSWER_BYTES)
                return self._judge(response.status, response.headers, answer)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure(error, config.timeout_seconds)

    def _headers(self, notification: Notification, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "OpenManager",
            "Idempotency-Key": notification.idempotency_key,
        }
        if self._config.secret is not None:
            digest = hmac.new(self._config.secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
            headers["X-OpenManager-Signature"] = f"sha256={digest}"
        return headers

    def _judge(self, status: int, headers: Mapping[str, str], answer: bytes) -> DeliveryResult:
        text = answer.decode("utf-8", "replace").strip()
        if 200 <= status < 300:
            return DeliveryResult(Outcome.DELIVERED, detail=text, http_status=status)
        if 300 <= status < 400:
            detail = f"redirects to {headers.get('Location', 'nowhere')}; redirects are not followed, so set the final address"
            return DeliveryResult(Outcome.REJECTED, detail=detail, http_status=status)
        retryable = status >= 500 or status in _RETRYABLE_STATUS
        wait = self._retry_after(headers.get("Retry-After", "")) if retryable else None
        detail = f"HTTP {status}: {text}" if text else f"HTTP {status}"
        return DeliveryResult(Outcome.REJECTED, retryable, detail, status, wait)

    def _retry_after(self, value: str) -> float | None:
        """Seconds to wait: RFC 9110 section 10.2.3 allows a number of seconds or a date."""
        try:
            seconds = float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - self._clock.now()
        except (ValueError, TypeError):
            return None
        return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse_private_number(host: str) -> None:
    """Raises BlockedAddressError for a private IP address; what a name stands for is the resolver's to check."""
    if _is_number(host):
        refuse_private(host, host)


def _failure(error: Exception, timeout_seconds: float) -> DeliveryResult:
    causes = [error, error.__cause__, getattr(error, "os_error", None)]
    if any(isinstance(cause, BlockedAddressError) for cause in causes):
        detail = next(str(cause) for cause in causes if isinstance(cause, BlockedAddressError))
        return DeliveryResult(Outcome.BLOCKED, detail=detail)
    if isinstance(error, TimeoutError):
        return DeliveryResult(Outcome.TIMEOUT, retryable=True, detail=f"no answer within {timeout_seconds:g} s")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return DeliveryResult(Outcome.REFUSED, retryable=True, detail="nobody accepts connections there")
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return DeliveryResult(Outcome.ERROR, detail=f"the address cannot be used: {error}")
    return DeliveryResult(Outcome.UNREACHABLE, retryable=True, detail=str(error) or type(error).__name__)
