"""Parses a response: the envelope of a success, or the error that a failure means. Pure.

It accepts what servers send instead of the envelope: problem+json, HTML, empty bodies, bare
results, wrong content types, lone surrogates, NaN. What an intermediary sends is no refusal of the
API. Source: reference §1.1, §3.2.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import orjson

from clawback.cloudflare.api_request import ApiRequest
from clawback.cloudflare.errors import (
    ApiError,
    InvalidRequest,
    Unavailable,
    UnknownOutcome,
    UnreadableResponse,
    client_error,
)
from clawback.cloudflare.intermediaries import ForeignAnswer, find_foreign_answer
from clawback.model.texts import bounded

_MAX_CODES = 10
_MAX_TEXT = 4_000  # of a foreign page, before tags and blanks are removed
_TAG = re.compile(r"<[^<>]{0,500}>")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SERVER_ERROR = 500
_SAYS_EVERYTHING = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})


class _NotJson(ValueError):
    """The body is not JSON."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """One HTTP response with its whole body; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True)
class Envelope:
    """The contents of a success: `result` as received, and `result_info`, empty if missing."""

    result: Any
    info: Mapping[str, Any]


def parse_envelope(request: ApiRequest, response: ApiResponse) -> Envelope:
    """Parse the envelope of a 2xx response.

    An object or list without an envelope is taken as the result itself. An empty body is a result
    of None if the status says everything: 202 and 204. A 200 without a body may be anybody's.

    Raises:
        ApiError: the kind that status and method mean; see `errors`.

    """
    if not response.is_success:
        raise response_error(request, response)
    if response.status in _SAYS_EVERYTHING and not response.body.strip():
        return Envelope(None, {})

    try:
        document = decode_json(response.body)
    except _NotJson:
        raise unreadable_response(request, "the response is not JSON", response.status) from None

    return _unwrap(request, response, document)


def is_success(response: ApiResponse) -> bool:
    """Whether the body is the envelope of a success."""
    with suppress(_NotJson):
        document = decode_json(response.body)
        return isinstance(document, dict) and document.get("success") is True
    return False


def unreadable_response(request: ApiRequest, text: str, status: int | None = None) -> ApiError:
    """Build the error for a 2xx response that cannot be parsed.

    After a POST that may not be repeated, the outcome is unknown.
    """
    if request.is_repeatable:
        return UnreadableResponse(request.endpoint, text)
    return UnknownOutcome(request.endpoint, text, status)


def foreign_answer(response: ApiResponse) -> ForeignAnswer | None:
    """Find out whether an intermediary answered instead of the API."""
    document = None
    if not response.is_success:
        with suppress(_NotJson):
            document = decode_json(response.body)

    return find_foreign_answer(response.status, response.headers, response.body, document)


def foreign_error(
    request: ApiRequest,
    status: int,
    answer: ForeignAnswer,
    retry_after: timedelta | None = None,
) -> ApiError:
    """Build the error for an answer of an intermediary, which may have passed the request on."""
    if request.is_repeatable or answer.is_before_sending:
        return Unavailable(
            request.endpoint, answer.text, status, retry_after, intermediary=answer.intermediary
        )

    return UnknownOutcome(request.endpoint, answer.text, status, intermediary=answer.intermediary)


def response_error(
    request: ApiRequest, response: ApiResponse, retry_after: timedelta | None = None
) -> ApiError:
    """Build the error for a response of the API that is not 2xx; `transport` handles 429."""
    codes, text = parse_explanation(response.body)
    # 408 is a proxy that gave up waiting: like a 5xx, it says nothing about the outcome.
    if response.status < _SERVER_ERROR and response.status != HTTPStatus.REQUEST_TIMEOUT:
        return client_error(request.endpoint, response.status, codes, text)

    text = f"{response.status} {text}".rstrip()
    if request.is_repeatable:
        return Unavailable(request.endpoint, text, response.status, retry_after)

    return UnknownOutcome(request.endpoint, text, response.status)


def parse_explanation(body: bytes) -> tuple[tuple[int, ...], str]:
    """Find Cloudflare's error codes and a short text in the body of a failure, whatever it is."""
    try:
        document = decode_json(body)
    except _NotJson:
        return (), clean_text(_TAG.sub(" ", body[:_MAX_TEXT].decode("utf-8", "replace")))
    return _codes(document), clean_text("; ".join(_texts(document)))


def clean_text(text: str) -> str:
    """Make a text from outside one bounded line without control characters."""
    return bounded(_BLANK.sub(" ", text[:_MAX_TEXT]).strip())


def decode_json(body: bytes) -> Any:
    """Decode JSON leniently: bad UTF-8 and lone surrogates become U+FFFD, NaN and infinities None.

    orjson is several times faster than `json`, and refuses all of these. What it takes means the
    same in both, except that an integer beyond 64 bits becomes a float.

    Raises:
        ValueError: the body is not JSON, or nested too deeply.

    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return decode_odd_json(body)


def decode_odd_json(body: bytes) -> Any:
    """Decode JSON as `decode_json` does, for what orjson refuses.

    Raises:
        ValueError: the body is not JSON, or nested too deeply.

    """
    try:
        # `-sig` drops a byte order mark.
        document = json.loads(
            body.decode("utf-8-sig", "replace"), parse_constant=lambda _: None, parse_float=_finite
        )
        if _ESCAPED_SURROGATE.search(body) and _has_lone_surrogate(document):
            return _replace_surrogates(document)
    except (ValueError, RecursionError):
        raise _NotJson("not JSON") from None

    return document


def _unwrap(request: ApiRequest, response: ApiResponse, document: Any) -> Envelope:
    if not isinstance(document, dict):
        return Envelope(document, {})
    # A failure may come with status 200: `success` decides.
    if document.get("success") is False:
        codes, text = _codes(document), clean_text("; ".join(_texts(document)))
        raise InvalidRequest(request.endpoint, response.status, codes, text)

    if not ("result" in document or "success" in document):
        return Envelope(document, {})

    info = document.get("result_info")
    return Envelope(document.get("result"), info if isinstance(info, dict) else {})


def _errors(document: Any) -> Iterator[Mapping[str, Any]]:
    errors = document.get("errors") if isinstance(document, dict) else None
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            yield error
            chain = error.get("error_chain")
            yield from (
                link
                for link in (chain if isinstance(chain, list) else ())
                if isinstance(link, dict)
            )


def _codes(document: Any) -> tuple[int, ...]:
    codes = [error.get("code") for error in _errors(document)]
    numbers = [code for code in codes if isinstance(code, int) and not isinstance(code, bool)]
    return tuple(numbers[:_MAX_CODES])


def _texts(document: Any) -> Iterator[str]:
    """Yield the explanations of an envelope, or the texts of a problem document (RFC 9457)."""
    for error in _errors(document):
        if isinstance(message := error.get("message"), str):
            yield message
    for key in ("title", "detail", "error", "message") if isinstance(document, dict) else ():
        if isinstance(text := document.get(key), str):
            yield text


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _has_lone_surrogate(document: Any) -> bool:
    """Tell lone surrogates from escaped emoji, which are common and paired.

    Replacing costs ten times as much as this check.
    """
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _replace_surrogates(value: Any) -> Any:
    match value:
        case str():
            # UTF-16 joins pairs of surrogates into characters and makes U+FFFD of the lone ones.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_replace_surrogates(item) for item in value]
        case dict():
            return {
                _replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()
            }
        case _:
            return value
