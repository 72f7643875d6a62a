"""The activity that pollers run: read one page of the API and send its matches to their cases."""

import asyncio
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.ingest import Ingest, IngestResult
from clawback.model.polling import Lane, PageRead, ReadPage, WatchPage
from clawback.model.texts import bounded
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error
from clawback.temporal.error_types import ErrorType
from clawback.temporal.page_dispatcher import Dispatched, PageDispatcher

_SHORTEST_COMPLETION = timedelta(seconds=2)


class IngestActivities:
    """Turns records into matches. Safe to repeat: cases drop matches that they have."""

    def __init__(
        self,
        ingest: Ingest,
        dispatcher: PageDispatcher,
        telemetry: ActivityTelemetry,
        *,
        queue: str,
    ) -> None:
        """Take the collaborators, and the task queue that this worker alone reads from."""
        self._ingest = ingest
        self._dispatcher = dispatcher
        self._telemetry = telemetry
        self._queue = queue

    @activity.defn(name="email_security.find_reader")
    async def find_reader(self) -> str:
        """Return the task queue on which this worker alone reads pages."""
        return self._queue

    @activity.defn(name="email_security.read_page")
    async def read_page(self, request: ReadPage) -> PageRead:
        """Read one page, evaluate what is new on it, and signal the cases.

        What the page alone decides is dispatched first, before anything that needs more requests.
        What cannot be sent within the patience of the request is left, and counted in `unsent`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.patience.total_seconds()
        with as_application_error():
            page = await self._ingest.read(request)
        sent, rest = await self._dispatcher.send(request, page, deadline), IngestResult()
        if not sent.unsent:
            left = timedelta(seconds=deadline - loop.time())
            rest = await self._ingest.complete(page, max(left, _SHORTEST_COMPLETION))
            sent += await self._dispatcher.send(request, rest, deadline)

        self._record(request, page, sent)
        return PageRead(
            page=page.page,
            postponed=bounded(str(rest.postponed)) if rest.postponed else None,
            digest=page.digest,
            records=page.records,
            seen=len(page.fresh),
            matched=sent.sent,
            unsent=sent.unsent,
            rejected=len(page.rejected) + len(rest.rejected) + sent.rejected,
            set_aside=sent.set_aside,
            newest=page.newest,
            detections_only=page.detections_only,
            unseen=page.unseen,
        )

    @activity.defn(name="email_security.watch_page")
    async def watch_page(self, request: WatchPage) -> PageRead:
        """Read the newest window as `read_page` does, and return once something is new, or late.

        Raises:
            ApplicationError: nothing is new. Temporal calls again after the interval, which costs
                no entry in the history of the poller.

        """
        info = activity.info()
        # Both times are the server's: the clock of this machine must not move the cursor.
        elapsed = info.current_attempt_scheduled_time - info.scheduled_time
        if not elapsed:
            raise _nothing_new(request.interval)

        end = request.page.end + elapsed
        read = await self.read_page(request.page.model_copy(update={"end": end}))
        # Calls come a little late each: the last one may be half an interval past the end.
        if read.is_quiet and elapsed + request.interval / 2 <= request.patience:
            raise _nothing_new(request.interval)
        return read.model_copy(update={"end": end})

    def _record(self, request: ReadPage, page: IngestResult, sent: Dispatched) -> None:
        self._telemetry.record_backlog(request.source, request.backlog)
        if sent.unsent:
            self._telemetry.record_unsent(request.source, request.lane, sent.unsent)
        # What the live lane leaves to others does not make it late.
        is_over = page.page is None or sent.unsent > 0
        if is_over and request.lane is Lane.LIVE:
            self._telemetry.record_complete_poll(request.source, request.end)


def _nothing_new(interval: timedelta) -> ApplicationError:
    return ApplicationError(
        "nothing new",
        type=ErrorType.NOTHING_NEW,
        next_retry_delay=interval,
        category=ApplicationErrorCategory.BENIGN,
    )
