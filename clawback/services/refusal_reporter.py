"""Reports payloads that were refused: to `/metrics`, and at a bounded rate to log and audit."""

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

import structlog
from temporalio.api.common.v1 import Payload

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.refusal import Refusal
from clawback.model.texts import plural
from clawback.telemetry import metrics
from clawback.temporal.data_converter import PayloadRefused

REPORT_EVERY = timedelta(minutes=10)
_FIRST_REPORT = timedelta(seconds=10)
_MOST_KNOWN = 10_000
log = structlog.get_logger("clawback")


class RefusalReporter:
    """Counts each refused payload once, although a workflow that is replayed decodes it again."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._new: Counter[Refusal] = Counter()

    def note(self, payload: Payload, refused: PayloadRefused) -> None:
        """Count a refused payload, unless it was counted before."""
        digest = hashlib.sha256(payload.data).digest()[:16]
        if digest in self._known:
            return

        if len(self._known) >= _MOST_KNOWN:
            # A flood is counted a little too high rather than kept in memory.
            self._known.clear()
        self._known.add(digest)
        self._new[refused.refusal] += 1
        metrics.PAYLOADS_REFUSED.labels(refused.refusal.label).inc()

    async def watch(self, audit: AuditWriter) -> None:
        """Report what is new until cancelled, the first soon and then every ten minutes at most."""
        while True:
            await asyncio.sleep(_FIRST_REPORT.total_seconds())
            if await self.report(audit):
                await asyncio.sleep(REPORT_EVERY.total_seconds())

    async def report(self, audit: AuditWriter) -> bool:
        """Report what was refused since the last report; False if there is nothing."""
        if not self._new:
            return False

        counts, self._new = self._new, Counter()
        for refusal, count in counts.items():
            log.warning("worker.payloads_refused", reason=refusal, count=count)
        try:
            await audit.append((_record(counts),))
        except AuditUnavailable as error:
            log.warning("worker.payloads_refused_not_recorded", error=error)
        return True


def _record(counts: Counter[Refusal]) -> AuditRecord:
    now = datetime.now(UTC)
    found = ", ".join(
        f"{plural(count, 'time')} the payload {refusal}" for refusal, count in counts.items()
    )
    return AuditRecord(
        id=f"payloads/{now:%FT%T.%fZ}", at=now, kind=RecordKind.PAYLOADS_REFUSED, detail=found
    )
