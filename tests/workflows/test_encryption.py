"""With a key on a real server: whoever has none is refused, and nothing stops because of that."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue

from clawback.actions import Move
from clawback.cases import CasePlan, CaseTiming
from clawback.cases.state import CaseStart
from clawback.correlation.payloads import ShardSnapshot
from clawback.guard import Refund
from clawback.model.events import EventKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.model.orders import SignedOrder, Verb
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.correlation_gateway import CorrelationGateway, build_batches
from clawback.temporal.data_converter import data_converter
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.key_ring import Key, KeyRing, PayloadKeyError
from clawback.temporal.orders import sign_order
from clawback.temporal.watchdog import create_watchdog
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import deployed, keeper_of, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_correlations import counted, matches
from tests.workflows.test_correlations import plan_of as counting_plan
from tests.workflows.test_correlations import rules as counting_rules
from tests.workflows.test_lost_guard import delete

OLD, NEW = Key.generate(), Key.generate()
OPEN = CaseTiming(linger=timedelta(hours=1))
POLLER = names.poller_id(EventKind.MESSAGE)


def keyed(client: Client, *keys: Key) -> Client:
    """The client of somebody with these keys, or without any."""
    converter = data_converter(KeyRing(keys) if keys else None)
    return Client(client.service_client, namespace=client.namespace, data_converter=converter)


def plan_of(group: str, mode: Mode = Mode.ENFORCE) -> CasePlan:
    """A case that moves to Junk."""
    return CasePlan(
        rule="r",
        version="v1",
        mode=mode,
        group={"from": group},
        actions=(Move(destination=Destination.JUNK),),
    )


async def failed_tasks(client: Client, workflow: str) -> int:
    """How many workflow tasks failed in the newest run of a workflow."""
    history = await client.get_workflow_handle(workflow).fetch_history()
    return sum(
        one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED for one in history.events
    )


async def ended(handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus:
    """Wait until a workflow has ended; how it did."""

    async def there() -> WorkflowExecutionStatus | None:
        status = (await handle.describe()).status
        return None if status is WorkflowExecutionStatus.RUNNING else status

    return await eventually(there)


async def test_a_stranger_starts_nothing(temporal: Client, tmp_path: Path) -> None:
    """A case, a block and a shard without our key fail at once; nothing reaches the account."""
    lines = list(outbreak(2))
    start = CaseStart(plan=plan_of("victim"), timing=OPEN)
    async with deployed(keyed(temporal, OLD), simulated(lines), tmp_path) as deployment:
        case = await temporal.start_workflow(
            names.CASE,
            start,
            id=start.plan.case_id,
            task_queue=names.WORKFLOW_QUEUE,
            start_signal=names.MATCHED,
            start_signal_args=[[match_of(line) for line in lines]],
        )
        shard = await temporal.start_workflow(
            names.CORRELATION,
            ShardSnapshot(),
            id="correlation/1",
            task_queue=names.WORKFLOW_QUEUE,
        )
        block = await temporal.start_workflow(
            names.BLOCK_EXPIRY,
            {},
            id=names.expiry_id("stranger"),
            task_queue=names.WORKFLOW_QUEUE,
            memo={names.BLOCK_MEMO: {}},
        )
        for handle in (case, shard, block):
            assert await ended(handle) is WorkflowExecutionStatus.FAILED

        assert deployment.ledger == []
        assert [one async for one in BlockGateway(deployment.client).list_active()] == []


async def test_a_stranger_stops_nothing(temporal: Client, tmp_path: Path) -> None:
    """Signals without our key are dropped, updates refused; guard, poller, shard and case go on."""
    lines, told = list(outbreak(3)), plan_of("a")
    async with deployed(keyed(temporal, OLD), simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(told, match_of(lines[0]), pace=OPEN)
        await deployment.settled(told.case_id)
        shards = CorrelationGateway(deployment.client)
        counting = counting_plan(counting_rules(tmp_path / "rules"))
        await shards.send_matches([(counting, matches([1]))], timedelta(hours=1))
        assert (await counted(deployment, 1)).events == 1
        (batch,) = build_batches([(counting, matches([2]))], timedelta(hours=1)).items()
        await deployment.poll()

        for workflow, signal, args in (
            (told.case_id, names.MATCHED, [[match_of(lines[1])]]),
            (told.case_id, names.UNDO_REQUESTED, [person("mallory"), "for fun"]),
            (names.GUARD_ID, names.REFUNDED, [Refund(id="r", count=1)]),
            (batch[0], names.MATCHED, [batch[1][0]]),
            (names.poller_id(EventKind.MESSAGE), "unknown", ["text"]),
        ):
            await temporal.get_workflow_handle(workflow).signal(signal, args=args)

        def forged(verb: Verb, workflow: str) -> SignedOrder:
            return sign_order(temporal, verb, workflow, person("mallory"), reason="for fun")

        for target, update, order in (
            (names.GUARD_ID, names.STOP, forged(Verb.STOP, names.GUARD_ID)),
            (told.case_id, names.APPROVE, forged(Verb.APPROVE, told.case_id)),
            (POLLER, names.PAUSE, forged(Verb.PAUSE_POLLING, POLLER)),
        ):
            with pytest.raises(WorkflowUpdateFailedError):
                await temporal.get_workflow_handle(target).execute_update(update, order)

        assert not await GuardGateway(deployment.client).is_stopped()
        assert (await deployment.poll()).state != "paused"
        await deployment.signal_case(told, match_of(lines[2]), pace=OPEN)
        await deployment.settled(told.case_id)
        await shards.send_matches([(counting, matches([3]))], timedelta(hours=1))
        assert (await counted(deployment, 2)).events == 2
        snapshot = (await deployment.cases.status(told.case_id)).snapshot
        assert snapshot is not None
        assert set(snapshot.targets) == {lines[one]["message"]["id"] for one in (0, 2)}
        for workflow in (
            told.case_id,
            batch[0],
            names.GUARD_ID,
            names.poller_id(EventKind.MESSAGE),
        ):
            assert await failed_tasks(temporal, workflow) == 0


async def test_a_copied_decision_counts_nowhere_else(temporal: Client, tmp_path: Path) -> None:
    """Who can read histories but has no key copies a signal of one case into another."""
    lines = list(outbreak(2))
    source, target = plan_of("a", Mode.SHADOW), plan_of("b")
    async with deployed(keyed(temporal, OLD), simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(source, match_of(lines[0]), pace=OPEN)
        await deployment.signal_case(target, match_of(lines[1]), pace=OPEN)
        await deployment.settled(target.case_id)

        history = await temporal.get_workflow_handle(source.case_id).fetch_history()
        (copied,) = (
            one.workflow_execution_signaled_event_attributes.input.payloads[0]
            for one in history.events
            if one.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        )
        handle = temporal.get_workflow_handle(target.case_id)
        await handle.signal(names.MATCHED, RawValue(copied))
        # Signals are handled in order, so the answer comes after it.
        status = await deployment.cases.status(target.case_id)
        assert status.snapshot is not None
        assert len(status.snapshot.targets) == 1


async def test_keys_are_rotated_while_cases_are_open(temporal: Client, tmp_path: Path) -> None:
    """Add, make current, remove: the case goes on, is found, and no workflow task fails."""
    lines, told = list(outbreak(4, sender="s@bad.test")), plan_of("a")
    later = plan_of("b")
    for number, keys in enumerate([(OLD,), (OLD, NEW), (NEW, OLD)]):
        client = keyed(temporal, *keys)
        async with deployed(client, simulated(lines), tmp_path / str(number)) as deployment:
            await deployment.signal_case(told, match_of(lines[number]), pace=OPEN)
            outcomes = await deployment.settled(told.case_id)
            assert len(outcomes) == number + 1
            if number == 2:
                await deployment.signal_case(later, match_of(lines[3]), pace=OPEN)
                await deployment.settled(later.case_id)
                assert await _found(deployment.cases.find) == {told.case_id, later.case_id}
            assert not await GuardGateway(client).is_stopped()

    for workflow in (told.case_id, names.GUARD_ID):
        assert await failed_tasks(temporal, workflow) == 0

    # The old key is still needed for what began with it.
    with pytest.raises(PayloadKeyError, match=OLD.id):
        await keeper_of(keyed(temporal, NEW)).open()


async def _found(find: Any) -> set[str]:
    async def there() -> set[str] | None:
        found = {line.id for line in await find(CaseFilter(sender="s@bad.test"))}
        return found if len(found) == 2 else None

    return await eventually(there)


@pytest.mark.parametrize(
    ("written", "read", "text"),
    [
        ([OLD], [NEW], f"key {OLD.id}, which is not among ours; set CLAWBACK_ENCRYPTION_KEY_FILE"),
        ([OLD], [], f"key {OLD.id}, and no key is set; set CLAWBACK_ENCRYPTION_KEY_FILE"),
        ([], [NEW], "is not encrypted, and a key is set; set CLAWBACK_ENCRYPTION=migrate"),
    ],
    # The keys are random: the names of tests must not be.
    ids=["another key", "no key", "no longer plaintext"],
)
async def test_another_key_is_one_sentence_at_start(
    temporal: Client, written: list[Key], read: list[Key], text: str
) -> None:
    """A worker, a command and the doctor look at the guard first."""
    await keeper_of(keyed(temporal, *written)).open()
    with pytest.raises(PayloadKeyError, match=text) as raised:
        await keeper_of(keyed(temporal, *read)).open()
    assert "\n" not in str(raised.value)


async def test_a_lost_guard_and_a_lost_key_are_one_sentence(temporal: Client) -> None:
    """The schedule names the account, too, and was encrypted with the first key."""
    with_old = keyed(temporal, OLD)
    await create_watchdog(with_old, await keeper_of(with_old).open())
    await delete(temporal)
    with pytest.raises(PayloadKeyError, match=f"key {OLD.id}, which is not among ours"):
        await keeper_of(keyed(temporal, NEW)).open()
