"""Whatever happens to the guard on the server, containment stays stopped until a person resumes.

What it knew survives, or counts as spent.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.actions import BudgetKind
from clawback.cases import Limit
from clawback.guard import Budgets, Demotion, Reservation, ReservationBatch
from clawback.model.audit_record import RecordKind
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.account_binding import ForeignAccount
from clawback.temporal.guard_gateway import GuardGateway, GuardView
from clawback.temporal.guard_keeper import GuardKeeper
from clawback.temporal.guard_memory import GuardMemory
from clawback.temporal.watchdog import create_watchdog
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, keeper_of, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_guard import plan

HOUR = timedelta(hours=1)
BUDGETS = Budgets(overall=(Limit(messages=5, per=HOUR),))


async def spend(temporal: Client, name: str, rule: str = "r", *, approved: bool = False) -> str:
    """Reserve one message; the reason of the refusal, or an empty string."""
    wanted = Reservation(id=name, rule=rule, budget=BudgetKind.MESSAGES, count=1, approved=approved)
    batch = ReservationBatch(reservations=(wanted,), budgets=BUDGETS)
    result = (await GuardGateway(temporal).reserve(batch))[name]
    assert result.granted == (not result.reason)
    return result.reason


async def fill(deployment: Deployment) -> None:
    """Let the guard know something: a spent budget and a demoted rule."""
    for number in range(5):
        assert not await spend(deployment.client, f"before/{number}")
    await deployment.client.get_workflow_handle(names.GUARD_ID).signal(
        names.WORK_UNDONE,
        args=["undone", Demotion(actor=person("ana"), at=datetime.now(UTC), reason="wrong")],
    )
    view = await GuardGateway(deployment.client).look()
    assert view is not None
    await create_watchdog(deployment.client, await deployment.keeper.open())
    assert not await deployment.keeper.keep()


async def terminate(client: Client) -> None:
    await client.get_workflow_handle(names.GUARD_ID).terminate("a mistake")


async def cancel(client: Client) -> None:
    await client.get_workflow_handle(names.GUARD_ID).cancel()


async def reset(client: Client) -> None:
    """Reset the guard to its very first task, without repeating anything that came later."""
    handle = client.get_workflow_handle(names.GUARD_ID)
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(
            workflow_id=names.GUARD_ID, run_id=(await handle.describe()).run_id
        ),
        reason="a mistake",
        request_id="reset",
        workflow_task_finish_event_id=4,
        reset_reapply_exclude_types=[
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
        ],
    )
    await client.workflow_service.reset_workflow_execution(request)


async def delete(client: Client) -> None:
    """Delete the guard, and wait until it is gone."""
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=names.GUARD_ID),
    )
    await client.workflow_service.delete_workflow_execution(request)

    async def is_gone() -> bool | None:
        return await GuardGateway(client).look() is None or None

    await eventually(is_gone)


async def is_stopped(client: Client) -> bool | None:
    """Whether containment is stopped; None if not, to wait for it."""
    return await GuardGateway(client).is_stopped() or None


async def kept(deployment: Deployment) -> None:
    """Do what a worker does every few seconds, until the guard reserves again."""
    await eventually(partial(is_stopped, deployment.client))

    async def is_back() -> bool | None:
        assert await deployment.keeper.keep()
        try:
            await spend(deployment.client, "probe", "undone")
        except (UpdateRefused, NoSuchWorkflow, RPCError):
            return None
        return True

    await eventually(is_back)


LOSSES = [terminate, cancel, reset, delete]


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("remembers", [True, False])
async def test_a_lost_guard_stops_until_a_person_resumes(
    temporal: Client, tmp_path: Path, lose: Callable[[Client], Awaitable[None]], *, remembers: bool
) -> None:
    """Nothing leaves at once; the guard comes back, still stopped, and `resume` lets all go on."""
    lines = list(outbreak(1))
    memory = tmp_path / "guard.json" if remembers else None
    async with deployed(temporal, simulated(lines), tmp_path, memory=memory) as deployment:
        await fill(deployment)
        await lose(temporal)
        await kept(deployment)
        view = await GuardGateway(temporal).look()
        assert view is not None
        assert (view.is_running, view.is_stopped) == (True, True)

        await deployment.signal_case(plan(1, rule="other"), match_of(lines[0]))
        await GuardGateway(temporal).resume(person("ana"))
        await GuardGateway(temporal).confirm("undone", person("ana"))
        assert not await deployment.keeper.keep()
        assert not await GuardGateway(temporal).is_stopped()
        records = deployment.audit()
        assert RecordKind.STOPPED in {one.kind for one in records}
        if lose is not cancel:
            (lost,) = [one for one in records if one.kind is RecordKind.GUARD_LOST]
            assert lost.actor == "clawback"


@pytest.mark.parametrize("lose", [terminate, cancel, reset])
async def test_what_can_be_read_survives(
    temporal: Client, tmp_path: Path, lose: Callable[[Client], Awaitable[None]]
) -> None:
    """Budget, grants and demotions are as before: no message too many, none refused for nothing."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await fill(deployment)
        await lose(temporal)
        await kept(deployment)
        assert "(5 so far)" in await spend(temporal, "sixth")
        assert not await spend(temporal, "before/3")  # a retry of what was granted
        assert "was undone by ana" in await spend(temporal, "other", "undone")
        assert not await spend(temporal, "agreed", approved=True)


