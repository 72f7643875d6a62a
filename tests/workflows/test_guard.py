"""The guard on a real server.

Budgets that many cases ask for at once, the kill switch, holds that people answer.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.guard import GuardActivities, ReserveStep
from clawback.actions import BlockSender, BudgetKind, Move
from clawback.audit import AuditLog, AuditWriter
from clawback.cases import CasePlan, CaseState, Limit
from clawback.cases.authority import Authority
from clawback.cloudflare import ContainmentStopped
from clawback.guard import Budgets, Demotion, Refund, Reservation, ReservationBatch
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.model.orders import Verb
from clawback.rules.act_check import LiveActCheck
from clawback.rules.live_budgets import LiveBudgets
from clawback.simulator import outbreak
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal import names
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import UpdateRefused
from tests.conftest import server_options
from tests.people import person
from tests.waiting import eventually
from tests.workflows.conftest import set_option
from tests.workflows.deployment import (
    Deployment,
    deployed,
    keeper_of,
    match_of,
    shipped_rules,
)
from tests.workflows.test_case import simulated
from worker import WORKFLOW_RUNNER
from workflows.options import RECORD

HOUR = timedelta(hours=1)


def plan(number: int, **said: object) -> CasePlan:
    """The plan of one of many campaigns of a rule."""
    actions = (Move(destination=Destination.JUNK),)
    return CasePlan(
        **{
            "rule": "r",
            "version": "v",
            "mode": Mode.ENFORCE,
            "actions": actions,
            "group": {"edf_hash": str(number)},
            **said,
        }
    )


async def _states(deployment: Deployment, plans: list[CasePlan]) -> list[CaseState]:
    async def known() -> list[CaseState] | None:
        states = [
            memory.state
            for one in plans
            if (memory := (await deployment.cases.status(one.case_id)).snapshot)
        ]
        return states if set(states) <= {CaseState.HELD, CaseState.SETTLED} else None

    return await eventually(known)


async def test_twenty_cases_at_once_never_pass_the_budget_together(
    temporal: Client, tmp_path: Path
) -> None:
    """Ten messages may be moved in an hour.

    Ten cases act, ten are held and say why, and one more after an approval.
    """
    lines = list(outbreak(20))
    plans = [plan(number, limits=(Limit(messages=10, per=HOUR),)) for number in range(20)]
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await asyncio.gather(
            *(
                deployment.signal_case(one, match_of(line))
                for one, line in zip(plans, lines, strict=True)
            )
        )
        states = await _states(deployment, plans)
        assert (
            states.count(CaseState.SETTLED),
            states.count(CaseState.HELD),
            len(deployment.ledger),
        ) == (10, 10, 10)
        held = plans[states.index(CaseState.HELD)].case_id
        details = {record.detail for record in deployment.audit() if record.kind is RecordKind.HELD}
        assert details == {"1 messages would exceed 10 messages per 1h of the rule (10 so far)"}
        shown = await deployment.cases.proposal(held)
        assert (
            await deployment.cases.approve(held, person("ana"), shown.digest)
            == CaseState.RESPONDING
        )
        await deployment.settled(held)
        assert len(deployment.ledger) == 11


async def test_held_cases_go_on_by_themselves_once_a_budget_has_room(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, as room comes back, and people may decide the others meanwhile."""
    set_option(monkeypatch, "GUARD_TELLS", timedelta(milliseconds=200))
    lines = list(outbreak(3))
    plans = [plan(number, limits=(Limit(messages=1, per=HOUR),)) for number in range(3)]
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        for one, line in zip(plans, lines, strict=True):
            await deployment.signal_case(one, match_of(line))
            await eventually(partial(_is_decided, deployment, one))
        guard = GuardGateway(temporal)
        snapshot = await guard.status()
        assert snapshot is not None
        assert list(snapshot.waiting) == [one.case_id for one in plans[1:]]

        (spent,) = snapshot.grants
        handle = temporal.get_workflow_handle(names.GUARD_ID)
        await handle.signal(names.REFUNDED, Refund(id=spent, count=1))
        await deployment.settled(plans[1].case_id)
        kinds = [record.kind for record in deployment.audit() if record.case == plans[1].case_id]
        assert kinds.count(RecordKind.HELD) == kinds.count(RecordKind.HOLD_ENDED) == 1
        memory = (await deployment.cases.status(plans[2].case_id)).snapshot
        assert memory is not None
        assert memory.state is CaseState.HELD
        assert (
            await deployment.cases.deny(plans[2].case_id, person("ana"), "good mail")
            == CaseState.DENIED
        )
        assert len(deployment.ledger) == 2


