"""Reads an answer: the envelope of a success, or the error that a failure means.

Pure; nothing is sent here.

Survives what comes instead of the envelope: problem+json, HTML, empty bodies, bare results, wrong
content types, lone surrogates, NaN. Source: reference §1.1, §3.2.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from clawback.cloudflare.errors import (
    ApiError,
    NotUnderstood,
    Rejected,
    Unavailable,
    UnknownOutcome,
    refusal,
)
from clawback.cloudflare.requests import ApiRequest, Method
from clawback.model.texts import bounded

_MOST_CODES = 10
_MOST_TEXT = 4_000  # of a foreign page, before tags and blanks are taken out
_TAG = re.compile(r"<[^<>]{0,500}>")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_EDGE = 500


class _Undecodable(ValueError):
    """The body is not JSON."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """One HTTP answer, read whole; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a success carries.

    `result` as it came, `result_info` as a mapping (empty where there is none).
    """

    result: Any
    info: Mapping[str, Any]


def read_envelope(call: ApiRequest, answer: ApiResponse) -> Envelope:
    """Read a 2xx answer's envelope.

    An object or list without an envelope is taken as the result itself.

    An empty body is a result of None where the status already says all: 204, or the answer to a
    DELETE.

    Raises:
        ApiError: the kind that the status and the method mean; see `errors`.

    """
    if not answer.ok:
        raise failure(call, answer)
    if not answer.body.strip() and (
        answer.status == HTTPStatus.NO_CONTENT or call.method is Method.DELETE
    ):
        return Envelope(None, {})
    try:
        document = decode(answer.body)
    except _Undecodable:
        raise unreadable(call, "the answer is not JSON", answer.status) from None
    return _unwrap(call, answer, document)


def unreadable(call: ApiRequest, text: str, status: int | None = None) -> ApiError:
    """Build the error of a 2xx answer that does not hold what it should.

    For a POST its outcome is not known.
    """
    return (
        NotUnderstood(call.endpoint, text)
        if call.repeatable
        else UnknownOutcome(call.endpoint, text, status)
    )


def failure(
    call: ApiRequest, answer: ApiResponse, retry_after: timedelta | None = None
) -> ApiError:
    """Build the error of an answer that is not 2xx (429 is the pace's to tell)."""
    codes, text = explain(answer.body)
    if answer.status < _EDGE and answer.status != HTTPStatus.REQUEST_TIMEOUT:
        return refusal(call.endpoint, answer.status, codes, text)
    text = f"{answer.status} {text}".rstrip()
    if call.repeatable:
        return Unavailable(call.endpoint, text, answer.status, retry_after)
    return UnknownOutcome(call.endpoint, text, answer.status)


def explain(body: bytes) -> tuple[tuple[int, ...], str]:
    """Find Cloudflare's codes and a short text in the body of a failure, whatever it is."""
    try:
        document = decode(body)
    except _Undecodable:
        return (), clean(_TAG.sub(" ", body[:_MOST_TEXT].decode("utf-8", "replace")))
    return _codes(document), clean("; ".join(_texts(document)))


def clean(text: str) -> str:
    """Make a text from outside fit for a log line.

    One line, no control characters, at most 300 characters.
    """
    return bounded(_BLANK.sub(" ", text[:_MOST_TEXT]).strip())


def decode(body: bytes) -> Any:
    """Decode JSON leniently: bad UTF-8 and lone surrogates become U+FFFD, NaN and infinities None.

    Raises:
        ValueError: the body is not JSON, or nested too deeply to be meant.

    """
    try:
        document = json.loads(
            body.decode("utf-8-sig", "replace"), parse_constant=lambda _: None, parse_float=_finite
        )
        return (
            _without_surrogates(document)
            if _ESCAPED_SURROGATE.search(body) and _has_lone_surrogate(document)
            else document
        )
    except (ValueError, RecursionError):
        raise _Undecodable("not JSON") from None


def _unwrap(call: ApiRequest, answer: ApiResponse, document: Any) -> Envelope:
    if not isinstance(document, dict):
        return Envelope(document, {})
    if document.get("success") is False:
        codes, text = _codes(document), clean("; ".join(_texts(document)))
        raise Rejected(call.endpoint, answer.status, codes, text)
    enveloped = "result" in document or "success" in document
    info = document.get("result_info")
    return Envelope(
        document.get("result") if enveloped else document,
        info if isinstance(info, dict) and enveloped else {},
    )


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
    return tuple(code for code in codes if isinstance(code, int) and not isinstance(code, bool))[
        :_MOST_CODES
    ]


def _texts(document: Any) -> Iterator[str]:
    """Yield the explanations of an envelope, or the title and detail of a problem document (RFC 9457)."""
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
    """Tell escaped emoji, which are common and paired, from what could not be written again.

    Cleaning costs ten times as much as this.
    """
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {
                _without_surrogates(key): _without_surrogates(item) for key, item in value.items()
            }
        case _:
            return value
