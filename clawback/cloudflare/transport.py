"""Sends calls: one httpx client, one pace, one observer.

The only module that talks to the network, and it never repeats a call.

It turns what the transport does into the errors of `errors` by one rule: what certainly did not
leave is `Unavailable`; what may have arrived is `Unavailable` where repeating is safe and
`UnknownOutcome` where it is not. Bodies and the time of an exchange are bounded.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import httpx

from clawback.cloudflare.errors import ApiError, RateLimited, Stopped, Unavailable, UnknownOutcome
from clawback.cloudflare.priority_limiter import PriorityLimiter
from clawback.cloudflare.protocols import Clock, Observer, Permit
from clawback.cloudflare.rate_limit_headers import read_counters, read_retry_after
from clawback.cloudflare.rate_limiter import ACTS, RateLimiter, Share
from clawback.cloudflare.requests import ApiRequest, Method, segment
from clawback.cloudflare.responses import (
    ApiResponse,
    Envelope,
    clean,
    failure,
    read_envelope,
    unreadable,
)

LARGEST_BODY = 64 * 1024 * 1024
PATIENCE = 3.0
"""Seconds that a call may be held back before it is told to come back later."""

AT_ONCE = 20
"""Requests of one client that may be under way; the rest wait in a line, the most urgent first."""

_CONNECT = 5.0
_SHORTEST_SECRET = 8  # a placeholder such as "sim" is no secret, and part of too many words
_IDLE = 4.0  # below uvicorn's 5 s: a connection that the server closes under a POST leaves its outcome unknown
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True, repr=False)
class Transport:
    """A way to the API of one account.

    `share` says on whose behalf it is used; None lets reads count as polling and writes as acting.

    `dialect` remembers for each endpoint with a disputed body which form the server took last
    (reference §4.3). `permit` is asked right before anything is changed on behalf of acting; undo
    and reads need none.
    """

    http: httpx.AsyncClient
    root: str
    pace: RateLimiter
    observer: Observer
    clock: Clock
    redact: Callable[[str], str]
    longest: float
    dialect: dict[str, int] = field(default_factory=dict)
    line: PriorityLimiter = field(default_factory=lambda: PriorityLimiter(AT_ONCE))
    share: Share | None = None
    permit: Permit | None = None

    def on(self, share: Share) -> "Transport":
        """Give the same way, used on behalf of a share."""
        return replace(self, share=share)

    async def call(self, call: ApiRequest) -> Envelope:
        """Make a call and read its envelope.

        Raises:
            ApiError: the kind tells what to do; see `errors`.

        """
        return self.read(call, await self.send(call))

    async def confirm(self, call: ApiRequest) -> None:
        """Make a call whose status says all.

        An empty body is enough, a body must still not say that it failed.

        Raises:
            ApiError: the kind tells what to do; see `errors`.

        """
        answer = await self.send(call)
        if answer.body.strip():
            self.read(call, answer)

    def read(self, call: ApiRequest, answer: ApiResponse) -> Envelope:
        """Read the envelope of an answer.

        Raises:
            ApiError: the kind tells what to do; see `errors`.

        """
        try:
            return read_envelope(call, answer)
        except ApiError as error:
            raise self._redacted(error) from None

    async def send(self, call: ApiRequest, also: frozenset[int] = frozenset()) -> ApiResponse:
        """Make a call and give its answer unread: 2xx, or one of the statuses `also`.

        Raises:
            ApiError: the kind tells what to do; see `errors`.

        """
        share = self.share or (Share.POLLING if call.method is Method.GET else Share.ACTING)
        await self._admit(call, share)
        try:
            if (
                self.permit is not None
                and share in ACTS
                and call.method is not Method.GET
                and not await self.permit()
            ):
                raise Stopped(call.endpoint, "nothing may be changed now")
            ticket, answer = await self._sent(call, share)
            return self._judged(call, ticket, answer, also)
        finally:
            self.line.leave()

    def follow(self, call: ApiRequest, location: str) -> ApiRequest:
        """Turn a `Location` into the call that polls it; it must stay on the API's host.

        Raises:
            ApiError: it leads elsewhere.

        """
        try:
            target = urljoin(call.location or self.root + call.path, location)
            elsewhere = _origin(target) != _origin(self.root)
        except ValueError:
            elsewhere = True
        if elsewhere:
            raise unreadable(call, "the answer points to another host")
        return replace(call, location=target)

    async def _admit(self, call: ApiRequest, share: Share) -> None:
        """Wait until a request may leave: for the budget, then for its turn.

        Whoever was admitted must leave the line.

        Raises:
            RateLimited: the budget is not there soon enough.
            Unavailable: its turn did not come.

        """
        waited = 0.0
        while True:
            while (wait := self.pace.wait(share, self.clock.now())) > 0:
                if waited + wait > PATIENCE:
                    raise RateLimited(call.endpoint, timedelta(seconds=wait), local=True)
                await self.clock.sleep(wait)
                waited += wait
            try:
                async with asyncio.timeout(_CONNECT):
                    await self.line.enter(share.rank)
            except TimeoutError:
                raise Unavailable(call.endpoint, "too many requests are under way") from None
            if self.pace.wait(share, self.clock.now()) <= 0:
                break
            self.line.leave()
        if waited:
            self.observer.paced(waited)

    async def _sent(self, call: ApiRequest, share: Share) -> tuple[int, ApiResponse]:
        ticket = self.pace.sent(share, self.clock.now())
        started = self.clock.now()
        answer = None
        try:
            answer = await self._exchange(call)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
            self.observer.failed(
                endpoint=call.endpoint,
                error=type(error).__name__,
                seconds=self.clock.now() - started,
            )
            raise self._redacted(_without_answer(call, error)) from error
        finally:
            if answer is None:
                self.pace.lost(ticket, self.clock.now())
        self.observer.answered(
            endpoint=call.endpoint, status=answer.status, seconds=self.clock.now() - started
        )
        return ticket, answer

    async def _exchange(self, call: ApiRequest) -> ApiResponse:
        headers = {"Content-Type": "application/json"} if call.body is not None else {}
        request = self.http.build_request(
            call.method,
            call.location or self.root + call.path,
            content=call.content,
            headers=headers,
        )
        async with asyncio.timeout(self.longest):
            response = await self.http.send(request, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_BODY:
                        raise unreadable(call, "the answer is too large", response.status_code)
            finally:
                await response.aclose()
        return ApiResponse(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            bytes(body),
        )

    def _judged(
        self, call: ApiRequest, ticket: int, answer: ApiResponse, also: frozenset[int]
    ) -> ApiResponse:
        now, wall = self.clock.now(), self.clock.wall()
        counters = read_counters(answer.headers, now, wall)
        retry_after = read_retry_after(answer.headers, wall)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited(call.endpoint, self.pace.refused(ticket, now, retry_after, counters))
        self.pace.answered(ticket, now, counters)
        if not answer.ok and answer.status not in also:
            raise self._redacted(failure(call, answer, retry_after))
        return answer

    def _redacted(self, error: ApiError) -> ApiError:
        error.text = self.redact(error.text)
        error.args = tuple(self.redact(str(argument)) for argument in error.args)
        return error


def open_client(
    url: str, token: str, transport: httpx.AsyncBaseTransport | None, timeout: timedelta
) -> httpx.AsyncClient:
    """Build the httpx client.

    No redirects, no retries, the token in a header that httpx keeps out of its `repr`.

    Raises:
        ValueError: the address or the token cannot be used; the text never holds the token.

    """
    host = _checked_host(url)
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("the API token must be printable ASCII without blanks")
    return httpx.AsyncClient(
        transport=transport,
        trust_env=not _is_loopback(host),
        follow_redirects=False,
        timeout=httpx.Timeout(timeout.total_seconds(), connect=_CONNECT, pool=_CONNECT),
        limits=httpx.Limits(
            max_connections=AT_ONCE, max_keepalive_connections=10, keepalive_expiry=_IDLE
        ),
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": f"clawback/{_version()}",
        },
    )


def root_of(url: str, account_id: str) -> str:
    """Build the address that all endpoints are below."""
    return f"{url.rstrip('/')}/accounts/{segment(account_id)}/email-security/"


def redactor(token: str) -> Callable[[str], str]:
    """Build what takes the token out of a text, should a server echo it."""
    return lambda text: text.replace(token, "[token]") if len(token) >= _SHORTEST_SECRET else text


def _checked_host(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise ValueError(
            "the API's address must be http(s)://host[:port][/path], without user, query or fragment"
        )
    return parts.hostname


def _origin(url: str) -> tuple[str, str | None, int | None, str | None]:
    parts = urlsplit(url)
    return (
        parts.scheme,
        parts.hostname,
        parts.port or {"http": 80, "https": 443}.get(parts.scheme),
        parts.username,
    )


def _without_answer(call: ApiRequest, error: Exception) -> ApiError:
    text = clean(f"{type(error).__name__} {error}")
    if isinstance(error, _NOT_SENT) or call.repeatable:
        return Unavailable(call.endpoint, text)
    return UnknownOutcome(call.endpoint, text)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _version() -> str:
    try:
        return version("clawback")
    except PackageNotFoundError:
        return "0"
