"""Undo on a real server.

Everything a case did is taken back, whatever became of the case, and nothing else is.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

import activities.undo
from clawback.actions import BlockSender, Move, Reclassify
from clawback.cases import CasePlan, CaseStart, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.services.configuration import connect_api
from clawback.simulator import outbreak, parse_faults
from clawback.temporal import names
from clawback.temporal.corrections import Corrections
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.undo_gateway import (
    CaseRun,
    NothingKnown,
    UndoGateway,
    UndoRequest,
    UndoSummary,
)
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

SCOPE = UndoScope(actor=person("ana"), reason="clean mail")
MOVE = Move(destination=Destination.RECOVERABLE)
EVERYTHING = (
    MOVE,
    Reclassify(disposition=Disposition.MALICIOUS),
    BlockSender(pattern="a@sender.example"),
)
AT_ONCE = CaseTiming(linger=timedelta())


def plan(**changes: Any) -> CasePlan:
    """Build an enforcing plan."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v1",
            "mode": Mode.ENFORCE,
            "group": {"edf_hash": "x"},
            "actions": (MOVE,),
            **changes,
        }
    )


async def undo(deployment: Deployment, scope: UndoScope = SCOPE, **which: Any) -> UndoSummary:
    """Find and undo, as the command does."""
    gateway = UndoGateway(deployment.client)
    found = await eventually(lambda: candidates(gateway, scope=scope, **which))
    return await total(gateway, await gateway.start(scope, found))


async def candidates(
    gateway: UndoGateway, case: str | None = None, scope: UndoScope = SCOPE, **which: Any
) -> list[CaseRun] | None:
    """The cases that can be undone; None while there are none: the index may lag by a second."""
    with suppress(NothingKnown):
        found = await gateway.find(scope, case=case, **which)
        return [one.case for one in found.candidates] or None
    return None


async def total(gateway: UndoGateway, ids: Sequence[str]) -> UndoSummary:
    """What an undo did on all its pages, without the sums of each action."""
    found = UndoSummary.total((await gateway.result(ids)).require_all())
    return found.model_copy(update={"actions": ()})


def rows(deployment: Deployment, operation: str) -> list[dict[str, Any]]:
    """The ledger's rows of one operation."""
    return [row for row in deployment.ledger if row["operation"] == operation]


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_case_is_taken_back_whole(
    temporal: Client, tmp_path: Path, *, is_open: bool
) -> None:
    """Messages are in the inbox, the block is gone, the reclassification is answered.

    The rule is demoted, and it is on record.
    """
    lines = list(outbreak(5))
    told = plan(actions=EVERYTHING)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(
            told, *map(match_of, lines), pace=CaseTiming() if is_open else AT_ONCE
        )
        await deployment.settled(told.case_id, CaseState.SETTLED if is_open else CaseState.CLOSED)
        assert await undo(deployment, case=told.case_id) == UndoSummary(cases=1, done=7)
        returned = [row for row in rows(deployment, "move") if row["destination"] == "Inbox"]
        assert sorted(row["id"] for row in returned) == sorted(
            line["message"]["id"] for line in lines
        )
        assert (len(rows(deployment, "create")), len(rows(deployment, "delete"))) == (1, 1)
        assert [row["disposition"] for row in rows(deployment, "reclassify")] == [
            "MALICIOUS",
            "NONE",
        ]
        undone = [record for record in deployment.audit() if record.kind is RecordKind.UNDONE]
        assert ({record.actor for record in undone}, len({record.id for record in undone})) == (
            {"ana"},
            7,
        )
        guard = await GuardGateway(temporal).status()
        assert guard is not None
        assert guard.demoted["r"].undone == 7
        assert (
            sum(guard.counters["all/messages"].minutes.values()) == 5
        )  # taking back costs nothing
        assert (
            await undo(deployment, case=told.case_id) is not None
        )  # a second undo finds the same, and harms nothing
        assert len(rows(deployment, "delete")) == 1
        assert len(rows(deployment, "reclassify")) == 2


async def test_undos_at_the_same_time_answer_a_reclassification_once(
    temporal: Client, tmp_path: Path
) -> None:
    """One of the whole case, and one of its messages alone."""
    lines = list(outbreak(2))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=EVERYTHING[:2]), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        first = rows(deployment, "reclassify")[0]["id"]
        undone = await asyncio.gather(
            undo(deployment, UndoScope(actor=person("bob"), messages=(first,))),
            undo(deployment, case=plan().case_id),
        )
        assert [one.failed for one in undone] == [0, 0]
        assert [row["disposition"] for row in rows(deployment, "reclassify")] == [
            "MALICIOUS",
            "NONE",
        ]


