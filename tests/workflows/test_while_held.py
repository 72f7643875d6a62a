"""What held cases do on a real server: moved meanwhile, moved on, given back, taken back."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import Move
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.case_history import read_case_history
from clawback.temporal.guard_gateway import GuardGateway
from tests.people import person
from tests.rules.folders import PLAIN, write
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_act_check import change, matched
from tests.workflows.test_case import plan as enforcing
from tests.workflows.test_case import simulated
from tests.workflows.test_parts import campaign, small
from tests.workflows.test_undo import undo

__all__ = ["small"]
JUNK = Move(destination=Destination.JUNK)
ASKING = PLAIN.replace("mode: enforce", "mode: approve").replace(
    "    - move: {destination: JunkEmail}",
    "    - move: {destination: RecoverableItemsDeletions}\n"
    "  while-held: {move: {destination: JunkEmail}}",
)


def plan(**changes: Any) -> CasePlan:
    """Build the plan of a rule that asks first, and moves to the junk folder meanwhile."""
    return enforcing(**{"mode": Mode.APPROVE, "while_held": JUNK, **changes})


CASE = plan().case_id


def ids(lines: list[dict[str, Any]]) -> list[str]:
    """The ids of messages, in order."""
    return sorted(line["message"]["id"] for line in lines)


def moves(deployment: Deployment, folder: Destination) -> list[str]:
    """The messages that were moved to a folder, one entry for each effective move."""
    rows = [row for row in deployment.ledger if row["operation"] == "move"]
    return sorted(row["id"] for row in rows if row["destination"] == folder)


async def junked(
    deployment: Deployment, count: int, case: str = CASE, state: CaseState = CaseState.HELD
) -> str:
    """Wait until so many messages have an outcome of that; return the digest of the case."""

    async def there() -> bool | None:
        snapshot = (await deployment.cases.status(case)).snapshot
        assert snapshot is not None
        return (snapshot.state is state and len(snapshot.outcomes[1]) == count) or None

    await eventually(there)
    return (await deployment.cases.proposal(case)).digest


async def given_back(deployment: Deployment, count: int) -> None:
    """Wait until so many messages were given back."""

    async def there() -> bool | None:
        snapshot = (await deployment.cases.status(CASE)).snapshot
        assert snapshot is not None
        return len(snapshot.outcomes[2]) == count or None

    await eventually(there)


async def test_an_approved_case_moves_its_messages_on(temporal: Client, tmp_path: Path) -> None:
    """First to the junk folder, without anybody; then to where the rule wants them."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        digest = await junked(deployment, 3)
        assert moves(deployment, Destination.JUNK) == ids(lines)
        assert moves(deployment, Destination.RECOVERABLE) == []
        await deployment.cases.approve(CASE, person("ana"), digest)
        assert set((await deployment.settled(CASE)).values()) == {"moved"}
        assert moves(deployment, Destination.RECOVERABLE) == ids(lines)
        assert moves(deployment, Destination.JUNK) == ids(lines)


async def test_a_denied_case_gives_its_messages_back(temporal: Client, tmp_path: Path) -> None:
    """They are in the inbox again, and the audit says so; nothing is left to undo."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await junked(deployment, 3)
        await deployment.cases.deny(CASE, person("ana"), "newsletter")
        await given_back(deployment, 3)
        assert moves(deployment, Destination.INBOX) == ids(lines)
        acted = [one for one in deployment.audit() if one.kind is RecordKind.ACTED]
        assert sorted(str(one.target) for one in acted if one.action == "give_back") == ids(lines)
        (line,) = await deployment.cases.find()
        assert line.summary is not None
        await eventually(lambda: _is_unchanged(deployment))


async def _is_unchanged(deployment: Deployment) -> bool | None:
    (line,) = await deployment.cases.find()
    return (line.summary is not None and line.summary.changed == 0) or None


async def test_silence_leaves_them_where_they_are_until_undo(
    temporal: Client, tmp_path: Path
) -> None:
    """The case expires and says what stays; undo returns each message once."""
    lines = list(outbreak(2))
    pace = CaseTiming(linger=timedelta(seconds=3), approval_timeout=timedelta(seconds=3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines), pace=pace)
        await eventually(lambda: _recorded(deployment, RecordKind.EXPIRED))
        (expired,) = [one for one in deployment.audit() if one.kind is RecordKind.EXPIRED]
        assert expired.detail == "2 messages left in JunkEmail; undo returns them"
        assert moves(deployment, Destination.INBOX) == []
        await undo(deployment)
        assert moves(deployment, Destination.INBOX) == ids(lines)


async def _recorded(deployment: Deployment, kind: RecordKind) -> bool | None:
    return any(one.kind is kind for one in deployment.audit()) or None


async def test_undo_of_a_held_case_returns_its_messages(temporal: Client, tmp_path: Path) -> None:
    """Nobody has decided yet, and nobody has to."""
    lines = list(outbreak(2))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await junked(deployment, 2)
        await undo(deployment, UndoScope(actor=person("ana")))
        assert moves(deployment, Destination.INBOX) == ids(lines)
        assert moves(deployment, Destination.RECOVERABLE) == []


async def test_a_spent_budget_leaves_messages_alone_and_the_case_held(
    temporal: Client, tmp_path: Path
) -> None:
    """What does not fit is recorded with the reason; a message that joins later is tried anew."""
    lines = list(outbreak(3))
    folder = write(
        tmp_path / "rules",
        {"a_rule.yml": PLAIN, "safety.yml": "budgets: {overall: [{held_messages: 2, per: 1h}]}\n"},
    )
    async with deployed(temporal, simulated(lines[:3]), tmp_path, rules=folder) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await junked(deployment, 3)
        assert deployment.ledger == []
        acted = [one for one in deployment.audit() if one.action == "move_while_held"]
        assert {one.outcome for one in acted} == {"failed:share"}
        assert "3 held messages would exceed" in (acted[0].detail or "")


async def test_a_message_that_joins_a_held_case_is_moved_too(
    temporal: Client, tmp_path: Path
) -> None:
    """It is moved alone, and approved with the others."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines[:2]))
        await junked(deployment, 2)
        await deployment.signal_case(plan(), match_of(lines[2]))
        digest = await junked(deployment, 3)
        assert moves(deployment, Destination.JUNK) == ids(lines)
        await deployment.cases.approve(CASE, person("ana"), digest)
        await deployment.settled(CASE)
        assert moves(deployment, Destination.RECOVERABLE) == ids(lines)


