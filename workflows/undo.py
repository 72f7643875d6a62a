"""Undoes many cases: one child workflow per case."""

import asyncio
import hashlib

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from clawback.model.orders import OrderLog, Verb
    from clawback.temporal import names
    from clawback.temporal.undo_gateway import (
        CaseRun,
        CaseUndoRequest,
        UndoProgress,
        UndoRequest,
        UndoSummary,
    )
    from workflows.case_undo import CaseUndoWorkflow
    from workflows.steps.orders import require_order, take_order

_CASES_AT_ONCE = 200
"""Many, because cases that are undone at the same moment share their requests."""


@workflow.defn(name=names.UNDO)
class UndoWorkflow:
    """Undoes the cases of one request, `_CASES_AT_ONCE` at a time.

    Id: `undo/<number>/<page>`. The result sums up what was undone.
    """

    @workflow.init
    def __init__(self, request: UndoRequest) -> None:
        self._scope = request.scope
        self._left = list(request.cases)
        self._done = request.done
        self._total = request.total or len(request.cases)

    @workflow.run
    async def run(self, request: UndoRequest) -> UndoSummary:
        """Start an undo for each case, wait for them, add up their results."""
        if workflow.info().continued_run_id is None:
            await _verify(request)

        while self._left:
            batch, self._left = self._left[:_CASES_AT_ONCE], self._left[_CASES_AT_ONCE:]
            for summary in await asyncio.gather(*map(self._undo, batch)):
                self._done = self._done.plus(summary)

            if self._left and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(
                    request.model_copy(
                        update={
                            "cases": tuple(self._left),
                            "done": self._done,
                            "total": self._total,
                        }
                    )
                )
        return self._done

    @workflow.query(name=names.STATUS)
    def status(self) -> UndoProgress:
        """How many cases are left, and what was undone so far."""
        return UndoProgress(total=self._total, left=len(self._left), undone=self._done)

    async def _undo(self, case: CaseRun) -> UndoSummary:
        request = CaseUndoRequest(case=case, scope=self._scope)
        try:
            summary: UndoSummary = await workflow.execute_child_workflow(
                CaseUndoWorkflow.run,
                request,
                id=_workflow_id(request),
                parent_close_policy=ParentClosePolicy.ABANDON,
            )
        except WorkflowAlreadyStartedError:
            return UndoSummary(under_way=1)
        except FailureError as error:
            extra = {"case": case.case, "error_type": type(error.cause).__name__}
            workflow.logger.error("undo.failed", extra=extra)
            return UndoSummary(cases=1, failed=1)
        return summary


async def _verify(request: UndoRequest) -> None:
    """Fail unless whoever started this may undo, and has signed exactly this.

    The order arrived when this workflow was started, however long no worker took it up.
    """
    if request.order is None:
        raise ApplicationError("nobody has ordered this undo", non_retryable=True)

    arrived = workflow.info().start_time
    order = require_order(request.order, Verb.UNDO, OrderLog(), arrived)
    if order.content != request.digest:
        raise ApplicationError("the order is to undo something else", non_retryable=True)
    await take_order(request.order, Verb.UNDO, OrderLog(), now=arrived)


def _workflow_id(request: CaseUndoRequest) -> str:
    """One undo per case; the undo of single messages has an id of its own."""
    case, messages, part = request.case, request.scope.messages, ""
    if messages is not None:
        digest = hashlib.sha256(" ".join(sorted(messages)).encode()).hexdigest()
        part = f"/{digest[:12]}"
    return names.case_undo_id(f"{case.case}/{case.first_run}{part}")