async def test_a_correction_belongs_to_the_undo_that_claims_it_first(temporal: Client) -> None:
    """It may claim it again, after a lost answer; only what it releases goes to another one."""
    corrections = Corrections(temporal)
    assert await corrections.claim("case", "m", "first")
    assert await corrections.claim("case", "m", "first")
    assert not await corrections.claim("case", "m", "second")
    assert await corrections.claim("another case", "m", "second")

    await corrections.release("case", "m", "second")
    assert not await corrections.claim("case", "m", "second")
    await corrections.release("case", "m", "first")
    assert await corrections.claim("case", "m", "second")
    assert not await corrections.claim("case", "m", "first")


async def test_an_undone_case_ends_and_its_campaign_is_held_from_then_on(
    temporal: Client, tmp_path: Path
) -> None:
    """The state is `undone`; new mail of the campaign opens a new case, which asks first."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines[:2]))
        await deployment.settled(plan().case_id)
        await undo(deployment, case=plan().case_id)
        memory = (await deployment.cases.status(plan().case_id)).snapshot
        assert memory is not None
        assert memory.state is CaseState.UNDONE
        await deployment.signal_case(plan(), match_of(lines[2]))
        await deployment.settled(plan().case_id, CaseState.HELD)
        assert len(rows(deployment, "move")) == 4


async def test_the_rule_is_demoted_before_anything_is_taken_back(
    temporal: Client, tmp_path: Path
) -> None:
    """Mail that is read again while an undo waits for the API opens a case that asks first."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        faults = deployment.simulator.account.faults
        faults.reset(parse_faults("500=1"))
        gateway = UndoGateway(temporal)
        undoing = await gateway.start(
            SCOPE, await eventually(lambda: candidates(gateway, case=plan().case_id))
        )
        await eventually(lambda: _demoted(temporal, "r"))

        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id, CaseState.HELD)
        faults.reset(parse_faults(""))
        assert (await total(gateway, undoing)).done == 3
        moves = Counter(row["destination"] for row in rows(deployment, "move"))
        assert moves == {"RecoverableItemsDeletions": 3, "Inbox": 3}


async def _demoted(client: Client, rule: str) -> bool | None:
    guard = await GuardGateway(client).status()
    return (guard is not None and rule in guard.demoted) or None


async def test_one_message_is_taken_back_alone(temporal: Client, tmp_path: Path) -> None:
    """Its case goes on, and the others stay where they are."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=EVERYTHING), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        chosen = lines[1]["message"]["id"]
        undone = await undo(deployment, UndoScope(actor=person("ana"), messages=(chosen,)))
        assert undone.done >= 1
        assert [row["id"] for row in rows(deployment, "move") if row["destination"] == "Inbox"] == [
            chosen
        ]
        assert rows(deployment, "delete") == []
        assert (await deployment.cases.status(plan().case_id)).snapshot.state is CaseState.SETTLED  # type: ignore[union-attr]


async def test_only_what_was_done_since_is_taken_back(temporal: Client, tmp_path: Path) -> None:
    """What the case did before stays done."""
    lines = list(outbreak(4))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines[:2]))
        await deployment.settled(plan().case_id)
        memory = (await deployment.cases.status(plan().case_id)).snapshot
        assert memory is not None
        since = memory.applied[-1].at + timedelta(microseconds=1)
        await deployment.signal_case(plan(), *map(match_of, lines[2:]))
        await eventually(lambda: _moved(deployment, 4))
        await deployment.settled(plan().case_id)
        await undo(deployment, UndoScope(actor=person("ana"), since=since), rule="r")
        back = {row["id"] for row in rows(deployment, "move") if row["destination"] == "Inbox"}
        assert back == {line["message"]["id"] for line in lines[2:]}


@pytest.mark.parametrize("how", ["terminate", "cancel"])
async def test_a_case_that_was_ended_from_outside_is_taken_back(
    temporal: Client, tmp_path: Path, how: str
) -> None:
    """Termination runs nothing of ours, and neither does cancellation.

    The memory is read from the history.
    """
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        handle = temporal.get_workflow_handle(plan().case_id)
        await (handle.terminate("by hand") if how == "terminate" else handle.cancel())
        await eventually(lambda: _is_over(handle))
        assert await undo(deployment, rule="r") == UndoSummary(cases=1, done=3)


@pytest.mark.parametrize("temporal", [("history.maximumSignalsPerExecution=3",)], indirect=True)
async def test_a_case_at_its_signal_limit_is_taken_back(temporal: Client, tmp_path: Path) -> None:
    """It cannot be told, so it is cancelled; that it is undone is on record all the same."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(150):
        for line in lines:
            await deployment.signal_case(plan(), match_of(line))
        await eventually(lambda: _moved(deployment, 3))
        await deployment.settled(plan().case_id)
        assert await undo(deployment, case=plan().case_id) == UndoSummary(cases=1, done=3)
        kinds = [one.kind for one in deployment.audit() if one.actor == "ana"]
        assert kinds.count(RecordKind.UNDO_STARTED) == 1
        assert kinds.count(RecordKind.UNDONE) == 3