async def _is_decided(deployment: Deployment, one: CasePlan) -> bool | None:
    memory = (await deployment.cases.status(one.case_id)).snapshot
    is_decided = memory is not None and memory.state in {CaseState.HELD, CaseState.SETTLED}
    return True if is_decided else None


async def test_more_cases_than_slots_that_ask_at_once_all_act_or_are_held(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times as many as there are slots for workflow tasks, and for reservations."""
    count, budget = 300, 120
    monkeypatch.setattr("worker.CONCURRENT_RESERVATIONS", 100)
    lines = list(outbreak(count))
    plans = [plan(number, limits=(Limit(messages=budget, per=HOUR),)) for number in range(count)]
    # Under production's runner: the sandbox imports the workflow anew for each case.
    async with deployed(temporal, simulated(lines), tmp_path, runner=WORKFLOW_RUNNER) as deployment:
        await asyncio.gather(
            *(
                deployment.signal_case(one, match_of(line))
                for one, line in zip(plans, lines, strict=True)
            )
        )

        async def ended() -> int | None:
            waiting = count - len(deployment.ledger) - await deployment.cases.count(CaseState.HELD)
            return len(deployment.ledger) if waiting == 0 else None

        assert await eventually(ended, timedelta(minutes=4)) == budget


async def test_only_what_took_effect_is_charged(temporal: Client, tmp_path: Path) -> None:
    """Shadow cases cost nothing, and messages that the API does not know are refunded."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines[:1]), tmp_path) as deployment:
        await deployment.signal_case(plan(1, mode=Mode.SHADOW), *map(match_of, lines))
        await deployment.signal_case(plan(2), *map(match_of, lines))
        await deployment.settled(plan(2).case_id)
        guard = await GuardGateway(temporal).status()
        assert guard is not None
        assert sum(guard.counters["all/messages"].minutes.values()) == len(deployment.ledger) == 1


async def test_nothing_leaves_after_stop_has_returned(temporal: Client, tmp_path: Path) -> None:
    """Cases go on coming while it is stopped.

    Not one change is asked for, nothing fails, and all is done after `resume`.
    """
    lines = list(outbreak(40))
    switch = GuardGateway(temporal)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await asyncio.gather(
            *(
                deployment.signal_case(plan(number), match_of(line))
                for number, line in enumerate(lines[:20])
            )
        )
        assert (await switch.stop(person("ana"), "too much")).by == "ana"
        assert (await switch.stop(person("bob"), "me too")).by == "ana"
        await deployment.lease_over()
        before = deployment.requests("/move")
        await asyncio.gather(
            *(
                deployment.signal_case(plan(number), match_of(line))
                for number, line in enumerate(lines[20:], 20)
            )
        )
        for number in range(20, 40):
            await deployment.scheduled(plan(number), "email_security.move_messages")
        with pytest.raises(ContainmentStopped):
            await deployment.api.move([lines[0]["message"]["id"]], Destination.JUNK)
        assert deployment.requests("/move") == before
        await switch.resume(person("ana"))
        states = await _states(deployment, [plan(number) for number in range(40)])
        assert (set(states), len(deployment.ledger)) == ({CaseState.SETTLED}, 40)
        with pytest.raises(UpdateRefused, match="containment is not stopped"):
            await switch.resume(person("ana"))
        kinds = [record.kind for record in deployment.audit()]
        assert (kinds.count(RecordKind.STOPPED), kinds.count(RecordKind.RESUMED)) == (1, 1)


async def test_resume_opens_a_queue_that_a_former_resume_has_left_stopped(
    temporal: Client, tmp_path: Path
) -> None:
    """The command was cut off between the switch and the queue.

    The next one says that containment is not stopped, and work goes on.
    """
    lines = list(outbreak(1))
    switch = GuardGateway(temporal)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await switch.stop(person("ana"), "")
        order = sign_order(temporal, Verb.RESUME, names.GUARD_ID, person("ana"))
        await temporal.get_workflow_handle(names.GUARD_ID).execute_update(names.RESUME, order)
        with pytest.raises(UpdateRefused, match="containment is not stopped"):
            await switch.resume(person("ana"))
        await deployment.signal_case(plan(1), match_of(lines[0]))
        await deployment.settled(plan(1).case_id)
        assert len(deployment.ledger) == 1


async def test_a_worker_that_stops_does_not_wait_for_the_guard(
    temporal: Client, tmp_path: Path
) -> None:
    """The guard may be its own workflow, which no worker runs any more.

    The ask fails, to be repeated on a timer of the server.
    """
    worker = ActivityEnvironment()
    await keeper_of(temporal).open()
    telemetry = ActivityTelemetry()
    audit = AuditWriter(AuditLog(tmp_path / "audit.jsonl"), telemetry.record_audit)
    # Nobody works on this server.
    budgets, check = LiveBudgets(shipped_rules), LiveActCheck(shipped_rules, Mode.ENFORCE)
    guarding = GuardActivities(GuardGateway(temporal), budgets, check, audit, telemetry)
    ask = Reservation(id="a", rule="r", budget=BudgetKind.MESSAGES, count=1)
    request = ReserveStep(
        reservation=ask,
        action=Move(destination=Destination.JUNK),
        authority=Authority(rule="r", mode=Mode.ENFORCE, actions_version="", approved=True),
    )
    asking = asyncio.ensure_future(worker.run(guarding.reserve, request))
    await eventually(partial(_is_started, temporal, names.GUARD_ID))
    assert not asking.done()
    worker.worker_shutdown()
    with pytest.raises(ApplicationError, match="the worker is stopping") as failed:
        await asking
    assert failed.value.next_retry_delay is not None


async def _is_started(client: Client, workflow_id: str) -> bool | None:
    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return None
    return True


async def test_a_demoted_rule_asks_until_it_is_confirmed(temporal: Client, tmp_path: Path) -> None:
    """An enforcing rule whose work was undone holds its new cases; another rule does not notice."""
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        guard = temporal.get_workflow_handle(names.GUARD_ID)
        await guard.signal(
            names.WORK_UNDONE,
            args=["r", Demotion(actor=person("ana"), at=match_of(lines[0]).at, reason="wrong")],
        )
        await deployment.signal_case(plan(1), match_of(lines[0]))
        await deployment.settled(plan(1).case_id, CaseState.HELD)
        await deployment.signal_case(plan(2, rule="other"), match_of(lines[1]))
        await deployment.settled(plan(2, rule="other").case_id)
        with pytest.raises(
            UpdateRefused,
            match="rule 'other' is not demoted; demoted rules: r",
        ):
            await GuardGateway(temporal).confirm("other", person("ana"))
        await GuardGateway(temporal).confirm("r", person("ana"))
        await deployment.signal_case(plan(3), match_of(lines[2]))
        await deployment.settled(plan(3).case_id)


async def test_held_cases_go_on_when_their_rule_is_confirmed(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By themselves, but not while containment is stopped."""
    set_option(monkeypatch, "GUARD_TELLS", timedelta(milliseconds=200))
    lines = list(outbreak(2))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        guard = GuardGateway(temporal)
        await temporal.get_workflow_handle(names.GUARD_ID).signal(
            names.WORK_UNDONE,
            args=["r", Demotion(actor=person("ana"), at=match_of(lines[0]).at, reason="wrong")],
        )
        for number, line in enumerate(lines):
            await deployment.signal_case(plan(number), match_of(line))
            await deployment.settled(plan(number).case_id, CaseState.HELD)
        await guard.stop(person("ana"), "not yet")
        await guard.confirm("r", person("ana"))
        await _told(temporal)
        assert not deployment.ledger
        await guard.resume(person("ana"))
        for number in range(len(lines)):
            await deployment.settled(plan(number).case_id)
        assert len(deployment.ledger) == len(lines)
        ended = [one for one in deployment.audit() if one.kind is RecordKind.HOLD_ENDED]
        assert {one.detail for one in ended} == {"the rule was confirmed"}


async def _told(temporal: Client) -> None:
    """Wait until the guard has looked for cases that may go on."""
    handle = temporal.get_workflow_handle(names.GUARD_ID)

    async def there() -> bool | None:
        events = (await handle.fetch_history()).events
        return any(one.event_type == EventType.EVENT_TYPE_TIMER_FIRED for one in events) or None

    await eventually(there)


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=30",)], indirect=True
)
async def test_the_guard_remembers_over_continue_as_new(temporal: Client, tmp_path: Path) -> None:
    """Budgets, grants and the kill switch are carried over."""
    guard = GuardGateway(temporal)
    budgets = Budgets(overall=(Limit(messages=5, per=HOUR),))
    async with deployed(temporal, simulated([]), tmp_path):
        await guard.stop(person("ana"), "")
        granted = 0
        for number in range(30):
            ask = Reservation(id=str(number), rule="r", budget=BudgetKind.MESSAGES, count=1)
            granted += (
                await guard.reserve(ReservationBatch(reservations=(ask,), budgets=budgets))
            )[ask.id].granted
        described = await temporal.get_workflow_handle(names.GUARD_ID).describe()
        first = (await temporal.get_workflow_handle(names.GUARD_ID).fetch_history()).events[0]
        assert granted == 5
        assert (
            first.workflow_execution_started_event_attributes.first_execution_run_id
            != described.run_id
        )
        assert await guard.is_stopped()


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=30",)], indirect=True
)
async def test_what_is_decided_while_the_audit_is_written_is_recorded_by_the_next_run(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when it stops.

    It goes on, and its history grows long, before the first record is written: both are on record.
    """
    soon = timedelta(milliseconds=200)
    often = RetryPolicy(initial_interval=soon, maximum_interval=soon)
    # The server's timer runs between two attempts: the workflow must hear of updates meanwhile.
    timers = {"retry_policy": often, "local_retry_threshold": soon / 2}
    set_option(monkeypatch, "RECORD", {**RECORD, **timers})
    guard = GuardGateway(temporal)
    audit = tmp_path / "audit.jsonl"
    audit.mkdir()
    async with deployed(temporal, simulated([]), tmp_path, audit=audit) as deployment:
        await guard.stop(person("ana"), "")
        await guard.resume(person("ana"))
        for number in range(10):
            ask = Reservation(id=str(number), rule="r", budget=BudgetKind.MESSAGES, count=1)
            await guard.reserve(ReservationBatch(reservations=(ask,)))
        audit.rmdir()

        async def recorded() -> list[RecordKind] | None:
            kinds = [record.kind for record in deployment.audit()] if audit.exists() else []
            return kinds if RecordKind.RESUMED in kinds else None

        assert await eventually(recorded) == [RecordKind.STOPPED, RecordKind.RESUMED]


async def test_a_sender_who_comes_back_is_blocked_for_longer(
    temporal: Client, tmp_path: Path
) -> None:
    """The second block of a pattern, whatever the case, stands for the second term."""
    lines = list(outbreak(2))
    block = BlockSender(
        pattern="again@bad.test", expires_after=(timedelta(days=7), timedelta(days=30))
    )
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        for number, line in enumerate(lines):
            told = plan(number, actions=(block,))
            await deployment.signal_case(told, match_of(line))
            await deployment.settled(told.case_id)
            (made,) = [row for row in deployment.ledger if row["operation"] == "create"][number:]
            active = await BlockGateway(temporal).read(made["id"])
            days = (active.expires_at - datetime.now(UTC)) / timedelta(days=1)
            assert round(days) == (7, 30)[number]
            expiry = names.expiry_id(made["id"])
            order = sign_order(temporal, Verb.LIFT_BLOCK, expiry, person("ana"))
            await temporal.get_workflow_handle(expiry).execute_update(names.LIFT, order)
            await temporal.get_workflow_handle(names.expiry_id(made["id"])).result()


async def test_a_run_is_renewed_after_a_day(tmp_path: Path) -> None:
    """The next thing that happens starts a new run, so that a rotation of keys comes to an end."""
    options = server_options("frontend.WorkflowTimeSkippingEnabled=true")
    async with (
        await WorkflowEnvironment.start_time_skipping_v2(**options) as environment,
        deployed(environment.client, simulated([]), tmp_path),
    ):
        guard = GuardGateway(environment.client)
        first = await guard.look()
        assert first is not None
        handle = environment.client.get_workflow_handle(names.GUARD_ID)
        await environment.fast_forward(handle, timedelta(hours=23))
        await handle.signal(names.REFUNDED, Refund(id="any", count=1))
        # Answered by whatever run there is then.
        assert await guard.status() is not None
        same = await guard.look()
        assert same is not None
        assert same.run == first.run

        await environment.fast_forward(handle, timedelta(hours=2))
        await handle.signal(names.REFUNDED, Refund(id="any", count=1))

        async def is_renewed() -> bool | None:
            view = await guard.look()
            return (view is not None and view.run != first.run) or None

        await eventually(is_renewed)
