"""Moves that are made together with their reservation, and those that are left to their queue."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.guard import GuardActivities, ReserveStep
from activities.reserved_moves import ReservedMove, ReservedMoveActivities, ReserveMove, Sent
from clawback.actions import Action, BudgetKind, Move, Reclassify
from clawback.actions.outcomes import MOVED
from clawback.cases import CasePlan, CaseState, Limit
from clawback.cases.authority import Authority
from clawback.guard import Reservation, ReservationResult
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.case_history import read_case_history
from clawback.temporal.guard_gateway import GuardGateway
from tests.people import person
from tests.workflows.deployment import (
    CheckWithoutRule,
    Deployment,
    deployed,
    live_rules,
    match_of,
)
from tests.workflows.test_case import moved_ids, simulated
from tests.workflows.test_guard import HOUR
from worker import build_components

MOVE = Move(destination=Destination.JUNK)
BOTH = (MOVE, Reclassify(disposition=Disposition.MALICIOUS))
MOVE_ALONE = "email_security.move_messages"
RECLASSIFY = "email_security.reclassify_message"
RESERVE_AND_MOVE = "guard.reserve_and_move"


def plan(actions: tuple[Action, ...] = (MOVE,), **said: Any) -> CasePlan:
    """The plan of a rule that moves."""
    return CasePlan(rule="r", version="v", mode=Mode.ENFORCE, actions=actions, **said)


async def spent(kind: str, temporal: Client) -> int:
    """What the guard has counted of a kind."""
    guard = await GuardGateway(temporal).status()
    assert guard is not None
    return sum(guard.counters[f"all/{kind}"].minutes.values())


@asynccontextmanager
async def running(
    temporal: Client, folder: Path, faults: str = ""
) -> AsyncIterator[tuple[Deployment, ReservedMoveActivities, ReserveMove]]:
    """A deployment, the activity over its clients, and a request for it."""
    line = next(iter(outbreak(1)))
    async with deployed(temporal, simulated([line], faults), folder) as deployment:
        settings = deployment.settings
        rules = live_rules(settings.rules, {})
        check = CheckWithoutRule(lambda: rules.current, settings.ceiling)
        components = build_components(settings, temporal, deployment.api, rules, check=check)
        activities = components.activities[ReservedMoveActivities]
        assert isinstance(activities, ReservedMoveActivities)
        reservation = Reservation(id="a", rule="r", budget=BudgetKind.MESSAGES, count=1)
        action = Move(destination=Destination.JUNK)
        authority = Authority(rule="r", mode=Mode.ENFORCE, actions_version="")
        request = ReserveMove(
            step=ReserveStep(reservation=reservation, action=action, authority=authority),
            action=action,
            authority=authority,
            targets=match_of(line).targets,
        )
        yield deployment, activities, request


async def attempt(
    activities: ReservedMoveActivities, request: ReserveMove, number: int = 1
) -> ReservedMove:
    """Run the activity as that attempt of the engine."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=number)
    result: ReservedMove = await environment.run(activities.reserve_and_move, request)
    return result


async def activity_types(temporal: Client, case: str) -> list[str]:
    """The activities that a case has scheduled, in order."""
    history = await temporal.get_workflow_handle(case).fetch_history()
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_a_move_needs_one_activity(temporal: Client, tmp_path: Path) -> None:
    """It leaves together with its reservation; undo finds it in the history."""
    line = next(iter(outbreak(1)))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        await deployment.signal_case(plan(), match_of(line))
        assert set((await deployment.settled(plan().case_id)).values()) == {MOVED}
        assert await activity_types(temporal, plan().case_id) == [RESERVE_AND_MOVE]
        handle = temporal.get_workflow_handle(plan().case_id)
        run = (await handle.describe()).run_id
        record = await read_case_history(temporal, plan().case_id, run)
        assert [change.subjects for change in record.basis.changes] == [(moved_ids(deployment)[0],)]


async def test_the_guard_is_asked_about_two_steps_at_once(temporal: Client, tmp_path: Path) -> None:
    """A case that moves and reclassifies needs two activities."""
    line = next(iter(outbreak(1)))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        await deployment.signal_case(plan(BOTH), match_of(line))
        await deployment.settled(plan().case_id)
        assert await activity_types(temporal, plan().case_id) == [RESERVE_AND_MOVE, RECLASSIFY]
        assert await spent("reclassifications", temporal) == 1


async def test_a_refusal_of_the_second_step_holds_the_case(
    temporal: Client, tmp_path: Path
) -> None:
    """The message is moved, the reclassification waits for people, and is then made."""
    line = next(iter(outbreak(1)))
    one = plan(BOTH, limits=(Limit(reclassifications=0, per=HOUR),))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        await deployment.signal_case(one, match_of(line))
        assert set((await deployment.settled(one.case_id, CaseState.HELD)).values()) == {MOVED}
        assert await activity_types(temporal, one.case_id) == [RESERVE_AND_MOVE]
        shown = await deployment.cases.proposal(one.case_id)
        await deployment.cases.approve(one.case_id, person("ana"), shown.digest)
        await deployment.settled(one.case_id)
        assert deployment.requests("/reclassify") == 1


