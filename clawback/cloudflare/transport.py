"""Sends requests, one attempt each: rate limit, kill switch, exchange, errors.

The only module that talks to the network. It turns transport failures into `errors` by one rule:
what was certainly not sent is `Unavailable`; what may have arrived is `Unavailable` if a repeat is
safe and `UnknownOutcome` if not. Response bodies and the time of an exchange are bounded.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import SecretStr

from clawback.cloudflare.api_request import ApiRequest, Method
from clawback.cloudflare.api_response import (
    ApiResponse,
    Envelope,
    clean_text,
    foreign_answer,
    foreign_error,
    is_success,
    parse_envelope,
    response_error,
    unreadable_response,
)
from clawback.cloudflare.errors import (
    ApiError,
    ContainmentStopped,
    RateLimited,
    Unavailable,
    UnknownOutcome,
)
from clawback.cloudflare.http_client import CONNECT_TIMEOUT, MAX_CONNECTIONS
from clawback.cloudflare.intermediaries import ForeignAnswer
from clawback.cloudflare.priority_limiter import PriorityLimiter
from clawback.cloudflare.protocols import Clock, Observer, Permit
from clawback.cloudflare.rate_limit_headers import parse_counters
from clawback.cloudflare.rate_limiter import CONTAINMENT_SHARES, RateLimiter, Share
from clawback.model.retry_after import read_retry_after

MAX_BODY = 64 * 1024 * 1024
MAX_DELAY = 3.0
"""Seconds that the rate limiter may delay a call before it fails with `RateLimited`."""

MAX_IN_FLIGHT = MAX_CONNECTIONS
"""Requests of one client in flight; the rest wait, the most urgent first."""

_MIN_SECRET = 8  # a placeholder such as "sim" is no secret, and is part of too many words
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True, repr=False)
class Transport:
    """Sends requests to the API of one account.

    `share` is the purpose of its requests; None counts reads as polling and writes as acting.
    `accepted_form` remembers, for each endpoint whose body the sources dispute, which form the
    server accepted last (reference §4.3). `permit` is asked right before a containment call changes
    something; reads and undo need none.
    """

    http: httpx.AsyncClient
    root: str
    rate_limiter: RateLimiter
    observer: Observer
    clock: Clock
    redact: Callable[[str], str]
    exchange_timeout: float
    accepted_form: dict[str, int] = field(default_factory=dict)
    priority_limiter: PriorityLimiter = field(
        default_factory=lambda: PriorityLimiter(MAX_IN_FLIGHT)
    )
    share: Share | None = None
    permit: Permit | None = None

    def on(self, share: Share) -> "Transport":
        """Return the same transport with another share."""
        return replace(self, share=share)

    async def call(self, request: ApiRequest) -> Envelope:
        """Send a request and parse its envelope.

        Raises:
            ApiError: see `errors`.

        """
        return self.read(request, await self.send(request))

    async def confirm(self, request: ApiRequest) -> None:
        """Send a request whose status says everything.

        202 and 204 may have an empty body; any other must be that of a success.

        Raises:
            ApiError: see `errors`.

        """
        response = await self.send(request)
        self.read(request, response)
        if response.body.strip() and not is_success(response):
            raise self._redacted(
                unreadable_response(request, "the response has no envelope", response.status)
            )

    def read(self, request: ApiRequest, response: ApiResponse) -> Envelope:
        """Parse the envelope of a response.

        Raises:
            ApiError: see `errors`.

        """
        try:
            return parse_envelope(request, response)
        except ApiError as error:
            raise self._redacted(error) from None

    async def send(
        self, request: ApiRequest, also_accept: frozenset[int] = frozenset()
    ) -> ApiResponse:
        """Send a request and return its response unparsed: 2xx, or a status in `also_accept`.

        Raises:
            ApiError: see `errors`.

        """
        share = self.share or (Share.POLLING if request.method is Method.GET else Share.ACTING)
        await self._enter(request, share)
        try:
            # Last, with the slot in hand: no wait comes between the permit and the request.
            await self._check_permit(request, share)
            number, response = await self._exchange_counted(request, share, also_accept)
            return self._check_response(request, number, response, also_accept)
        finally:
            self.priority_limiter.leave()

    def follow(self, request: ApiRequest, response: ApiResponse) -> ApiRequest:
        """Build the request that polls the `Location` of a response: it stays on the API's host.

        Raises:
            ApiError: it points to another host.

        """
        location = response.headers.get("location", "")
        try:
            target = urljoin(request.location or self.root + request.path, location)
            is_same_origin = _origin(target) == _origin(self.root)
        except ValueError:
            is_same_origin = False

        if not is_same_origin and (answer := foreign_answer(response)):
            raise self._redacted(self._foreign_error(request, response, answer))
        if not is_same_origin:
            raise unreadable_response(request, "the response points to another host")

        return replace(request, location=target)

    async def _enter(self, request: ApiRequest, share: Share) -> None:
        """Wait for the rate limiter, then for a slot. Whoever enters must leave.

        The rate limiter is asked again with the slot in hand: requests that were sent meanwhile may
        have used up what it promised.

        Raises:
            RateLimited: the rate limiter would delay the request for too long.
            Unavailable: no slot became free.

        """
        waited = 0.0
        while True:
            while (delay := self.rate_limiter.delay(share, self.clock.monotonic())) > 0:
                if waited + delay > MAX_DELAY:
                    raise RateLimited(request.endpoint, timedelta(seconds=delay), is_local=True)
                await self.clock.sleep(delay)
                waited += delay

            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await self.priority_limiter.enter(share.rank)
            except TimeoutError:
                raise Unavailable(request.endpoint, "too many requests are in flight") from None

            if self.rate_limiter.delay(share, self.clock.monotonic()) <= 0:
                break

            self.priority_limiter.leave()

        if waited:
            self.observer.record_delay(waited)

    def report_paging(self, trouble: str) -> None:
        """Count that a list could not be paged as documented."""
        self.observer.record_paging(trouble)

    async def _check_permit(self, request: ApiRequest, share: Share) -> None:
        is_containment = share in CONTAINMENT_SHARES and request.method is not Method.GET
        if self.permit is not None and is_containment and not await self.permit():
            raise ContainmentStopped(request.endpoint, "containment is stopped")

    async def _exchange_counted(
        self, request: ApiRequest, share: Share, also_accept: frozenset[int]
    ) -> tuple[int, ApiResponse]:
        """Exchange and report to the rate limiter and the observer, whatever happens."""
        started = self.clock.monotonic()
        number = self.rate_limiter.record_sent(share, started)
        response = None

        try:
            response = await self._exchange(request)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
            self.observer.record_failure(
                endpoint=request.endpoint,
                error=type(error).__name__,
                seconds=self.clock.monotonic() - started,
            )
            raise self._redacted(_failure_error(request, error)) from error
        finally:
            # Cancellation too: the request has left, so the server may have counted it.
            if response is None:
                self.rate_limiter.record_lost(number, self.clock.monotonic())

        seconds = self.clock.monotonic() - started
        answer = None if response.status in also_accept else foreign_answer(response)
        if answer is not None:
            self.observer.record_intermediary(
                endpoint=request.endpoint, kind=answer.intermediary, seconds=seconds
            )
            # Its counters are not those of the API.
            self.rate_limiter.record_lost(number, self.clock.monotonic())
            raise self._redacted(self._foreign_error(request, response, answer))

        self.observer.record_response(
            endpoint=request.endpoint, status=response.status, seconds=seconds
        )
        return number, response

    async def _exchange(self, request: ApiRequest) -> ApiResponse:
        headers = {"Content-Type": "application/json"} if request.body is not None else {}
        http_request = self.http.build_request(
            request.method,
            request.location or self.root + request.path,
            content=request.content,
            headers=headers,
        )
        # httpx limits each read only; a server that sends a byte now and then would never time out.
        async with asyncio.timeout(self.exchange_timeout):
            response = await self.http.send(http_request, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    # Counted after decompression, so that no zip bomb can fill the memory.
                    body += chunk
                    if len(body) > MAX_BODY:
                        status = response.status_code
                        raise unreadable_response(request, "the response is too large", status)
            finally:
                await response.aclose()

        lower_case = {name.lower(): value for name, value in response.headers.items()}
        return ApiResponse(response.status_code, lower_case, bytes(body))

    def _foreign_error(
        self, request: ApiRequest, response: ApiResponse, answer: ForeignAnswer
    ) -> ApiError:
        retry_after = read_retry_after(response.headers, self.clock.wall_time())
        return foreign_error(request, response.status, answer, retry_after)

    def _check_response(
        self, request: ApiRequest, number: int, response: ApiResponse, also_accept: frozenset[int]
    ) -> ApiResponse:
        now, wall_time = self.clock.monotonic(), self.clock.wall_time()
        counters = parse_counters(response.headers, now, wall_time)
        retry_after = read_retry_after(response.headers, wall_time)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            # A 429 was certainly not executed, whatever the method (reference §3.3).
            delay = self.rate_limiter.record_rejection(number, now, retry_after, counters)
            raise RateLimited(request.endpoint, delay)

        self.rate_limiter.record_response(number, now, counters)
        if not response.is_success and response.status not in also_accept:
            raise self._redacted(response_error(request, response, retry_after))

        return response

    def _redacted(self, error: ApiError) -> ApiError:
        error.text = self.redact(error.text)
        error.args = tuple(self.redact(str(argument)) for argument in error.args)
        return error


def token_redactor(secret: SecretStr) -> Callable[[str], str]:
    """Build a function that removes the token from a text, in case a server echoes it.

    Also one that was used before: an answer may be late.
    """
    known: dict[str, None] = {}

    def redact(text: str) -> str:
        known.setdefault(secret.get_secret_value())
        for token in known:
            if len(token) >= _MIN_SECRET:
                text = text.replace(token, "[token]")
        return text

    redact("")
    return redact


def _origin(url: str) -> tuple[str, str | None, int | None, str | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.username


def _failure_error(request: ApiRequest, error: Exception) -> ApiError:
    text = clean_text(f"{type(error).__name__} {error}")
    if isinstance(error, _NOT_SENT) or request.is_repeatable:
        return Unavailable(request.endpoint, text)
    return UnknownOutcome(request.endpoint, text)
