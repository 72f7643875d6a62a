"""An HTTP collector: batches of lines as newline-delimited JSON in POST requests."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from clawback.audit import AuditLine
from clawback.model.retry_after import read_retry_after
from clawback.outbound_http import (
    NetworkSettingsError,
    OutboundTransport,
)
from clawback.secret_files import SecretUnreadable
from clawback.shipping.collector import CollectorUnavailable, tls_context

TIMEOUT: Final = 30.0


class HttpCollector:
    """An endpoint that takes NDJSON and answers 2xx once it has stored all of it.

    `token` is asked before each request, so that it can be rotated; empty: none is sent.
    """

    def __init__(self, url: str, token: Callable[[], str] = str, ca: Path | None = None) -> None:
        self._url = url
        self._token = token
        self._ca = ca
        self._http: httpx.AsyncClient | None = None

    async def send(self, lines: Sequence[AuditLine]) -> None:
        """Make one request; return when it was answered with success.

        The id of a batch (`idempotency-key`) is the same whenever the same lines are sent.

        Raises:
            CollectorUnavailable: any other answer, or none.

        """
        first, last = lines[0], lines[-1]
        headers = {
            "content-type": "application/x-ndjson",
            "idempotency-key": f"{first.sequence}-{last.sequence}-{last.hash[:16]}",
        }
        try:
            if token := self._token():
                headers["authorization"] = f"Bearer {token}"
            body = b"".join(line.text for line in lines)
            request = self._client().stream("POST", self._url, content=body, headers=headers)
            # The body of the response stays unread: its status is all that counts.
            async with request as response:
                _check_response(response)
        # No cause is kept: errors of httpx may quote the URL or a header, which may be secret.
        except httpx.TimeoutException:
            raise CollectorUnavailable("it does not answer") from None
        except NetworkSettingsError as error:
            raise CollectorUnavailable(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CollectorUnavailable(type(error).__name__) from None
        except SecretUnreadable as error:
            raise CollectorUnavailable(str(error)) from None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=TIMEOUT,
                follow_redirects=False,
                transport=OutboundTransport(tls=lambda: tls_context(self._ca)),
                trust_env=False,
                headers={"user-agent": "clawback"},
            )
        return self._http


def _check_response(response: httpx.Response) -> None:
    if response.is_success:
        return
    retry_after = read_retry_after(response.headers, datetime.now(UTC))
    raise CollectorUnavailable(f"status {response.status_code}", retry_after)