async def test_what_was_reserved_too_early_is_given_back(temporal: Client, tmp_path: Path) -> None:
    """Another message comes while the first is moved, and goes before the reclassification."""
    first, second = outbreak(2)
    slow = simulated([first, second], "slow=1:1")
    async with deployed(temporal, slow, tmp_path) as deployment:
        await deployment.signal_case(plan(BOTH), match_of(first))
        await deployment.scheduled(plan(), RESERVE_AND_MOVE)
        await deployment.signal_case(plan(BOTH), match_of(second))
        await deployment.settled(plan().case_id)
        kinds = [row["operation"] for row in deployment.ledger]
        assert sorted(kinds) == ["move", "move", "reclassify"]
        assert (await spent("messages", temporal), await spent("reclassifications", temporal)) == (
            2,
            1,
        )


async def test_what_the_guard_refuses_is_not_moved(temporal: Client, tmp_path: Path) -> None:
    """The case is held, and the history has nothing to undo."""
    line = next(iter(outbreak(1)))
    one = plan(limits=(Limit(messages=0, per=HOUR),))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        await deployment.signal_case(one, match_of(line))
        await deployment.settled(one.case_id, CaseState.HELD)
        assert deployment.requests("/move") == 0
        run = (await temporal.get_workflow_handle(one.case_id).describe()).run_id
        assert not (await read_case_history(temporal, one.case_id, run)).basis.changes


async def test_an_approved_move_waits_in_its_queue(temporal: Client, tmp_path: Path) -> None:
    """Its priority counts there alone."""
    line = next(iter(outbreak(1)))
    one = plan(limits=(Limit(messages=0, per=HOUR),))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        await deployment.signal_case(one, match_of(line))
        await deployment.settled(one.case_id, CaseState.HELD)
        shown = await deployment.cases.proposal(one.case_id)
        await deployment.cases.approve(one.case_id, person("ana"), shown.digest)
        await deployment.settled(one.case_id)
        assert await activity_types(temporal, one.case_id) == [
            RESERVE_AND_MOVE,
            "guard.reserve",
            MOVE_ALONE,
        ]


async def test_a_retry_sends_nothing(temporal: Client, tmp_path: Path) -> None:
    """The attempt before it may have moved the messages: the workflow finds out."""
    async with running(temporal, tmp_path) as (deployment, activities, request):
        retried = await attempt(activities, request, 2)
        assert (retried.reserved.granted, retried.sent) == (True, Sent.MAYBE)
        assert deployment.requests("/move") == 0


@pytest.mark.parametrize(
    ("fault", "sent"),
    [("", Sent.YES), ("lost_answer=1", Sent.MAYBE), ("429=1", Sent.NO)],
)
async def test_an_attempt_says_whether_it_sent_something(
    temporal: Client, tmp_path: Path, fault: str, sent: Sent
) -> None:
    """A lost response may have had an effect; a refused request had none."""
    async with running(temporal, tmp_path, fault) as (_, activities, request):
        assert (await attempt(activities, request)).sent is sent


async def test_nothing_is_sent_while_containment_is_stopped(
    temporal: Client, tmp_path: Path
) -> None:
    """The reservation stands, and the queue of containment keeps the move."""
    async with running(temporal, tmp_path) as (deployment, activities, request):
        await GuardGateway(temporal).stop(person("ana"), "too much")
        await deployment.lease_over()
        answer = await attempt(activities, request)
        assert (answer.reserved.granted, answer.sent) == (True, Sent.NO)
        assert deployment.requests("/move") == 0


async def test_what_would_wait_for_the_rate_limit_goes_to_the_queue(
    temporal: Client, tmp_path: Path
) -> None:
    """Moves that wait here would hold the slots that others need to ask the guard."""
    async with running(temporal, tmp_path) as (deployment, activities, request):
        activities._may_send = lambda: False
        assert (await attempt(activities, request)).sent is Sent.NO
        assert deployment.requests("/move") == 0


async def test_what_a_first_attempt_moved_is_found_even_if_the_guard_refuses(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died after the move, and the guard has lost its past since."""
    move = ReservedMoveActivities._move

    async def die(self: ReservedMoveActivities, *request: Any) -> ReservedMove:
        await move(self, *request)
        raise ApplicationError("the worker died")

    async def refuse(_: GuardActivities, __: ReserveStep) -> ReservationResult:
        return ReservationResult(granted=False, reason="not known any more")

    monkeypatch.setattr(ReservedMoveActivities, "_move", die)
    monkeypatch.setattr(GuardActivities, "repeat", refuse)
    line = next(iter(outbreak(1)))
    async with deployed(temporal, simulated([line]), tmp_path) as deployment:
        await deployment.signal_case(plan(), match_of(line))
        assert set((await deployment.settled(plan().case_id)).values()) == {MOVED}
        assert deployment.requests("/move") == 1
