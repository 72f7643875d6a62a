"""Lists and undo plans read the index and the memo of cases; histories where those do not suffice.

No worker runs while they are read, so nothing can be replayed.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client

from activities import ACTIVITIES
from clawback.actions import BlockSender, Move, Reclassify
from clawback.case_files.undo_preview import found_data
from clawback.cases import CasePlan, CaseState, CaseTiming, summary
from clawback.cases.undo_plan import UndoBasis, UndoScope, plan_undo
from clawback.cli.undo.output import print_plan
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal import names, undo_gateway
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_history import CHANGES
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.data_converter import data_converter
from clawback.temporal.key_ring import Key, KeyRing
from clawback.temporal.undo_gateway import FoundUndo, NothingKnown, UndoGateway
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

SCOPE = UndoScope(actor=person("ana"))
EVERYTHING = (
    Move(destination=Destination.RECOVERABLE),
    Reclassify(disposition=Disposition.MALICIOUS),
    BlockSender(pattern="a@sender.example"),
)


def plan(group: int, **changes: Any) -> CasePlan:
    """Build an enforcing plan of one group."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v1",
            "mode": Mode.ENFORCE,
            "group": {"edf_hash": str(group)},
            "actions": EVERYTHING,
            **changes,
        }
    )


async def acted(deployment: Deployment, group: int, copies: int, **changes: Any) -> list[Any]:
    """Let a case act on a campaign of its own sender."""
    lines = list(outbreak(copies, group, sender=f"s{group}@bad.test"))
    deployment.simulator.add(lines)
    told = plan(group, **changes)
    await deployment.signal_case(told, *map(match_of, lines))
    await deployment.settled(told.case_id)
    return lines


async def test_lists_and_plans_need_no_worker(temporal: Client, tmp_path: Path) -> None:
    """State, sender, message and mailbox are found, also of a case too large for the index.

    A terminated case, and one whose memo another key wrote, are in the answer too.
    """
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        small = await acted(deployment, 1, 3)
        large = await acted(deployment, 2, 70)
        await acted(deployment, 3, 2)
        before = {
            group: (await deployment.cases.status(plan(group).case_id)).snapshot
            for group in (1, 2, 3)
        }
        ended = temporal.get_workflow_handle(plan(3).case_id)
        await ended.terminate("by hand")
        await foreign_case(deployment)

    cases, undo = CaseGateway(temporal), UndoGateway(temporal)
    await eventually(lambda: _indexed(cases))

    async def found(**wanted: Any) -> set[str]:
        return {line.id for line in await cases.find(CaseFilter(**wanted))}

    one, two = plan(1).case_id, plan(2).case_id
    assert await found(sender="S1@bad.test") == {one}
    assert await found(message=small[0]["message"]["id"]) == {one}
    assert await found(message=large[-1]["message"]["id"]) == {two}
    assert await found(mailbox=large[-1]["message"]["client_recipients"][0]) >= {two}
    assert await found(message="nobody's") == set()
    assert await found(state=CaseState.SETTLED) >= {one, two}

    lines = {line.id: line for line in await cases.find()}
    small_one = lines[one].summary
    assert small_one is not None
    assert (small_one.messages, small_one.sender, small_one.changed) == (3, "s1@bad.test", 5)
    assert lines[plan(3).case_id].ended == "terminated"
    assert lines[plan(9).case_id].unreadable

    plans = await undo.find(SCOPE)
    told = {one.case.case: one.plan for one in plans.candidates}
    for group, snapshot in before.items():
        assert snapshot is not None
        oracle = plan_undo(UndoBasis.of(plan(group), snapshot), SCOPE)
        assert sorted(t.id for t in told[plan(group).case_id].messages) == sorted(
            target.id for target in oracle.messages
        )
        assert told[plan(group).case_id].policies == oracle.policies
        assert told[plan(group).case_id].uid == oracle.uid
        assert [c.target.id for c in told[plan(group).case_id].corrections] == [
            c.target.id for c in oracle.corrections
        ]
    assert [one.case for one in plans.unreadable] == [plan(9).case_id]

    message = UndoScope(actor=person("ana"), messages=(large[-1]["message"]["id"],))
    assert [one.case.case for one in (await undo.find(message)).candidates] == [two]
    for unknown in ({"case": "case/r/0000"}, {"rule": "nobody's"}):
        with pytest.raises(NothingKnown):
            await undo.find(SCOPE, **unknown)
    with pytest.raises(NothingKnown):
        await undo.find(UndoScope(actor=person("ana"), messages=("nobody's",)))


async def test_a_plan_for_many_cases_reads_few_histories(
    temporal: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The plan says how many cases it leaves out; they are read before anything is undone."""
    monkeypatch.setattr(summary, "MOST_UNDO_BYTES", 0)
    monkeypatch.setattr(undo_gateway, "MOST_HISTORIES", 1)
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        for group in (1, 2, 3):
            await acted(deployment, group, group)

        undo = UndoGateway(temporal)

        async def planned() -> FoundUndo | None:
            found = await undo.find(SCOPE, rule="r")
            return found if sum(one.messages for one in found.unread) >= 3 else None

        found = await eventually(planned)
        assert (len(found.candidates), len(found.unread)) == (1, 2)
        print_plan(found, ends_cases=True)
        assert "2 more cases, with " in capsys.readouterr().out
        assert [one["case"] for one in dict(found_data(found))["unread"]] == [
            one.entry.id for one in found.unread
        ]

        rest = await undo.read_rest(found, SCOPE)
        assert sorted(len(one.plan.messages) for one in rest.candidates) == [1, 2, 3]
        assert (rest.unread, rest.unreadable) == ((), ())
        for group in (1, 2, 3):
            assert not (await undo.find(SCOPE, case=plan(group).case_id)).unread


async def foreign_case(deployment: Deployment) -> None:
    """Start a case under another encryption key, and end it at once."""
    key = KeyRing([Key(b"x" * 32)])
    client = deployment.client
    foreign = Client(
        client.service_client, namespace=client.namespace, data_converter=data_converter(key)
    )
    lines = list(outbreak(1, 9, sender="s9@bad.test"))
    await CaseGateway(foreign).signal_matches(
        plan(9), [*map(match_of, lines)], CaseTiming(linger=timedelta(hours=1))
    )
    await foreign.get_workflow_handle(plan(9).case_id).terminate("unreadable")


async def _indexed(cases: CaseGateway) -> bool | None:
    lines = await cases.find()
    states = [line.shown_state for line in lines]
    return (len(lines), states.count("settled"), states.count("terminated")) == (4, 2, 2) or None


def test_every_changing_activity_is_read_from_histories() -> None:
    """An activity that is added to the containment queue must be read by undo."""
    definitions = (
        activity._Definition.must_from_callable(one)  # the SDK has no public way
        for queue in names.STOPPABLE_QUEUES
        for one in ACTIVITIES[queue]
    )
    # Most moves leave together with their reservation, which is asked on the queue of the guard.
    assert {one.name for one in definitions} | {"guard.reserve_and_move"} == CHANGES