async def test_a_case_that_cannot_end_does_not_keep_its_undo_from_ending(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker serves it, as after a roll-back: it is terminated."""
    monkeypatch.setattr(activities.undo, "ENDING_PATIENCE", timedelta())
    async with deployed(temporal, simulated([]), tmp_path), asyncio.timeout(150):
        handle = await temporal.start_workflow(
            names.CASE, CaseStart(plan=plan()), id=plan().case_id, task_queue="nobody"
        )
        first = handle.first_execution_run_id or ""
        stuck = CaseRun(case=handle.id, run=first, first_run=first)
        gateway = UndoGateway(temporal)
        assert (await total(gateway, await gateway.start(SCOPE, [stuck]))).cases == 1
        assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED


async def test_a_page_that_somebody_ended_does_not_hide_what_the_others_did(
    temporal: Client, tmp_path: Path
) -> None:
    """The pages of an undo are workflows of their own; the error names the one without a result."""
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        gateway = UndoGateway(temporal)
        ended = await temporal.start_workflow(
            names.UNDO, UndoRequest(scope=SCOPE, cases=()), id="undo/ended/2", task_queue="nobody"
        )
        await ended.terminate()

        found = await eventually(lambda: candidates(gateway, plan().case_id))
        (page,) = await gateway.start(SCOPE, found)
        answers = await gateway.result([page, ended.id])
        assert {id_: one.done for id_, one in answers.given.items()} == {page: 1}
        assert "undo/ended/2 ended without a result" in answers.unanswered[ended.id]


async def test_undo_goes_on_while_everything_is_stopped(temporal: Client, tmp_path: Path) -> None:
    """The kill switch stops containment, not the way back."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=EVERYTHING), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        await GuardGateway(temporal).stop(person("ana"), "")
        assert (await undo(deployment, case=plan().case_id)).failed == 0


async def test_a_case_whose_work_waits_behind_the_kill_switch_is_undone_at_once(
    temporal: Client, tmp_path: Path
) -> None:
    """Its request never left, so nothing has to come back.

    The messages have their outcome, and `resume` finds nothing to do.
    """
    lines = list(outbreak(4))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), match_of(lines[0]))
        await deployment.settled(plan().case_id)
        await GuardGateway(temporal).stop(person("ana"), "")
        await deployment.lease_over()
        await deployment.signal_case(plan(), *map(match_of, lines[1:]))
        await deployment.settled(plan().case_id, CaseState.RESPONDING)
        assert (await undo(deployment, case=plan().case_id)).failed == 0
        await GuardGateway(temporal).resume(person("ana"))
        assert [row["destination"] for row in rows(deployment, "move")] == [
            "RecoverableItemsDeletions",
            "Inbox",
        ]
        memory = (await deployment.cases.status(plan().case_id)).snapshot
        assert memory is not None
        assert (memory.state, len(memory.outcomes[0])) == (CaseState.UNDONE, 4)


@pytest.mark.parametrize("faults", ["lost_answer=0.4", "500=0.4", "429=0.3"])
async def test_undo_is_exact_under_faults(temporal: Client, tmp_path: Path, faults: str) -> None:
    """Lost answers, errors and refusals.

    Each message comes back once, each correction is asked for once.
    """
    lines = list(outbreak(3))
    groups = range(6)
    async with deployed(temporal, simulated(lines * 0), tmp_path) as deployment:
        for group in groups:
            deployment.simulator.add(mine := list(outbreak(3, seed=group + 1)))
            await deployment.signal_case(
                plan(group={"edf_hash": str(group)}, actions=EVERYTHING[:2]), *map(match_of, mine)
            )
        await asyncio.gather(
            *(deployment.settled(plan(group={"edf_hash": str(group)}).case_id) for group in groups)
        )
        deployment.simulator.account.faults.reset(parse_faults(faults))
        assert await undo(deployment, rule="r") == UndoSummary(cases=6, done=24)
        back = [row["id"] for row in rows(deployment, "move") if row["destination"] == "Inbox"]
        assert len(back) == len(set(back)) == 18
        assert [row["disposition"] for row in rows(deployment, "reclassify")].count("NONE") == 6


@pytest.mark.parametrize("change", [{"comments": "kept by the mail team"}, {"is_regex": True}])
async def test_a_block_that_somebody_changed_is_left_alone(
    temporal: Client, tmp_path: Path, change: dict[str, Any]
) -> None:
    """Without our mark in its comments, or with another meaning, it is theirs now."""
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=EVERYTHING[2:]), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        (made,) = rows(deployment, "create")
        async with connect_api(deployment.settings) as api:
            await api.settings.block_senders.edit(made["id"], **change)
        undone = await undo(deployment, case=plan().case_id)
        assert (undone.cases, rows(deployment, "delete")) == (1, [])


async def _is_over(handle: WorkflowHandle[Any, Any]) -> bool | None:
    return (await handle.describe()).close_time is not None or None


async def _moved(deployment: Deployment, number: int) -> bool | None:
    return len(rows(deployment, "move")) == number or None