async def test_where_nothing_can_be_read_every_budget_is_spent(
    temporal: Client, tmp_path: Path
) -> None:
    """A deleted guard knows nothing: everything asks first, and people may vouch for a rule."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await fill(deployment)
        await delete(temporal)
        await kept(deployment)
        guard = GuardGateway(temporal)
        await guard.resume(person("ana"))
        assert "whether the rule's work was undone is not known" in await spend(temporal, "a")
        assert not await spend(temporal, "b", approved=True)
        await guard.confirm("r", person("ana"))
        assert "what was spent" in await spend(temporal, "c")
        with pytest.raises(UpdateRefused, match="not demoted"):
            await guard.confirm("r", person("ana"))


async def test_an_older_database_stops_containment(temporal: Client, tmp_path: Path) -> None:
    """The worker knows more decisions than the server: it stops, and says so once."""
    memory = tmp_path / "guard.json"
    async with deployed(temporal, simulated([]), tmp_path, memory=memory) as deployment:
        await fill(deployment)
        known = json.loads(memory.read_text())
        known["position"]["decisions"] += 10
        memory.write_text(json.dumps(known))
        restarted = keeper_of(temporal, memory)
        assert await restarted.is_stopped()
        await restarted.open()

        async def is_dealt_with() -> bool | None:
            assert await restarted.keep()
            recorded = any(one.kind is RecordKind.GUARD_LOST for one in deployment.audit())
            # The record is written before the server has what the guard decided.
            return (recorded and await GuardGateway(temporal).is_stopped()) or None

        await eventually(is_dealt_with)
        assert await deployment.keeper.keep()  # another worker, which knows nothing newer
        await GuardGateway(temporal).resume(person("ana"))
        await restarted.keep()
        assert not await restarted.keep()
        assert not await deployment.keeper.keep()
        lost = [one for one in deployment.audit() if one.kind is RecordKind.GUARD_LOST]
        assert len(lost) == 1


async def test_a_new_database_in_a_known_folder_is_a_lost_guard(
    temporal: Client, tmp_path: Path
) -> None:
    """The database was deleted: the namespace looks untouched, but the worker remembers a guard."""
    memory = tmp_path / "guard.json"
    known = {"installation": "one", "generation": 3, "run": "gone", "length": 90, "decisions": 4}
    memory.write_text(json.dumps({"server": "test", "position": known}))
    async with deployed(temporal, simulated([]), tmp_path, memory=memory) as deployment:
        assert await deployment.keeper.is_stopped()
        await kept(deployment)
        view = await GuardGateway(temporal).look()
        assert view is not None
        assert view.memo is not None
        assert view.memo.binding is not None
        assert view.memo.binding.installation == "one"


async def test_a_guard_that_is_lost_twice_is_read_through(temporal: Client, tmp_path: Path) -> None:
    """The second guard ended before it had read what the first one knew."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await fill(deployment)
        first = await GuardGateway(temporal).look()
    assert first is not None
    await terminate(temporal)
    await keeper_of(temporal).open()  # no worker runs: nobody reads the past
    await terminate(temporal)
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await kept(deployment)
        assert "(5 so far)" in await spend(temporal, "sixth")


async def test_an_untouched_namespace_starts_with_nothing_once(temporal: Client) -> None:
    """The first worker starts the guard, and the next ones find it; both see the same binding."""
    first = await keeper_of(temporal).open()
    assert await keeper_of(temporal).open() == first
    assert not await GuardGateway(temporal).is_stopped()


async def test_another_account_is_refused(temporal: Client, tmp_path: Path) -> None:
    """Its sentence names both accounts; also when the guard itself is gone."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        await fill(deployment)
        with pytest.raises(ForeignAccount, match="account simulator, not of other"):
            await keeper_of(temporal, account="other").open()
        await delete(temporal)
        with pytest.raises(ForeignAccount, match="account simulator, not of other"):
            await keeper_of(temporal, account="other").open()


async def test_two_accounts_that_start_at_once_are_told_apart(temporal: Client) -> None:
    """Neither finds a guard, and both start one: the server takes the first, for its account."""

    class SeesNothingFirst(GuardGateway):
        """Looks before the other one has started its guard."""

        looks = 0

        async def look(self) -> GuardView | None:
            self.looks += 1
            return await super().look() if self.looks > 1 else None

    class SeesAnUntouchedNamespace(GuardKeeper):
        async def _is_untouched(self) -> bool:
            return True

    late = SeesAnUntouchedNamespace(SeesNothingFirst(temporal), "other", GuardMemory("test"))
    await keeper_of(temporal).open()
    with pytest.raises(ForeignAccount, match="account simulator, not of other"):
        await late.open()
