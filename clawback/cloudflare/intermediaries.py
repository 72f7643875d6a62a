"""Tells the API from what stands in between: a challenge, a proxy, a captive portal. Pure.

The API answers with its envelope. A client error, redirect or page without one is not its word:
it says nothing about the token, the message or the request, and not whether the request arrived.
Source: reference §3.2; https://developers.cloudflare.com/cloudflare-challenges (`cf-mitigated`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from clawback.model.intermediary import Intermediary
from clawback.model.texts import bounded

_LONGEST_NAME = 60
_NAMING_HEADERS = ("cf-mitigated", "via", "server", "proxy-authenticate")
_TITLE = re.compile(rb"<title[^<>]{0,200}>([^<>]{1,400})", re.IGNORECASE)
_SEARCHED = 4_000
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class ForeignAnswer:
    """An answer of an intermediary: who it is, and a bounded description for people."""

    intermediary: Intermediary
    text: str
    is_before_sending: bool
    """Whether it certainly did not pass the request on."""


def find_foreign_answer(
    status: int, headers: Mapping[str, str], body: bytes, document: Any
) -> ForeignAnswer | None:
    """Find out whether an intermediary gave this answer; None if it may be the API's.

    Header names are in lower case; `document` is the decoded body of a failure, None if it is not
    JSON. Failures of servers (5xx) are left to their status, unless a challenge is named.
    """
    if not _is_foreign(status, headers, body, document):
        return None

    kind = _classify(status, headers)
    text = f"{status} from an intermediary ({_describe(kind, headers)}), not from the API"
    if title := _TITLE.search(body[:_SEARCHED]):
        text += f": {_clean(title[1].decode('utf-8', 'replace'))}"

    is_before_sending = status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    return ForeignAnswer(kind, bounded(text), is_before_sending)


def is_envelope(document: Any) -> bool:
    """Whether a decoded body is the envelope of the API, of a success or a failure."""
    if not isinstance(document, dict):
        return False
    if isinstance(document.get("success"), bool):
        return True

    errors = document.get("errors")
    return isinstance(errors, list) and any(
        isinstance(error, dict) and isinstance(error.get("code"), int) for error in errors
    )


def _is_foreign(status: int, headers: Mapping[str, str], body: bytes, document: Any) -> bool:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        # Not decided by JSON: the answer of the API may be cut off.
        return body[:_SEARCHED].lstrip()[:1] == b"<"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return False
    if "cf-mitigated" in headers:
        return True

    is_client_error = status < HTTPStatus.INTERNAL_SERVER_ERROR
    is_timeout = status == HTTPStatus.REQUEST_TIMEOUT
    return is_client_error and not is_timeout and not is_envelope(document)


def _classify(status: int, headers: Mapping[str, str]) -> Intermediary:
    if "cf-mitigated" in headers:
        return Intermediary.CHALLENGE
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED or "via" in headers:
        return Intermediary.PROXY
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Intermediary.REDIRECT
    # Cloudflare's edge has pages of its own, such as error 1020 for a blocked address.
    if "cf-ray" in headers and status == HTTPStatus.FORBIDDEN:
        return Intermediary.CHALLENGE
    return Intermediary.OTHER


def _describe(kind: Intermediary, headers: Mapping[str, str]) -> str:
    named = [f"{name}: {_clean(headers[name])}" for name in _NAMING_HEADERS if name in headers]
    if kind is Intermediary.REDIRECT and (host := _host_of(headers.get("location", ""))):
        named.append(f"to {_clean(host)}")
    return ", ".join([kind.value, *named])


def _host_of(location: str) -> str | None:
    try:
        return urlsplit(location).hostname
    except ValueError:
        return None


def _clean(text: str) -> str:
    return bounded(_BLANK.sub(" ", text).strip(), _LONGEST_NAME)
