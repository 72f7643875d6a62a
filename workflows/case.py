"""One campaign under one rule, from its first match to its close.

This is the sequence around the state machine `clawback.cases.Case`, which decides every step.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.containment import ContainmentActivities, FoundMessages
    from activities.parts import PartActivities
    from clawback.cases import (
        ActionStep,
        Case,
        CaseStart,
        CaseState,
        CloseStep,
        ForwardMatches,
        JoinStep,
        KnownMatches,
        Match,
        MatchSize,
        NotificationStep,
        Placement,
        Proposal,
        ProposalChange,
        SearchStep,
        WaitStep,
    )
    from clawback.cases.case_orders import carry_out_order, order_problem
    from clawback.cases.hold_cause import HoldCause
    from clawback.cases.proposal_log import PastProposal
    from clawback.model.identity import Actor
    from clawback.model.orders import Answer, SignedOrder, Verb
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from clawback.temporal.case_sender import PART_TASK_TIMEOUT
    from workflows.options import REDELIVER
    from workflows.steps.acting import CaseActing
    from workflows.steps.attempts import verify
    from workflows.steps.audit import write_records
    from workflows.steps.notifying import start_notification
    from workflows.steps.orders import require_order, take_order
    from workflows.steps.publication import CATCH_UP_AFTER, CasePublication
    from workflows.steps.takeover import Takeover
    from workflows.validators import require_no_problem


LARGEST_HISTORY: Final = 1024 * 1024
"""Bytes of a history after which a case continues as new, a quarter of what the server suggests.

