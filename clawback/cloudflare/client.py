"""The client: every operation on Email Security of one account. It never repeats a call."""

from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from clawback.cloudflare.account_settings import AccountSettings
from clawback.cloudflare.account_settings.block_senders import BlockShortcuts
from clawback.cloudflare.http_client import open_http_client, root_url
from clawback.cloudflare.operations.bulk_jobs import BulkJobs
from clawback.cloudflare.operations.feedback import Feedback
from clawback.cloudflare.operations.investigate import Investigate
from clawback.cloudflare.operations.message_contents import MessageContents
from clawback.cloudflare.protocols import Clock, NullObserver, Observer, Permit, SystemClock
from clawback.cloudflare.rate_limiter import RateLimiter, RateLimitStatus, Share
from clawback.cloudflare.transport import Transport, token_redactor

TIMEOUT = timedelta(seconds=20)
_EXCHANGE_TIMEOUTS = 3  # a slow response may take several reads, each within the timeout


class EmailSecurity(Investigate, MessageContents, BulkJobs, Feedback, BlockShortcuts):
    """Cloudflare Email Security of one account; an async context manager.

    `url` is the API's (`https://api.cloudflare.com/client/v4`), `timeout` the wait for each read of
    a response (5 s to connect), `permit` is asked right before every containment call that changes
    something.
    """

    def __init__(  # noqa: PLR0913 - keyword-only options, all but three with defaults
        self,
        *,
        url: str,
        account_id: str,
        token: SecretStr | str,
        observer: Observer | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
        permit: Permit | None = None,
    ) -> None:
        secret = token if isinstance(token, SecretStr) else SecretStr(token)
        super().__init__(
            Transport(
                http=open_http_client(url, secret, transport, timeout),
                root=root_url(url, account_id),
                rate_limiter=RateLimiter(),
                observer=observer or NullObserver(),
                clock=clock or SystemClock(),
                redact=token_redactor(secret),
                exchange_timeout=_EXCHANGE_TIMEOUTS * timeout.total_seconds(),
                permit=permit,
            )
        )

    def on(self, share: Share) -> Self:
        """Return the same client with another share of the rate limit.

        By default reads count as polling and writes as acting; use `on(Share.ACTING)` for the reads
        that an action needs.
        """
        # Without `__init__`: connections, rate limit and redaction are shared, not opened again.
        other = object.__new__(type(self))
        other._transport = self._transport.on(share)
        return other

    @property
    def settings(self) -> AccountSettings:
        """The policy lists of the account."""
        return AccountSettings(self._transport)

    @property
    def rate_limit(self) -> RateLimitStatus:
        """What is known to be left of the rate limit."""
        return self._transport.rate_limiter.status(self._transport.clock.monotonic())

    def headroom(self, share: Share) -> int:
        """Return how many requests of a share may be sent at once; 0: the next one must wait."""
        transport = self._transport
        return transport.rate_limiter.headroom(share, transport.clock.monotonic())

    def delay(self, share: Share) -> timedelta:
        """Return how long the next request of a share must wait."""
        transport = self._transport
        return timedelta(seconds=transport.rate_limiter.delay(share, transport.clock.monotonic()))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
