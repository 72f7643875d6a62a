"""The case workflow on a real server, against the simulator.

Nothing lost, nothing twice, whatever the API does.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from clawback.actions import BlockSender, Move, Reclassify
from clawback.cases import CasePlan, CaseState, CaseTiming, Match
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.services.configuration import connect_api
from clawback.simulator import MoveIdentity, Simulator, SimulatorOptions, outbreak, parse_faults
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.workflow_calls import UpdateRefused
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of, unknown_match

MOVE = Move(destination=Destination.RECOVERABLE)


def plan(**changes: Any) -> CasePlan:
    """Build an enforcing plan that moves."""
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


def simulated(lines: list[dict[str, Any]], faults: str = "", **options: Any) -> Simulator:
    """Build a simulator that holds these messages."""
    simulator = Simulator(
        replace(SimulatorOptions(rate=None, **options), faults=parse_faults(faults))
    )
    simulator.add(lines)
    return simulator


def moved_ids(deployment: Deployment) -> list[str]:
    """The messages that were moved, one entry for each effective move."""
    return [row["id"] for row in deployment.ledger if row["operation"] == "move"]


async def test_a_campaign_is_moved_in_one_request(temporal: Client, tmp_path: Path) -> None:
    """Three hundred messages, one request, one outcome each."""
    lines = list(outbreak(300))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        outcomes = await deployment.settled(plan().case_id)
        assert set(outcomes.values()) == {"moved"}
        assert sorted(moved_ids(deployment)) == sorted(line["message"]["id"] for line in lines)
        assert (
            deployment.requests("/investigate/move") <= 2
        )  # the first signal may be acted on before the second arrives


async def test_a_late_arrival_joins_the_open_case(temporal: Client, tmp_path: Path) -> None:
    """Only it is moved; earlier messages are not touched, and a repeated signal changes nothing."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines[:2]))
        await deployment.settled(plan().case_id)
        await deployment.signal_case(plan(), *map(match_of, lines))
        await eventually(lambda: _count(deployment, 3))
        await deployment.settled(plan().case_id)
        assert len(moved_ids(deployment)) == len(set(moved_ids(deployment))) == 3
        assert await deployment.cases.count() == 1


