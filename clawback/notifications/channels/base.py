"""What every channel has: its settings, how it delivers, and what it supports.

A secret is written in the channel file, or `{file = "PATH"}` reads it from another file whenever it
is used, or `{env = "NAME"}` takes it from the environment. It appears in no `repr` and no error.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    model_validator,
)

from clawback.actions import InstallationOccasion
from clawback.actions.base import ChannelName
from clawback.model.durations import Duration
from clawback.model.hosts import is_loopback
from clawback.model.retry_after import read_retry_after
from clawback.notifications.errors import DeliveryRejected, DeliveryUnavailable
from clawback.notifications.quiet_hours import QuietHours
from clawback.notifications.rendering import RenderedNotification
from clawback.secret_files import FileSecret, SecretName, require_form

_SHORTEST_WAIT = timedelta(seconds=1)
_LONGEST = timedelta(days=7)
_HTTPS_PORT = 443
_HTTP_PORT = 80
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def _resolve_secret(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if set(value) == {"file"}:
        return FileSecret(SecretName.CHANNEL, Path(str(value["file"])))
    if set(value) != {"env"}:
        raise ValueError('expected the secret itself, {file = "PATH"} or {env = "NAME"}')

    name = str(value["env"])
    if not os.environ.get(name):
        raise ValueError(f"environment variable {name} is not set")

    return os.environ[name]


def _require_url(url: SecretStr) -> SecretStr:
    require_form(url, _check_url)
    return url


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError("expected a URL: https://…")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError("expected https; http is allowed for loopback addresses only")


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _check_readable(secret: SecretStr) -> SecretStr:
    secret.get_secret_value()
    return secret


Secret = Annotated[SecretStr, BeforeValidator(_resolve_secret), AfterValidator(_check_readable)]
WebUrl = Annotated[Secret, AfterValidator(_require_url)]


class Channel(BaseModel, ABC):
    """A table of the channel file. Subclasses give `kind` as a literal string."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    supports_screenshots: ClassVar[bool] = False
    """Whether a notification may carry a picture of the first message."""
    supports_reporters: ClassVar[bool] = False
    """Whether it can write to a single address, as `tell_reporter` needs."""

    @property
    def wants_document(self) -> bool:
        """Whether it carries the whole case, not only what people read."""
        return False

    kind: str
    occasions: tuple[InstallationOccasion, ...] = ()
    """What it hears of the installation, besides what rules send to it."""
    quiet_hours: Annotated[tuple[QuietHours, ...], BeforeValidator(_as_sequence)] = ()
    escalate_to: ChannelName | None = None
    escalate_after: Duration | None = None
    """How long a held case may stay undecided before `escalate_to` is told."""

    @model_validator(mode="after")
    def _check_escalation(self) -> Self:
        if (self.escalate_to is None) != (self.escalate_after is None):
            raise ValueError("escalate_to and escalate_after must be given together")
        if self.escalate_after is not None and not timedelta() < self.escalate_after <= _LONGEST:
            raise ValueError("escalate_after must be more than 0s and at most 7d")
        return self

    @property
    @abstractmethod
    def endpoint(self) -> tuple[str, int]:
        """Host and port. The rest of the address may be a secret."""

    @abstractmethod
    async def deliver(
        self, notification: RenderedNotification, http: httpx.AsyncClient
    ) -> str | None:
        """Make one attempt. Returns a sentence about what could not be delivered, if anything.

        Raises:
            DeliveryError: the attempt failed.

        """


class HttpChannel(Channel):
    """A channel that takes one POST request per notification."""

    url: WebUrl

    @property
    def endpoint(self) -> tuple[str, int]:
        parts = urlsplit(self.url.get_secret_value())
        default = _HTTPS_PORT if parts.scheme == "https" else _HTTP_PORT
        return parts.hostname or "", parts.port or default

    @abstractmethod
    def build_request(self, notification: RenderedNotification) -> Mapping[str, Any]:
        """Build the request, as keyword arguments of `httpx.AsyncClient.stream`."""

    async def deliver(
        self, notification: RenderedNotification, http: httpx.AsyncClient
    ) -> str | None:
        request = self.build_request(notification)
        try:
            # Streaming leaves the response body unread: its status is all that counts.
            async with http.stream("POST", self.url.get_secret_value(), **request) as response:
                _check_response(response)
        # No cause is kept: errors of httpx may quote the URL, which may be a secret.
        except httpx.TimeoutException:
            raise DeliveryUnavailable("timeout") from None
        except httpx.HTTPError:
            raise DeliveryUnavailable("unavailable") from None

        return None


def _check_response(response: httpx.Response) -> None:
    if response.is_success:
        return

    reason = f"status_{response.status_code}"
    if response.status_code in _BUSY or response.is_server_error:
        retry_after = read_retry_after(response.headers, datetime.now(UTC))
        # Zero would be a loop: the receiver is busy whatever it says.
        pause = None if retry_after is None else max(retry_after, _SHORTEST_WAIT)
        raise DeliveryUnavailable(reason, pause)

    raise DeliveryRejected("redirected" if response.is_redirect else reason)
