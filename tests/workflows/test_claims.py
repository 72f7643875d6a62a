"""Entries that several cases want: each case has a claim, and the last one decides."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from clawback.actions import AllowSender, BlockSender, ProtectIdentity
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.model.mode import Mode
from clawback.model.policies import ExpiringBlock, Removal
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_blocks import recorded, removed, standing
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import undo

PATTERN = "a@sender.example"
DAY = timedelta(days=1)


def told(rule: str, days: int) -> CasePlan:
    """The plan of a rule that blocks one sender for some days."""
    action = BlockSender(pattern=PATTERN, expires_after=(timedelta(days=days),))
    return CasePlan(
        rule=rule, version="v1", mode=Mode.ENFORCE, group={"from": "a"}, actions=(action,)
    )


async def block(deployment: Deployment, rule: str, days: int) -> dict[str, str]:
    """Let a case block the sender; its outcomes."""
    plan = told(rule, days)
    line = next(iter(outbreak(1)))
    await deployment.signal_case(plan, match_of(line), pace=CaseTiming(linger=timedelta(hours=1)))
    return await deployment.settled(plan.case_id)


async def claimed(deployment: Deployment, count: int) -> ActiveBlock:
    """The one block, once it has so many claims."""

    async def there() -> ActiveBlock | None:
        blocks = await standing(deployment)
        return next((one for one in blocks if one.claims.count == count), None)

    return await eventually(there)


def left(block: ActiveBlock) -> timedelta:
    """How long a block stands from now on."""
    return block.expires_at - datetime.now(UTC)


@pytest.mark.parametrize(("first", "second"), [(1, 30), (30, 1)])
async def test_a_block_stands_until_the_latest_end(
    temporal: Client, tmp_path: Path, first: int, second: int
) -> None:
    """Whichever case came first; there is one block, and both cases have blocked."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        assert await block(deployment, "first", first) == {PATTERN: "blocked"}
        assert await block(deployment, "second", second) == {PATTERN: "blocked"}
        found = await claimed(deployment, 2)
        assert 29 * DAY < left(found) <= 30 * DAY
        assert {one.rule for one in found.claims.kept} == {"first", "second"}
        assert [row["operation"] for row in deployment.ledger] == ["create"]


async def test_a_longer_claim_is_waited_for(skipping: Client, tmp_path: Path) -> None:
    """The block ends after thirty days, not after one."""
    async with deployed(skipping, simulated([]), tmp_path) as deployment:
        await block(deployment, "short", 1)
        await block(deployment, "long", 30)

        async def ended() -> bool | None:
            return bool(removed(deployment)) or None

        await eventually(ended)
        handle = skipping.get_workflow_handle(f"expiry/{removed(deployment)[0]}")
        await handle.result()
        described = await handle.describe()
        closed = described.close_time
        assert closed is not None
        assert closed - described.start_time > 29 * DAY


@pytest.mark.parametrize("undone", ["short", "long"])
async def test_undo_ends_one_claim_only(temporal: Client, tmp_path: Path, undone: str) -> None:
    """The block stays for the other case, until that wants it to end; then undo removes it."""
    other = {"short": "long", "long": "short"}[undone]
    days = {"short": 1, "long": 30}
    scope = UndoScope(actor=person("ana"))
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await block(deployment, "short", days["short"])
        await block(deployment, "long", days["long"])
        await undo(deployment, scope, case=told(undone, 1).case_id)
        found = await claimed(deployment, 1)
        assert removed(deployment) == []
        assert [one.rule for one in found.claims.kept] == [other]
        assert timedelta() < timedelta(days=days[other]) - left(found) < timedelta(minutes=5)
        outcomes = [one.outcome for one in recorded(deployment, RecordKind.UNDONE)]
        assert outcomes == ["still_claimed"]

        await undo(deployment, scope, case=told(other, 1).case_id)
        assert removed(deployment) == [found.id]


async def test_a_person_who_extends_a_block_claims_it(temporal: Client, tmp_path: Path) -> None:
    """Undo of the case leaves it to that person, and a lift ends all claims."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await block(deployment, "short", 1)
        (made,) = await standing(deployment)
        blocks = BlockGateway(temporal)
        await blocks.extend(made.id, made.expires_at + 9 * DAY, person("ana"))
        # The next run of a block with many claims is told when the first one began.
        (execution,) = [
            one async for one in temporal.list_workflows(f"WorkflowId = 'expiry/{made.id}'")
        ]
        memo = await execution.memo_value(names.BLOCK_MEMO, type_hint=ExpiringBlock)
        assert memo.made_at == made.made_at
        await undo(deployment, UndoScope(actor=person("ben")), case=told("short", 1).case_id)
        found = await claimed(deployment, 1)
        assert [one.label for one in found.claims.kept] == ["ana"]
        assert await blocks.lift(found.id, person("ben"), "a partner") is Removal.REMOVED


async def test_an_entry_without_an_end_stands_until_nobody_wants_it(
    temporal: Client, tmp_path: Path
) -> None:
    """Undo of the case that made it leaves it to the other, for which it has no end either."""
    lines = list(outbreak(1))
    action = ProtectIdentity(display_name="Ana Boss", email="ana@corp.example")
    plans = [
        CasePlan(rule=rule, version="v", mode=Mode.ENFORCE, group={"a": "b"}, actions=(action,))
        for rule in ("one", "two")
    ]
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        for plan in plans:
            await deployment.signal_case(plan, *map(match_of, lines))
            assert await deployment.settled(plan.case_id) == {"ana@corp.example": "created"}
        for plan in plans:
            assert removed(deployment) == []
            await undo(deployment, UndoScope(actor=person("ana")), case=plan.case_id)
        assert len(removed(deployment)) == 1


async def test_what_people_made_is_not_claimed(temporal: Client, tmp_path: Path) -> None:
    """Nothing of ours will ever end it."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await deployment.api.settings.block_senders.create(
            pattern=PATTERN, pattern_type="EMAIL", is_regex=False, comments="by hand"
        )
        assert await block(deployment, "short", 1) == {PATTERN: "already_there"}
        assert await standing(deployment) == []


async def test_an_allow_policy_has_claims_too(temporal: Client, tmp_path: Path) -> None:
    """Undo of the case that made it leaves it to the other."""
    lines = list(outbreak(1))
    action = AllowSender(pattern=PATTERN)
    plans = [
        CasePlan(rule=rule, version="v", mode=Mode.ENFORCE, group={"a": "b"}, actions=(action,))
        for rule in ("one", "two")
    ]
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        for plan in plans:
            await deployment.signal_case(plan, *map(match_of, lines))
            await deployment.settled(plan.case_id, CaseState.HELD)
            digest = (await deployment.cases.proposal(plan.case_id)).digest
            for name in ("ana", "ben"):
                await deployment.cases.approve(plan.case_id, person(name), digest)
            assert await deployment.settled(plan.case_id) == {PATTERN: "created"}
        for plan in plans:
            assert removed(deployment) == []
            await undo(deployment, UndoScope(actor=person("ana")), case=plan.case_id)
        assert len(removed(deployment)) == 1