@pytest.mark.parametrize("identity", list(MoveIdentity))
async def test_whatever_message_id_means_every_move_is_recognised(
    temporal: Client, tmp_path: Path, identity: MoveIdentity
) -> None:
    """The answer may name messages by any of three ids."""
    lines = list(outbreak(20))
    async with deployed(temporal, simulated(lines, move_identity=identity), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        assert set((await deployment.settled(plan().case_id)).values()) == {"moved"}


@pytest.mark.parametrize(
    "fault", ["lost_answer", "reset", "500=0.15,intermediary", "malformed", "429"]
)
@pytest.mark.parametrize("count", [2, 40])
async def test_no_fault_loses_or_repeats_a_move(
    temporal: Client, tmp_path: Path, fault: str, count: int
) -> None:
    """With three responses in ten broken, every message moves once, with a certain outcome."""
    lines = list(outbreak(count))
    async with deployed(temporal, simulated(lines, f"{fault}=0.3", seed=7), tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        outcomes = await deployment.settled(plan().case_id)
        assert set(outcomes.values()) == {"moved"}
        assert sorted(moved_ids(deployment)) == sorted(outcomes)


async def test_an_unknown_message_does_not_spoil_the_others(
    temporal: Client, tmp_path: Path
) -> None:
    """It fails for itself."""
    lines = list(outbreak(5))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(
            plan(), *map(match_of, lines), unknown_match("4none-2026-01-01T00:00:00-1")
        )
        outcomes = await deployment.settled(plan().case_id)
        assert sorted(set(outcomes.values())) != ["moved"]
        assert sum(outcome == "moved" for outcome in outcomes.values()) == 5
        assert outcomes["4none-2026-01-01T00:00:00-1"].startswith("failed:")


@pytest.mark.parametrize("fault", ["", "lost_answer=0.5", "500=0.2,reset=0.2,intermediary=0.2"])
async def test_a_sender_is_blocked_once(temporal: Client, tmp_path: Path, fault: str) -> None:
    """One block stands, it is marked as ours, and a workflow will end it."""
    lines = list(outbreak(1))
    action = BlockSender(pattern="bad@sender.test")
    async with deployed(temporal, simulated(lines, fault, seed=3), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=(action,)), match_of(lines[0]))
        assert await deployment.settled(plan().case_id) == {"bad@sender.test": "blocked"}
        created = [row for row in deployment.ledger if row["operation"] == "create"]
        assert [row["pattern"] for row in created] == ["bad@sender.test"]
        expiry = deployment.client.get_workflow_handle(f"expiry/{created[0]['id']}")
        assert (await expiry.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_block_of_somebody_else_is_left_alone(temporal: Client, tmp_path: Path) -> None:
    """Blocking what is blocked is `already_there`, and nothing of ours will end it."""
    lines = list(outbreak(1))
    action = BlockSender(pattern="bad@sender.test")
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await api.create_block_sender(
            pattern="bad@sender.test", pattern_type="EMAIL", comments="by hand"
        )
        await deployment.signal_case(plan(actions=(action,)), match_of(lines[0]))
        assert await deployment.settled(plan().case_id) == {"bad@sender.test": "already_there"}
        assert sum(row["operation"] == "create" for row in deployment.ledger) == 1


async def test_a_block_ends_when_its_time_is_up(temporal: Client, tmp_path: Path) -> None:
    """It is removed by its own workflow, and that is recorded."""
    lines = list(outbreak(1))
    action = BlockSender(pattern="bad@sender.test", expires_after=timedelta(seconds=1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(actions=(action,)), match_of(lines[0]))
        await deployment.settled(plan().case_id)
        await eventually(lambda: _has(deployment, "delete"))
        assert [row["operation"] for row in deployment.ledger] == ["create", "delete"]


async def test_a_reclassification_is_asked_for_once(temporal: Client, tmp_path: Path) -> None:
    """Even when every second answer is lost: a submission that was made is found."""
    lines = list(outbreak(4))
    action = Reclassify(disposition=Disposition.MALICIOUS)
    async with deployed(
        temporal, simulated(lines, "lost_answer=0.5", seed=5), tmp_path
    ) as deployment:
        await deployment.signal_case(plan(actions=(action,)), *map(match_of, lines))
        assert list((await deployment.settled(plan().case_id)).values()) == ["reclassified"]
        assert sum(row["operation"] == "reclassify" for row in deployment.ledger) == 1


async def test_shadow_touches_nothing(temporal: Client, tmp_path: Path) -> None:
    """Not one request is sent, and every message has its record."""
    lines = list(outbreak(4))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(mode=Mode.SHADOW), *map(match_of, lines))
        assert set((await deployment.settled(plan().case_id)).values()) == {"would"}
        assert (deployment.ledger, deployment.requests()) == ([], 0)


async def test_a_held_case_acts_when_it_is_approved(temporal: Client, tmp_path: Path) -> None:
    """Nothing is sent before; the second answer is refused with where the case stands."""
    lines = list(outbreak(2))
    asking = plan(mode=Mode.APPROVE)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(asking, *map(match_of, lines))
        assert await deployment.settled(asking.case_id, CaseState.HELD) == {}
        assert deployment.requests() == 0
        assert await _approve(deployment, asking.case_id) == CaseState.RESPONDING
        assert set((await deployment.settled(asking.case_id)).values()) == {"moved"}
        with pytest.raises(UpdateRefused, match="nothing to decide"):
            await deployment.cases.deny(asking.case_id, person("bob"))


async def test_a_case_closes_and_a_new_one_may_follow(temporal: Client, tmp_path: Path) -> None:
    """The same campaign after the linger is a new case.

    A message that was moved is recognised by its record.
    """
    lines = list(outbreak(2))
    pace = CaseTiming(linger=timedelta(seconds=1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), match_of(lines[0]), pace=pace)
        assert await deployment.client.get_workflow_handle(plan().case_id).result() == "closed"
        await deployment.signal_case(
            plan(),
            match_of(lines[0]).model_copy(update={"handled": True}),
            match_of(lines[1]),
            pace=pace,
        )
        assert await deployment.client.get_workflow_handle(plan().case_id).result() == "closed"
        assert len(moved_ids(deployment)) == len(set(moved_ids(deployment))) == 2
        assert sorted(_outcomes(deployment)) == ["already_there", "moved", "moved"]


async def test_a_match_that_cannot_be_read_spoils_nothing(temporal: Client, tmp_path: Path) -> None:
    """It is recorded as rejected; the others are moved."""
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan(), match_of(lines[0]))
        await deployment.client.get_workflow_handle(plan().case_id).signal(
            "matched", [{"not": "a match"}, 5]
        )
        await eventually(lambda: _recorded(deployment, "event_rejected", 2))
        assert set((await deployment.settled(plan().case_id)).values()) == {"moved"}


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=30",)], indirect=True
)
async def test_the_case_goes_on_over_continue_as_new(temporal: Client, tmp_path: Path) -> None:
    """A campaign of 3,000 messages carries over several runs.

    Identities and dedupe survive, and nothing is moved twice.
    """
    lines = list(outbreak(3000))
    async with deployed(temporal, simulated(lines), tmp_path, guard="unlimited") as deployment:
        matches = [match_of(line) for line in lines]
        first_run = (await _told(deployment, *matches[:200])).run
        for start in range(0, 3000, 200):
            await deployment.signal_case(plan(), *matches[max(0, start - 100) : start + 200])
        await eventually(lambda: _count(deployment, 3000))
        outcomes = await deployment.settled(plan().case_id)
        assert len(outcomes) == len(moved_ids(deployment)) == 3000
        assert (await _line(deployment)).run != first_run
        # Read once: records are still being written.
        ids = [record.id for record in deployment.audit()]
        assert len(set(ids)) == len(ids)


async def _approve(deployment: Deployment, case_id: str, by: str = "ana") -> str:
    shown = await deployment.cases.proposal(case_id)
    return await deployment.cases.approve(case_id, person(by), shown.digest, "seen it")


async def _told(deployment: Deployment, *matches: Match) -> CaseLine:
    await deployment.signal_case(plan(), *matches)
    await deployment.settled(plan().case_id)
    return await _line(deployment)


async def _line(deployment: Deployment) -> CaseLine:
    lines = await deployment.cases.find(CaseFilter(rule="r"))
    return lines[0]


async def _count(deployment: Deployment, count: int) -> bool | None:
    return len(moved_ids(deployment)) >= count or None


async def _has(deployment: Deployment, operation: str) -> bool | None:
    return any(row["operation"] == operation for row in deployment.ledger) or None


async def _recorded(deployment: Deployment, kind: str, count: int) -> bool | None:
    return sum(record.kind == kind for record in deployment.audit()) == count or None


def _outcomes(deployment: Deployment) -> list[str]:
    return [
        record.outcome for record in deployment.audit() if record.kind == "acted" and record.outcome
    ]