@pytest.mark.usefixtures("small")
async def test_every_part_of_a_campaign_does_it(temporal: Client, tmp_path: Path) -> None:
    """A denial gives back the messages of all parts."""
    lines = campaign(45)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(plan(), *map(match_of, lines))
        await eventually(lambda: _all_moved(deployment, Destination.JUNK, lines))
        await deployment.cases.deny(CASE, person("ana"))
        await eventually(lambda: _all_moved(deployment, Destination.INBOX, lines))
        assert moves(deployment, Destination.RECOVERABLE) == []


async def _all_moved(
    deployment: Deployment, folder: Destination, lines: list[dict[str, Any]]
) -> bool | None:
    return moves(deployment, folder) == ids(lines) or None


@pytest.mark.parametrize("approved", [True, False])
async def test_no_lost_response_leaves_a_message_in_the_wrong_folder(
    temporal: Client, tmp_path: Path, *, approved: bool
) -> None:
    """Half of the responses are lost: the first move is no proof of the second."""
    lines = list(outbreak(6))
    simulator = simulated(lines, "lost_answer=0.5,500=0.2", seed=11)
    async with deployed(temporal, simulator, tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(plan(), *map(match_of, lines))
        digest = await junked(deployment, 6)
        assert moves(deployment, Destination.JUNK) == ids(lines)
        if approved:
            await deployment.cases.approve(CASE, person("ana"), digest)
            await deployment.settled(CASE)
        else:
            await deployment.cases.deny(CASE, person("ana"))
            await given_back(deployment, 6)
        last = {row["id"]: row["destination"] for row in deployment.ledger}
        assert set(last.values()) == {Destination.RECOVERABLE if approved else Destination.INBOX}


async def test_a_stop_keeps_messages_but_not_people_waiting(
    temporal: Client, tmp_path: Path
) -> None:
    """While containment is stopped, the case is held, told and expires as ever."""
    lines = list(outbreak(2))
    pace = CaseTiming(approval_timeout=timedelta(seconds=3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await GuardGateway(temporal).stop(person("ana"), "")
        await deployment.lease_over()
        await deployment.signal_case(plan(), *map(match_of, lines), pace=pace)
        await eventually(lambda: _recorded(deployment, RecordKind.EXPIRED))
        assert deployment.ledger == []


async def test_people_need_not_wait_for_what_a_stop_holds_back(
    temporal: Client, tmp_path: Path
) -> None:
    """A denial takes the request out of the closed queue: there is nothing to give back."""
    lines = list(outbreak(2))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        guard = GuardGateway(temporal)
        await guard.stop(person("ana"), "")
        await deployment.lease_over()
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.scheduled(plan(), "email_security.move_messages")
        await deployment.cases.deny(CASE, person("ana"))
        await junked(deployment, 2, state=CaseState.DENIED)
        acted = [one for one in deployment.audit() if one.action == "move_while_held"]
        assert {one.outcome for one in acted} <= {"failed:cancelled", "failed:stopped"}
        assert deployment.ledger == []


async def test_a_response_to_the_same_folder_sends_no_request(
    temporal: Client, tmp_path: Path
) -> None:
    """The guard has room again: the case goes on, and what is there already costs nothing."""
    lines = list(outbreak(2))
    told = plan(mode=Mode.ENFORCE, actions=(JUNK,))
    small = "budgets: {overall: [{messages: 1, per: 1h}], reserved: {critical: 0%, high: 0%}}\n"
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "safety.yml": small})
    async with deployed(temporal, simulated(lines), tmp_path, rules=folder) as deployment:
        await deployment.signal_case(told, *map(match_of, lines))
        digest = await junked(deployment, 2)
        sent = deployment.requests("/investigate/move")
        await deployment.cases.approve(CASE, person("ana"), digest)
        assert set((await deployment.settled(CASE)).values()) == {"already_there"}
        assert deployment.requests("/investigate/move") == sent
        assert moves(deployment, Destination.JUNK) == ids(lines)


async def test_a_case_that_waits_for_a_budget_goes_on_by_itself(
    temporal: Client, tmp_path: Path
) -> None:
    """The guard grants what it had refused: what is in the folder already costs nothing."""
    lines = list(outbreak(3))
    safety = (
        "budgets: {{overall: [{{messages: {}, per: 1h}}], reserved: {{high: 0%, critical: 0%}}}}\n"
    )
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "safety.yml": safety.format(2)})
    other = enforcing(group={"edf_hash": "other"}, actions=(JUNK,))
    async with deployed(temporal, simulated(lines), tmp_path, rules=folder) as deployment:
        await deployment.signal_case(other, match_of(lines[2]))
        await deployment.settled(other.case_id)
        told = plan(mode=Mode.ENFORCE, actions=(JUNK,))
        await deployment.signal_case(told, *map(match_of, lines[:2]))
        await junked(deployment, 2)
        sent = deployment.requests("/investigate/move")
        write(folder, {"safety.yml": safety.format(1000)})
        assert await deployment.rules.reload_if_changed() is not None
        await temporal.get_workflow_handle(CASE).signal(names.BUDGET_FREED)
        assert set((await deployment.settled(CASE)).values()) == {"already_there"}
        assert deployment.requests("/investigate/move") == sent
        await eventually(lambda: _has_spent(deployment, 1))


