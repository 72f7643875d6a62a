"""The activity that starts what must always run: the pollers."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from temporalio import activity
from temporalio.service import RPCError

from clawback.audit import AuditUnavailable, AuditWriter
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.durations import format_duration
from clawback.model.polling import PollerStart
from clawback.temporal.application_errors import audit_unavailable
from clawback.temporal.poller_gateway import Beginning, PollerGateway, Started
from clawback.temporal.watchdog import delete_past_runs

log = structlog.get_logger("clawback")


class PollerActivities:
    """Starts the pollers of this installation, at the worker's start and when one is missing."""

    def __init__(
        self,
        pollers: PollerGateway,
        audit: AuditWriter,
        starts: Sequence[PollerStart],
    ) -> None:
        self._pollers = pollers
        self._audit = audit
        self._starts = starts

    @activity.defn(name="temporal.start_pollers")
    async def start_pollers(self) -> None:
        """Start each poller unless it is running."""
        for start in self._starts:
            started = await self._pollers.start(start)
            if started.beginning in (Beginning.INHERITED, Beginning.EARLIER):
                log.info(
                    "poll.continued",
                    source=start.source,
                    run_id=started.run,
                    beginning=started.beginning,
                    error_type=started.why,
                )
            elif started.beginning is Beginning.LOST:
                await self._record_lost(start, started)

        # Tidying must not keep a poller from starting.
        with suppress(RPCError):
            await delete_past_runs(self._pollers.client)

    async def _record_lost(self, start: PollerStart, started: Started) -> None:
        log.warning("poll.state_lost", source=start.source, run_id=started.run)
        detail = (
            f"the last run does not say how far it read ({started.why}); polling begins "
            f"{format_duration(start.start)} ago: read older mail with `clawback poll rewind`"
        )
        record = AuditRecord(
            id=f"poll_state_lost/{start.source}/{started.run}",
            at=datetime.now(UTC),
            kind=RecordKind.POLL_STATE_LOST,
            event=f"{start.source}/",
            detail=detail,
        )

        try:
            await self._audit.append([record])
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error
