"""What every collector has: it takes a batch of lines, or raises."""

import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from clawback.audit import AuditLine
from clawback.model.loggable import LoggableError


class CollectorUnavailable(LoggableError, RuntimeError):
    """A batch was not delivered, or nobody knows; `retry_after` is the wait that was asked for."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Collector(Protocol):
    """Takes lines of the audit; each has a stable id, by which a collector drops repeats."""

    async def send(self, lines: Sequence[AuditLine]) -> None:
        """Deliver lines, in order; return when the collector has them.

        Raises:
            CollectorUnavailable: it may not have all of them; send them again.

        """


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Build a TLS context that verifies the chain and the host; `ca` replaces the system's CAs.

    Raises:
        CollectorUnavailable: the file cannot be used.

    """
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = (error.strerror or "no certificate in PEM").lower()
        raise CollectorUnavailable(f"cannot use CLAWBACK_AUDIT_COLLECTOR_CA: {reason}") from None