async def _has_spent(deployment: Deployment, count: int) -> bool | None:
    guard = await GuardGateway(deployment.client).status()
    assert guard is not None
    spent = guard.counters["rule/r/messages"].spent(timedelta(hours=1), datetime.now(UTC))
    return spent == count or None


async def test_what_was_given_back_is_known_from_the_history_alone(
    temporal: Client, tmp_path: Path
) -> None:
    """A case that was terminated has nothing to undo of what it gave back."""
    lines = list(outbreak(2))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=(JUNK,)), *map(match_of, lines))
        await junked(deployment, 2)
        handle = temporal.get_workflow_handle(CASE)
        run = (await handle.describe()).run_id
        before = (await read_case_history(temporal, CASE, run)).basis
        assert [(one.index, len(one.subjects)) for one in before.changes] == [(1, 2)]
        await deployment.cases.deny(CASE, person("ana"))
        await given_back(deployment, 2)
        assert (await read_case_history(temporal, CASE, run)).basis.changes == ()


async def test_a_rule_moves_meanwhile_as_long_as_it_is_what_it_was(
    temporal: Client, tmp_path: Path
) -> None:
    """The poller opens the case, and reads its messages again as moved; then they are moved on."""
    lines = list(outbreak(2, sender="a@x.test"))
    folder = write(tmp_path / "rules", {"a_rule.yml": ASKING})
    async with deployed(
        temporal, simulated(lines), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        await deployment.poll()
        case = matched(deployment.rules, lines[0])[0].case_id
        digest = await junked(deployment, 2, case)
        await deployment.poll()
        await deployment.cases.approve(case, person("ana"), digest)
        assert set((await deployment.settled(case)).values()) == {"moved"}
        assert moves(deployment, Destination.RECOVERABLE) == ids(lines)


async def test_a_rule_that_changed_does_nothing_meanwhile(temporal: Client, tmp_path: Path) -> None:
    """A message that joins after the change stays where it is, and the reason is recorded."""
    lines = list(outbreak(2, sender="a@x.test"))
    folder = write(tmp_path / "rules", {"a_rule.yml": ASKING})
    async with deployed(
        temporal, simulated(lines), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        told, first = matched(deployment.rules, lines[0])
        await deployment.signal_case(told, first)
        await junked(deployment, 1, told.case_id)
        await change(deployment, folder, a_rule=ASKING.replace("JunkEmail", "DeletedItems"))
        await deployment.signal_case(told, first.model_copy(update=_other(lines[1])))
        await junked(deployment, 2, told.case_id)
        assert moves(deployment, Destination.JUNK) == ids(lines[:1])
        (refused,) = [one for one in deployment.audit() if one.outcome == "failed:changed"]
        assert "has other actions" in (refused.detail or "")


def _other(line: dict[str, Any]) -> dict[str, Any]:
    other = match_of(line)
    return {"key": other.key, "targets": other.targets}
