"""The digest workflow: what waited during quiet hours goes out as one message when they end."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.notifications import Delivered, NotificationActivities
    from clawback.actions.outcomes import failed
    from clawback.cases.digest import Digest, DigestDelivery, WaitingNotification
    from clawback.temporal import names
    from workflows.notification import NOTIFIED, reason_of
    from workflows.options import DELIVER


@workflow.defn(name=names.DIGEST, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class DigestWorkflow:
    """Collects what waits for the end of the quiet hours of one channel, and delivers it.

    Id: `digest/<channel>`; it exists while something waits. Each notification that waits has a
    workflow of its own, which learns the outcome.
    """

    @workflow.init
    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._refused: list[str] = []

    @workflow.run
    async def run(self, digest: Digest) -> None:
        """Wait until the quiet hours end, deliver, and go on until nothing waits."""
        await workflow.wait_condition(lambda: bool(self._digest.waiting))
        while self._digest.waiting:
            await self._wait()
            await self._refuse()
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._digest)
            if self._digest.is_due(workflow.now()):
                await self._deliver()

    @workflow.signal(name=names.PUT_OFF)
    def put_off(self, raw: Any) -> None:
        """Take a notification that waits; if there are too many, refuse it.

        Takes raw values: the SDK drops a signal silently if it cannot decode it.
        """
        try:
            waiting = WaitingNotification.model_validate(raw)
        except ValidationError:
            workflow.logger.error("digest.unreadable")
            return
        if not self._digest.has_room:
            self._digest = self._digest.with_refused()
            self._refused.append(waiting.id)
            return
        self._digest = self._digest.plus(waiting)

    @workflow.query(name=names.STATUS)
    def status(self) -> Digest:
        """What waits, and until when."""
        return self._digest

    async def _wait(self) -> None:
        until = self._digest.until
        left = until - workflow.now()
        # A timed wait takes a timer even if its condition already holds.
        if left <= timedelta() or self._refused:
            return
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    bool(self._refused)
                    or self._digest.until != until
                    or workflow.info().is_continue_as_new_suggested()
                ),
                timeout=left,
                timeout_summary="quiet hours",
            )

    async def _refuse(self) -> None:
        """Tell those without room, which record it; the digest counts them."""
        refused, self._refused = self._refused, []
        await asyncio.gather(*(_tell(one, failed("digest_full")) for one in refused))

    async def _deliver(self) -> None:
        """Deliver what waits by now; what comes meanwhile waits for the next digest."""
        batch = self._digest
        request = DigestDelivery(
            id=str(workflow.uuid4()).replace("-", ""), at=workflow.now(), digest=batch
        )
        try:
            delivered: Delivered = await workflow.execute_activity_method(
                NotificationActivities.deliver_digest, request, **DELIVER
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            outcome = failed(reason_of(error.cause))
        else:
            outcome = NOTIFIED
            if delivered.missing:
                workflow.logger.warning("digest.incomplete")

        self._digest = self._digest.after(batch)
        await asyncio.gather(*(_tell(one.id, outcome) for one in batch.waiting))


async def _tell(notification: str, outcome: str) -> None:
    """Tell the workflow of a notification what became of it; one that is gone needs no word."""
    with suppress(FailureError):
        handle = workflow.get_external_workflow_handle(names.notification_id(notification))
        await handle.signal(names.DIGESTED, outcome)
