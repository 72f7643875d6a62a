"""Types of settings as the environment has them: durations, ports, words, keys and URLs."""

import base64
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from clawback.model.durations import parse_duration
from clawback.model.hosts import is_loopback
from clawback.model.plain_errors import spelling
from clawback.model.providers import Provider

KEY_BYTES = 32


def read_duration(value: object) -> object:
    """Read `30d`; `off` stays as it is, and a number has no unit."""
    if isinstance(value, str):
        return value if value == "off" else parse_duration(value)
    if value is None or isinstance(value, timedelta):
        return value
    raise ValueError(f"{value} has no unit: write a duration such as 30d")


def _read_words(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(word for part in value.split(",") if (word := part.strip()))


def read_providers(value: object) -> object:
    """Read `Microsoft, Google`, or the names of their products."""
    words = _read_words(value)
    if not isinstance(words, tuple) or not all(isinstance(word, str) for word in words):
        return words

    known = {name.lower(): one for one in Provider for name in (one.value, one.product)}
    unknown = [word for word in words if word.lower() not in known]
    if unknown:
        raise ValueError(f"unknown provider {unknown[0][:40]}: write {' or '.join(Provider)}")
    return tuple(dict.fromkeys(known[word.lower()] for word in words))


def check_key(key: SecretStr) -> SecretStr:
    """Require base64 of an AES-256 key."""
    try:
        size = len(base64.b64decode(key.get_secret_value(), validate=True))
    except ValueError:
        size = 0

    if size != KEY_BYTES:
        raise ValueError(
            f"it is not base64 of {KEY_BYTES} bytes: create one with "
            f"`openssl rand -base64 {KEY_BYTES}`"
        )

    return key


def require_https(url: str) -> str:
    """Require a URL to which secrets may be sent: https, or a server on this machine."""
    scheme, host = _split_url(url)
    is_private = scheme == "https" or (scheme == "http" and is_loopback(host))
    if not host or not is_private:
        raise ValueError(
            "expected an https URL, because secrets are sent to it; "
            "http is allowed for this machine only, such as http://127.0.0.1:8343/client/v4"
        )

    return url


def _split_url(url: str) -> tuple[str, str]:
    """Give scheme and host; neither of what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""


def check_collector(url: str) -> str:
    """Require a URL to which the audit may be sent."""
    scheme, host = _split_url(url)
    is_private = scheme in {"https", "syslog+tls"} or (
        scheme in {"http", "syslog+tcp"} and is_loopback(host)
    )
    if not host or not is_private:
        raise ValueError(
            "expected https://… or syslog+tls://HOST:PORT; http and syslog+tcp are allowed for "
            "this machine only"
        )
    return url


def _require_some(value: timedelta | str) -> timedelta | str:
    if value == timedelta():
        raise ValueError("0s is out of bounds: write `off`, or a longer duration")
    return value


Duration = Annotated[timedelta, NoDecode, BeforeValidator(read_duration)]
DurationOrOff = Annotated[
    timedelta | Literal["off"],
    NoDecode,
    BeforeValidator(read_duration),
    AfterValidator(_require_some),
]
Address = Annotated[
    str,
    spelling(
        r"^(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):\d{1,5}$",
        "an address and a port, such as 127.0.0.1:9000",
    ),
]
Port = Annotated[int, Field(ge=1, le=65_535)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_words)]
