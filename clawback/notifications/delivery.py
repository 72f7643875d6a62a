"""Getting a letter to whoever a channel leads to: one attempt, and why it failed.

The repeats are Temporal's.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Self

import httpx

from clawback.actions import ChannelKind
from clawback.notifications.channels import Channels, ChatChannel, MailChannel, WebhookChannel
from clawback.notifications.chat import slack_body, teams_body
from clawback.notifications.errors import Refused, TryAgain
from clawback.notifications.mail import send_mail
from clawback.notifications.rendering import RenderedNotification
from clawback.notifications.webhook import sign_webhook, webhook_body

_PATIENCE = 15.0
_LONGEST_WAIT = 3600
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Notifier:
    """Delivers letters by the channels that are set up; use it as an async context manager."""

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self._http = httpx.AsyncClient(
            timeout=_PATIENCE, follow_redirects=False, headers={"user-agent": "clawback"}
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._http.aclose()

    def takes_pictures(self, channel: str) -> bool:
        """Whether a picture can go along by a channel."""
        return channel in self.channels and self.channels[channel].kind.takes_pictures

    async def send(self, name: str, letter: RenderedNotification) -> str | None:
        """Make one attempt; the answer says what went missing on the way, if anything did.

        Raises:
            NotDelivered: `TryAgain` or `Refused`, with the reason as a word.

        """
        match self.channels.get(name):
            case None:
                raise Refused("no_such_channel")
            case MailChannel() as channel:
                return await asyncio.to_thread(send_mail, letter, channel)
            case _ if letter.to is not None:
                raise Refused("not_a_mail_channel")
            case WebhookChannel() as channel:
                body = webhook_body(letter)
                headers = sign_webhook(
                    body, letter.id, datetime.now(UTC), channel.key.get_secret_value()
                )
                await self._post(
                    channel,
                    {"content": body, "headers": {"content-type": "application/json", **headers}},
                )
            case ChatChannel() as channel:
                await self._post(
                    channel,
                    {
                        "json": (slack_body if channel.kind is ChannelKind.SLACK else teams_body)(
                            letter
                        )
                    },
                )
        return None

    async def _post(
        self, channel: WebhookChannel | ChatChannel, request: Mapping[str, Any]
    ) -> None:
        """Post it, and read of the answer no more than its status.

        What a receiver says is nobody's business.
        """
        try:
            async with self._http.stream(
                "POST", channel.url.get_secret_value(), **request
            ) as answer:
                _check(answer)
        except httpx.TimeoutException:
            raise TryAgain("timeout") from None
        except httpx.HTTPError:
            raise TryAgain("unavailable") from None


def _check(answer: httpx.Response) -> None:
    status = answer.status_code
    if answer.is_success:
        return
    if status in _BUSY or answer.is_server_error:
        raise TryAgain(f"status_{status}", _asked_to_wait(answer.headers.get("retry-after", "")))
    raise Refused("redirected" if answer.is_redirect else f"status_{status}")


def _asked_to_wait(seconds: str) -> timedelta | None:
    return (
        timedelta(seconds=min(max(int(seconds[:6]), 1), _LONGEST_WAIT))
        if seconds.isascii() and seconds.isdecimal()
        else None
    )