Who replays a case reads all of its matches. That must not take as long as a workflow task may.
"""


@workflow.defn(name=names.CASE)
class CaseWorkflow:
    """Responds to one campaign.

    Id: `case/<rule>/<group hash>`. Only signal-with-start starts it, so it never misses a match.
    """

    @workflow.init
    def __init__(self, start: CaseStart) -> None:
        info = workflow.info()
        self._plan, self._timing, self._trace_id = start.plan, start.timing, start.trace_id
        self._uid = f"{info.workflow_id}/{info.first_execution_run_id}"
        if start.snapshot is None:
            self._case = Case.open(
                start.plan,
                start.timing,
                self._uid,
                workflow.now(),
                part=start.part,
                campaign=start.campaign,
                window=start.window,
            )
        else:
            self._case = Case(start.plan, start.timing, start.snapshot, start.part)
        self._publication = CasePublication(start)
        self._acting = CaseActing(self._case, self._wake)
        self._takeover = Takeover(start)
        self._forwarding: dict[int, asyncio.Task[None]] = {}
        self._reported: CaseState | None = None
        self._has_news = True

    @workflow.run
    async def run(self, start: CaseStart) -> str:
        """Take the steps of the state machine until the case ends; return its last state."""
        while True:
            self._has_news = False
            self._acting.beside.raise_failure()
            step = self._case.next(workflow.now())
            if isinstance(step, WaitStep | CloseStep):
                self._publication.publish_rest(self._case)
            else:
                self._publication.publish_index(self._case)
            await self._tell_case()
            if isinstance(step, ActionStep):
                await self._act(step)
                await self._continue_if_long(start)
                continue

            await self._acting.reservations.give_back()
            await self._write_records()
            if isinstance(step, SearchStep):
                await self._search(step)
            elif isinstance(step, NotificationStep):
                await self._notify(step)
                continue
            elif isinstance(step, WaitStep):
                await self._wait(step)
            elif isinstance(step, JoinStep) or not self._is_quiet:
                # Also for a handler that verifies a decision: it waits for nothing here.
                await workflow.wait_condition(lambda: self._is_quiet or self._has_news)
            elif not self._has_news:
                return step.state
            await self._continue_if_long(start)

    async def _continue_if_long(self, start: CaseStart) -> None:
        info = workflow.info()
        is_large = info.get_current_history_size() > LARGEST_HISTORY
        # A campaign gets more time for its tasks as soon as it has parts.
        is_hasty = self._case.parts.is_full and info.task_timeout < PART_TASK_TIMEOUT
        is_suggested = info.is_continue_as_new_suggested()
        if not is_large and not is_hasty and not is_suggested:
            return
        # What runs beside may take hours, so nothing waits for it as long as the server can.
        if self._acting.beside.is_busy and not is_suggested:
            return
        await workflow.wait_condition(lambda: self._is_quiet)
        await self._acting.reservations.give_back()
        await self._write_records()
        if self._is_quiet:
            workflow.continue_as_new(
                start.model_copy(update={"snapshot": self._case.snapshot()}),
                task_timeout=PART_TASK_TIMEOUT if self._case.parts.is_full else None,
            )

    @property
    def _is_quiet(self) -> bool:
        """Whether nothing goes on beside the main loop."""
        is_busy = self._acting.beside.is_busy or bool(self._forwarding)
        return not is_busy and workflow.all_handlers_finished()

    def _wake(self) -> None:
        self._has_news = True

    async def _search(self, search: SearchStep) -> None:
        """Find the messages that an action applies to; without them the action is not run."""
        query = search.action.search(workflow.now())
        found = await verify(ContainmentActivities.search_messages, query)
        if isinstance(found, FoundMessages):
            problem = "too_many" if found.has_more else None
            self._case.end_search(search, found.targets, problem, workflow.now())
        else:
            self._case.end_search(search, (), "not_found_out", workflow.now())

    async def _act(self, step: ActionStep) -> None:
        if self._takeover.why and not step.approved:
            self._acting.refuse(step, self._takeover.why, HoldCause.CAMPAIGN)
        elif self._takeover.is_running or await self._acting.act(step, self._takeover):
            await self._take_over()

    async def _take_over(self) -> None:
        """Continue a lost case whose parts are open, if there is one."""
        if (case := await self._takeover.run(lambda: self._case)) is not None:
            self._case = case
            self._acting.replace_case(case)
            self._has_news = True
            self._start_forwarding()

    async def _notify(self, step: NotificationStep) -> None:
        """Start the notification workflow. The case does not wait for it, and may close first."""
        self._case.notifications.begin(step, workflow.now())
        await start_notification(step)

    @workflow.signal(name=names.NOTIFICATION_ENDED)
    def notification_ended(self, uid: str, number: int, outcome: str) -> None:
        """Note the outcome of a notification, unless it is of an earlier case with this id."""
        if uid == self._uid:
            self._case.end_notification(number, outcome, workflow.now())

    @workflow.signal(name=names.MATCHED)
    def matched(self, matches: Any) -> None:
        """Take matches. One that cannot be read is recorded as rejected; the others are taken.

        Takes raw values: the SDK drops a signal silently if it cannot decode it.
        """
        for raw in matches if isinstance(matches, list) else [matches]:
            try:
                match = Match.model_validate(raw)
            except ValidationError as error:
                self._case.reject_match(
                    bounded(str(raw)), f"{error.error_count()} errors in a match", workflow.now()
                )
            else:
                self._takeover.note(match)
                self._case.add_match(match, workflow.now())
        # Somebody may ask before the main loop comes back to it.
        self._case.propose(workflow.now())
        self._has_news = True
        self._start_forwarding()

    @workflow.signal(name=names.PART_CHANGED)
    def part_changed(self, part: int, state: CaseState) -> None:
        """Note the state of another part of this campaign."""
        self._case.parts.states[part] = state
        self._has_news = True

    @workflow.signal(name=names.BUDGET_FREED)
    def budget_freed(self) -> None:
        """Ask the guard again: a budget has room for what it refused."""
        self._case.ask_again(workflow.now())
        self._has_news = True

    @workflow.signal(name=names.UNDO_REQUESTED)
    def undo_requested(self, actor: Actor, reason: str) -> None:
        """End the case: what it did is being undone."""
        self._case.undo(actor, reason, workflow.now())
        self._has_news = True

    @workflow.update(name=names.PLACE)
    def place(self, matches: list[MatchSize]) -> Placement | None:
        """Say which parts of the campaign take which matches; None if this case takes them."""
        return self._case.place(matches, workflow.now()) if self._takeover.is_done else None

    @workflow.update(name=names.APPROVE)
    async def approve(self, signed: SignedOrder) -> str:
        """Approve what was shown (by its digest); return the new state."""
        people = self._case.proposal().needs
        return await self._carry_out(signed, Verb.APPROVE, people)

    @workflow.update(name=names.DENY)
    async def deny(self, signed: SignedOrder) -> str:
        """Deny a held case; return the new state."""
        return await self._carry_out(signed, Verb.DENY)

    @workflow.update(name=names.COMMENT)
    async def comment(self, signed: SignedOrder) -> str:
        """Add a comment; return its number."""
        return await self._carry_out(signed, Verb.COMMENT)

    @workflow.update(name=names.ASSIGN)
    async def assign(self, signed: SignedOrder) -> str:
        """Say who works on the case; return the name."""
        return await self._carry_out(signed, Verb.ASSIGN)

    @approve.validator
    def _validate_approve(self, signed: SignedOrder) -> None:
        self._validate(signed, Verb.APPROVE)

    @deny.validator
    def _validate_deny(self, signed: SignedOrder) -> None:
        self._validate(signed, Verb.DENY)

    @comment.validator
    def _validate_comment(self, signed: SignedOrder) -> None:
        self._validate(signed, Verb.COMMENT)

    @assign.validator
    def _validate_assign(self, signed: SignedOrder) -> None:
        self._validate(signed, Verb.ASSIGN)

    @workflow.query(name=names.ANSWER)
    def answer(self, nonce: str) -> Answer | None:
        """What the case answered to one of the last orders."""
        return self._case.answers.find(nonce)

    @workflow.query(name=names.PROPOSAL)
    def proposal(self) -> Proposal:
        """What the case would do if it were approved now."""
        return self._case.proposal()

    @workflow.query(name=names.PROPOSAL_CHANGE)
    def proposal_change(self, digest: str) -> ProposalChange:
        """How what the case would do differs from what it would have done under a digest."""
        return self._case.proposal_change(digest)

    @workflow.query(name=names.PAST_PROPOSALS)
    def past_proposals(self) -> list[PastProposal]:
        """What the case proposed lately while it was held."""
        return list(self._case.past_proposals)

    @workflow.query(name=names.KNOWN)
    def known(self, keys: list[str]) -> KnownMatches:
        """Which matches this part has, and which parts to ask about others."""
        return self._case.find_known(keys)

    @workflow.query(name=names.STATUS)
    def status(self) -> CaseStart:
        """The plan and the snapshot of the case."""
        snapshot = self._case.snapshot().model_copy(update={"pending_records": ()})
        return CaseStart(
            plan=self._plan,
            timing=self._timing,
            part=self._case.part,
            trace_id=self._trace_id,
            snapshot=snapshot,
        )

    def _validate(self, signed: SignedOrder, verb: Verb) -> None:
        if self._first_answer(signed) is None:
            order = require_order(signed, verb, self._case.orders)
            require_no_problem(order_problem(self._case, order))

    async def _carry_out(self, signed: SignedOrder, verb: Verb, people: int = 1) -> str:
        """Carry out an order once; if it comes again, return the first answer."""
        if (first := self._first_answer(signed)) is not None:
            return first
        order = await take_order(signed, verb, self._case.orders, people)
        # What was true when it arrived may have changed while it was verified.
        require_no_problem(order_problem(self._case, order))
        answer = carry_out_order(self._case, order, workflow.now())
        # As it was sent, for it is compared with what is sent again.
        self._case.answers.add(signed.order or order, answer)
        self._has_news = True
        return answer

    def _first_answer(self, signed: SignedOrder) -> str | None:
        """Return what was answered to this order before; None if it is new."""
        if (order := signed.order) is None:
            return None
        require_no_problem(self._case.answers.problem(order))
        found = self._case.answers.find(order.nonce)
        return found.text if found else None

    def _start_forwarding(self) -> None:
        for part in self._case.parts.overflow:
            if part not in self._forwarding:
                self._forwarding[part] = asyncio.create_task(self._forward(part))

    async def _forward(self, part: int) -> None:
        """Send matches on to another part, which this one has no room for."""
        await self._take_over()
        while batch := self._case.parts.take_overflow(part):
            request = ForwardMatches(
                plan=self._plan,
                timing=self._timing,
                part=part,
                campaign=self._case.actions.current_campaign,
                matches=batch,
            )
            await workflow.execute_activity_method(
                PartActivities.forward_matches, request, **REDELIVER
            )
        del self._forwarding[part]

    async def _tell_case(self) -> None:
        """Tell the case itself in which state this part of the campaign is."""
        if self._case.part > 1 and self._reported is not self._case.state:
            self._reported = self._case.state
            with suppress(FailureError):
                head = workflow.get_external_workflow_handle(self._plan.case_id)
                await head.signal(names.PART_CHANGED, args=[self._case.part, self._reported])

    async def _wait(self, step: WaitStep) -> None:
        left = step.until - workflow.now()
        # A timed wait takes a timer even if its condition already holds.
        if self._has_news or left <= timedelta():
            return
        is_behind = self._publication.is_behind
        try:
            await workflow.wait_condition(
                lambda: self._has_news,
                timeout=min(left, CATCH_UP_AFTER) if is_behind else left,
                timeout_summary=f"{self._case.state} until then",
            )
        except TimeoutError:
            if is_behind:
                self._publication.publish_rest(self._case, is_due=True)

    async def _write_records(self) -> None:
        await write_records(self._case.take_records())
