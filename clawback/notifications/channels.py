"""The channels that an operator has set up.

A TOML file of its own, which `CLAWBACK_CHANNELS` names.

A secret may stand in the file, or `{env = "NAME"}` in its place takes it from the environment. None
shows in a `repr` or in an error.
"""

import base64
import binascii
import os
import tomllib
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from clawback.actions import ChannelKind
from clawback.actions.messages import ChannelName
from clawback.model.addresses import PatternKind, pattern_problem

KEY_PREFIX = "whsec_"
_SHORTEST_KEY = 24
_KINDS = frozenset(ChannelKind)


class ChannelsError(ValueError):
    """A file of channels that cannot be used.

    The text names file, channel and key, and what to write.
    """


def _from_environment(value: object) -> object:
    if isinstance(value, dict):
        if set(value) != {"env"}:
            raise ValueError('write the secret itself, or {env = "NAME"}')
        name = str(value["env"])
        if not os.environ.get(name):
            raise ValueError(f"the environment has no {name}: set it, or write the secret here")
        return os.environ[name]
    return value


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _web_address(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError("it is not the address of a web page: write https://…")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError("it must be https, unless it is on this machine")
    return url


def _signing_key(key: SecretStr) -> SecretStr:
    written = key.get_secret_value()
    try:
        size = len(base64.b64decode(written.removeprefix(KEY_PREFIX), validate=True))
    except binascii.Error:
        size = 0
    if not written.startswith(KEY_PREFIX) or size < _SHORTEST_KEY:
        raise ValueError(
            f"it is not {KEY_PREFIX} and base64 of {_SHORTEST_KEY} bytes or more: echo {KEY_PREFIX}$(openssl rand -base64 32)"
        )
    return key


def _address(written: str) -> str:
    if (
        "\n" in written
        or "\r" in written
        or pattern_problem(parseaddr(written)[1], PatternKind.EMAIL) is not None
    ):
        raise ValueError("it is not a mail address")
    return written


Secret = Annotated[SecretStr, BeforeValidator(_from_environment)]
WebAddress = Annotated[Secret, AfterValidator(_web_address)]
Address = Annotated[str, AfterValidator(_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WebhookChannel(_Strict):
    """A receiver of our own JSON, signed by the Standard Webhooks specification."""

    kind: Literal[ChannelKind.WEBHOOK]
    url: WebAddress
    key: Annotated[Secret, AfterValidator(_signing_key)]


class ChatChannel(_Strict):
    """An incoming webhook of Slack, or a workflow of Teams that posts what it is sent."""

    kind: Literal[ChannelKind.SLACK, ChannelKind.TEAMS]
    url: WebAddress


class MailChannel(_Strict):
    """A mail server that takes our mail, from whom it comes and to whom it goes.

    `to` may be empty where only reporters are written to.
    """

    kind: Literal[ChannelKind.MAIL]
    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca: Path | None = None
    user: str | None = None
    password: Secret | None = None
    sender: Address
    to: tuple[Address, ...] = ()

    @model_validator(mode="after")
    def _protected(self) -> "MailChannel":
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                "mail goes out encrypted (starttls or tls), unless the server is on this machine"
            )
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        return self


Channel = Annotated[WebhookChannel | ChatChannel | MailChannel, Field(discriminator="kind")]
Channels = Mapping[str, WebhookChannel | ChatChannel | MailChannel]
_FILE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[ChannelName, Channel])


def read_channels(file: Path | None) -> Channels:
    """Read the channels; none where no file is named.

    Raises:
        ChannelsError: the file cannot be read, or a channel cannot be used as written; all problems
            at once.

    """
    if file is None:
        return {}
    try:
        return _FILE.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ChannelsError(
            f"{file}: it cannot be read ({(error.strerror or 'no reason').lower()}); set CLAWBACK_CHANNELS right"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChannelsError(f"{file}: it is not TOML: {error}") from None
    except ValidationError as error:
        raise ChannelsError(
            "; ".join(f"{file}: {problem}" for problem in _problems(error))
        ) from None


def kinds_of(channels: Channels) -> Mapping[str, ChannelKind]:
    """What each channel is: all that rules need to know."""
    return {name: channel.kind for name, channel in channels.items()}


def _problems(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(step) for step in one["loc"] if step not in _KINDS)
        yield f"{place}: {one['msg'].removeprefix('Value error, ')}"
