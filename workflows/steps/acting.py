"""Carries out the steps of a case: reserved with the guard first, some beside everything else."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from clawback.actions.outcomes import UNKNOWN
    from clawback.cases import ActionStep, Case, StepPurpose
    from clawback.cases.authority import Objection
    from clawback.cases.hold_cause import HoldCause
    from workflows.options import GUARD_TELLS
    from workflows.steps.containment import carry_out
    from workflows.steps.context import StepContext
    from workflows.steps.reservation import Reservations, ReservedStep
    from workflows.steps.side_work import SideWork
    from workflows.steps.takeover import Takeover


class CaseActing:
    """The actions of one case. `wake` is called when one ends that was carried out beside."""

    def __init__(self, case: Case, wake: Callable[[], None]) -> None:
        self._case = case
        self._wake = wake
        self.reservations = Reservations(case.plan, case)
        self.beside = SideWork(wake)

    def replace_case(self, case: Case) -> None:
        """Go on with another case, which continues a lost one."""
        self._case = case
        self.reservations = Reservations(case.plan, case)

    async def act(self, step: ActionStep, takeover: Takeover) -> bool:
        """Reserve with the guard and run the action; if the guard refuses, the case is held.

        What announces the action is written together with the reservation. Returns whether the case
        must look for a lost one first, in which case nothing was done.
        """
        if takeover.is_done:
            reserved = await self._reserve(step, looks_for_parts=False)
        else:
            async with takeover.lock:
                reserved = await self._reserve(step, looks_for_parts=True)
            if reserved.must_take_over:
                return True
            takeover.end()
        await self._proceed(step, reserved)
        return False

    async def _reserve(self, step: ActionStep, *, looks_for_parts: bool) -> ReservedStep:
        records = self._case.take_records()
        return await self.reservations.reserve(step, records, looks_for_parts=looks_for_parts)

    async def _proceed(self, step: ActionStep, reserved: ReservedStep) -> None:
        """Do what the answer of the guard allows."""
        if reserved.outcome is not None:
            self._case.decline(step, reserved.outcome, workflow.now())
        elif reserved.refusal is not None:
            await self._look_up_first(step, reserved, reserved.refusal)
            self.refuse(step, reserved.refusal, reserved.cause, reserved.again)
        elif not self._case.wants(step):
            if reserved.outcomes:
                self._case.end_step(step, reserved.outcomes, workflow.now())
            await reserved.refund(reserved.outcomes, self._case)
        else:
            self._case.start_step(step, workflow.now())
            if there := self._case.while_held.already_there(step):
                self._case.end_step(step, there, workflow.now())
                await reserved.refund(there, self._case)
            elif step.is_beside:
                self.beside.start(self._finish(step, reserved))
            else:
                await self._finish(step, reserved)

    async def _finish(self, step: ActionStep, reserved: ReservedStep) -> None:
        """Carry out what was reserved, and refund what had no effect."""
        context = self._step_context(step, reserved)
        outcomes = await self._carry_out(step, context)
        self._case.end_step(step, outcomes, workflow.now())
        for objection in context.objections[:1]:
            # This worker may not know yet that the rule is confirmed: the guard does.
            is_demoted = objection.cause is HoldCause.DEMOTED
            ask_at = workflow.now() + GUARD_TELLS if is_demoted else None
            self.refuse(step, objection.reason, objection.cause, ask_at)
        self._wake()
        await reserved.refund(outcomes, self._case)

    def refuse(
        self, step: ActionStep, reason: str, cause: HoldCause, again: datetime | None = None
    ) -> None:
        """Note that a step was refused; only what the response waits for is held."""
        if step.purpose is StepPurpose.RESPONSE:
            self._case.refuse(step, reason, cause, again)
        else:
            self._case.give_up(step, reason, cause, workflow.now())

    async def _look_up_first(self, step: ActionStep, reserved: ReservedStep, refusal: str) -> None:
        """Find out what a first attempt did, if there was one: the guard forgot its grant."""
        if reserved.first is None:
            return
        self._case.start_step(step, workflow.now())
        context = self._step_context(step, reserved)
        # With an objection nothing more is sent, and what is not known to have moved stays open.
        context.objections.append(Objection(reason=refusal))
        outcomes = await self._carry_out(step, context)
        self._case.end_step(step, outcomes, workflow.now())

    def _step_context(self, step: ActionStep, reserved: ReservedStep) -> StepContext:
        info = workflow.info()
        return StepContext(
            case_id=info.workflow_id,
            rule=self._case.plan.rule,
            owner=f"case-run:{info.first_execution_run_id}",
            authority=self._case.actions.authority_of(step),
            is_off=lambda: not self._case.wants(step),
            first_seen=self._case.messages.first_seen_among(step.targets),
            repeats=reserved.repeats,
            first=reserved.first,
            moved_before=self._case.while_held.moved_before(step),
        )

    async def _carry_out(self, step: ActionStep, context: StepContext) -> dict[str, str]:
        """Run the action. If it is not wanted any more, stop; what was sent then is unknown."""
        work = asyncio.ensure_future(carry_out(step, context))
        await workflow.wait_condition(lambda: work.done() or not self._case.wants(step))
        if not work.done():
            work.cancel()
        try:
            return await work
        except (asyncio.CancelledError, ActivityError) as error:
            if self._case.wants(step) or not is_cancelled_exception(error):
                raise
            return dict.fromkeys(step.subjects, UNKNOWN)
