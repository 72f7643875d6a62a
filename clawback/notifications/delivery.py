"""Delivers notifications, one attempt at a time. Temporal does the retries."""

from typing import Self

import httpx

from clawback.notifications.channels import Channels
from clawback.notifications.channels.base import HttpChannel
from clawback.notifications.errors import DeliveryRejected
from clawback.notifications.rendering import RenderedNotification
from clawback.outbound_http import OutboundTransport

_TIMEOUT = 15.0


class Notifier:
    """Delivers through the configured channels. Use it as an async context manager.

    Raises:
        NetworkSettingsError: a channel needs a proxy or certificates that are unusable.

    """

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        transport = OutboundTransport()
        for channel in channels.values():
            if isinstance(channel, HttpChannel):
                transport.prepare(channel.url.get_secret_value())
        self._http = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            timeout=_TIMEOUT,
            follow_redirects=False,
            headers={"user-agent": "clawback"},
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.aclose()

    def supports_screenshots(self, channel: str) -> bool:
        return channel in self.channels and self.channels[channel].supports_screenshots

    def wants_document(self, channel: str) -> bool:
        return channel in self.channels and self.channels[channel].wants_document

    async def send(self, name: str, notification: RenderedNotification) -> str | None:
        """Make one attempt to deliver through a channel.

        Returns:
            A sentence about what could not be delivered; None if everything was.

        Raises:
            DeliveryError: the attempt failed.

        """
        channel = self.channels.get(name)
        if channel is None:
            raise DeliveryRejected("no_such_channel")
        if notification.reporter is not None and not channel.supports_reporters:
            raise DeliveryRejected("not_a_mail_channel")
        return await channel.deliver(notification, self._http)
