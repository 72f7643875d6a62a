"""The client: all operations on the Email Security of one account, over one httpx client and one budget. It never repeats a call."""

from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from clawback.cloudflare.account_settings import AccountSettings
from clawback.cloudflare.block_senders import BlockSenders
from clawback.cloudflare.feedback import Feedback
from clawback.cloudflare.investigate import Investigate
from clawback.cloudflare.jobs import Jobs
from clawback.cloudflare.message_contents import Contents
from clawback.cloudflare.protocols import Clock, Observer, Permit, SystemClock, Unobserved
from clawback.cloudflare.rate_limiter import Budget, RateLimiter, Share
from clawback.cloudflare.release import Release
from clawback.cloudflare.transport import Transport, open_client, redactor, root_of

TIMEOUT = timedelta(seconds=20)
_EXCHANGES = 3  # a slow answer may take several reads, each within the timeout


class EmailSecurity(Investigate, Contents, Release, Jobs, Feedback, BlockSenders):
    """Cloudflare Email Security of one account; an async context manager.

    `url` is the API's (`https://api.cloudflare.com/client/v4`), `timeout` the wait for a connection
    to answer (5 s to connect), `permit` is asked right before every call that changes something on
    behalf of acting.
    """

    def __init__(  # noqa: PLR0913 - the one place where everything is given
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
        secret = token.get_secret_value() if isinstance(token, SecretStr) else token
        super().__init__(
            Transport(
                http=open_client(url, secret, transport, timeout),
                root=root_of(url, account_id),
                pace=RateLimiter(),
                observer=observer or Unobserved(),
                clock=clock or SystemClock(),
                redact=redactor(secret),
                longest=_EXCHANGES * timeout.total_seconds(),
                permit=permit,
            )
        )

    def on(self, share: Share) -> Self:
        """Give the same client, its requests made on behalf of a share.

        Undo goes before acting, acting before polling.

        Without it, reads count as polling and writes as acting; say `on(Share.ACTING)` for the
        reads that an action needs.
        """
        other = object.__new__(type(self))
        other._connection = self._connection.on(share)
        return other

    @property
    def settings(self) -> AccountSettings:
        """The policies of the account, by kind."""
        return AccountSettings(self._connection)

    @property
    def budget(self) -> Budget:
        """What is known to be left of the rate limit."""
        return self._connection.pace.budget(self._connection.clock.now())

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
