"""What the workflows share that end an entry of a policy list: claims, lifting, waiting."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.policies import PolicyActivities
    from clawback.model.audit_record import AuditRecord
    from clawback.model.claims import Claim, Claims, Withdrawal
    from clawback.model.orders import Order, OrderLog, SignedOrder, Verb
    from clawback.model.policies import EndedPolicy, OwnedPolicy
    from clawback.model.record_ids import RecordIds
    from clawback.temporal import names
    from workflows.options import EXPIRE, LONGEST_WAIT, WITHDRAWAL_PAUSE
    from workflows.steps.audit import write_records
    from workflows.steps.orders import require_order, take_order


class EntryExpiry:
    """Waits until an entry ends: all claims have expired or been withdrawn, or somebody lifts it.

    Each subclass is a workflow, and sets `noun`.
    """

    noun = "entry"

    def __init__(self, claims: Claims) -> None:
        info = workflow.info()
        self._record_ids = RecordIds(info.workflow_id, info.run_id)
        self._claims = claims
        self._changes = 0
        self._unwritten: list[AuditRecord] = []
        self._lifting: Order | None = None
        self._is_withdrawn = False
        self._orders = OrderLog()
        self._has_ended = False

    async def _wait_until_over(self) -> None:
        """Wait; a claim moves the end meanwhile, so the rest is computed anew each time."""
        while (left := self._left()) > timedelta() and not self._is_over:
            await self._wait(left)
            await self._write()
            self._continue_if_long()

        # Before the request, so that no claim is accepted that comes too late.
        self._has_ended = True
        if self._is_withdrawn and self._lifting is None:
            await workflow.sleep(WITHDRAWAL_PAUSE, summary="while undo removes it")

    async def _remove(self, policy: OwnedPolicy) -> EndedPolicy:
        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policy, policy, **EXPIRE
        )
        return ended

    async def _finish(self) -> None:
        """Write what is left. An order that comes too late is still being verified, and refused."""
        await self._write()
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update(name=names.CLAIM)
    def claim(self, claim: Claim) -> None:
        """Note that a case wants the entry to stand."""
        before = self._claims.end
        self._claims = self._claims.at(workflow.now()).plus(claim)
        self._note_claims(claim if self._claims.end != before else None)

    @workflow.update(name=names.WITHDRAW)
    def withdraw(self, owner: str) -> Withdrawal:
        """End the claim of a case. Without another one the entry is removed."""
        current = self._claims.at(workflow.now())
        was_claimed = current.has(owner)
        self._claims = current.without(owner)
        self._is_withdrawn = not self._claims.count
        self._note_claims(None)
        return Withdrawal(was_claimed=was_claimed, left=self._claims.count)

    @workflow.update(name=names.LIFT)
    async def lift(self, signed: SignedOrder) -> None:
        """Remove the entry now, whoever claims it; the result says how it ended."""
        order = await take_order(signed, Verb.LIFT_BLOCK, self._orders)
        self._require_standing()
        self._lifting = order

    @claim.validator
    def _validate_claim(self, claim: Claim) -> None:
        self._require_standing()

    @withdraw.validator
    def _validate_withdraw(self, owner: str) -> None:
        self._require_standing()

    @lift.validator
    def _validate_lift(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.LIFT_BLOCK, self._orders)
        self._require_standing()

    @property
    def _is_over(self) -> bool:
        return self._lifting is not None or self._is_withdrawn

    def _note_claims(self, extending: Claim | None) -> None:
        """Note that the claims have changed; `extending` has moved the end."""

    def _continue_as_new(self) -> None:
        """Go on in a new run."""
        raise NotImplementedError

    def _continue_if_long(self) -> None:
        is_idle = not self._unwritten and not self._is_over and workflow.all_handlers_finished()
        if is_idle and workflow.info().is_continue_as_new_suggested():
            self._continue_as_new()

    def _require_standing(self) -> None:
        if self._lifting is not None:
            by = self._lifting.actor.label
            raise ApplicationError(f"the {self.noun} has ended: {by} has lifted it")
        if self._is_withdrawn:
            raise ApplicationError(f"the {self.noun} has ended: no case wants it any more")
        if self._has_ended:
            raise ApplicationError(
                f"the {self.noun} has ended: it expired at {self._claims.end:%FT%TZ}"
            )

    def _left(self) -> timedelta:
        end = self._claims.end
        return timedelta() if end is None else end - workflow.now()

    async def _wait(self, left: timedelta) -> None:
        # A timed wait takes a timer even if its condition already holds.
        if self._unwritten:
            return

        changes = self._changes
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._unwritten) or self._is_over or self._changes != changes,
                timeout=min(left, LONGEST_WAIT),
                timeout_summary=f"until the {self.noun} ends",
            )

    async def _write(self) -> None:
        records = tuple(self._unwritten)
        await write_records(records)
        # Handlers may have added records meanwhile; those stay for the next write.
        del self._unwritten[: len(records)]
