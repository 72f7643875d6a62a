"""Correlation shards against a real server: counting, opening cases, surviving what may happen."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.correlation import CorrelationActivities
from clawback.cases import CasePlan, CaseState, Match
from clawback.correlation.payloads import (
    CorrelationDefinition,
    CountedWindow,
    Delivery,
    DeliveryBatch,
    DeliveryResult,
)
from clawback.correlation.sliding_window import CorrelationType, CorrelationWindow
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.rules.live import LiveRules
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.correlation_gateway import CorrelationGateway
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_submissions import simulated, written

LINGER = timedelta(minutes=30)
RULE = """
title: A threat
name: threat
logsource: {{product: cloudflare, service: email_security, category: message}}
detection: {{sel: {{final_disposition|startswith: MALICIOUS}}, condition: sel}}
---
title: Three threats of a campaign
id: 6a3dfb6e-3f0c-4f04-9d0f-0d4b1a4d2c29
name: three
status: stable
correlation:
  type: event_count
  rules: [threat]
  group-by: [edf_hash]
  timespan: 24h
  condition: {{gte: {wanted}}}
level: high
response: {{mode: enforce, actions: [move: {{destination: JunkEmail}}]}}
tests:
  - name: one
    events: [{{at: 0h, edf_hash: aa, final_disposition: MALICIOUS}}]
    expect: {{fires: 0}}
  - name: enough
    events: [{events}]
    expect: {{fires: 1}}
"""


def rules(folder: Path, wanted: int = 3) -> Path:
    """Write a folder with the rule."""
    events = ", ".join(["{at: 0h, edf_hash: aa, final_disposition: MALICIOUS}"] * wanted)
    return written(folder, {"three": RULE.format(wanted=wanted, events=events)})


def plan_of(folder: Path, group: str = "aa") -> CasePlan:
    """Plan a group of the rule."""
    plan = LiveRules.load(folder).current.plan_group("three", {"edf_hash": group})
    assert plan is not None
    return plan


def matches(numbers: Iterable[int]) -> list[Match]:
    """Build matches of messages that nobody knows."""
    now = datetime.now(UTC)
    return [
        Match(
            key=f"message/m{number}",
            at=now,
            seen_at=now,
            rule="threat",
            targets=(Target(id=f"m{number}", at=now),),
        )
        for number in numbers
    ]


async def another(client: Client) -> Client:
    """Connect once more: one client cannot serve two workers of a queue."""
    address = client.service_client.config.target_host
    return await Client.connect(
        address, namespace=client.namespace, data_converter=client.data_converter
    )


async def windows(deployment: Deployment) -> list[CountedWindow]:
    """What is being counted."""
    return list((await CorrelationGateway(deployment.client).windows()).found)


async def counted(deployment: Deployment, events: int) -> CountedWindow:
    """Wait until so many events are counted in one group."""

    async def there() -> CountedWindow | None:
        found = await windows(deployment)
        return found[0] if found and found[0].events == events else None

    return await eventually(there)


async def moved(deployment: Deployment, count: int) -> None:
    """Wait until so many messages were moved."""

    async def there() -> bool | None:
        return sum(row["operation"] == "move" for row in deployment.ledger) >= count or None

    await eventually(there)


async def test_a_threshold_opens_a_case_and_what_follows_joins_it(
    temporal: Client, tmp_path: Path
) -> None:
    """Counting costs no case; the third message moves all three, the fourth joins them."""
    lines = list(outbreak(4))
    async with deployed(
        temporal, simulated(lines[:2]), tmp_path / "state", rules=rules(tmp_path / "rules")
    ) as deployment:
        await deployment.poll()
        (window,) = [await counted(deployment, 2)]
        assert (window.rule, window.seen, window.wanted, window.missing) == (
            "three",
            2,
            3,
            "1 more event",
        )
        assert (await deployment.cases.count(), deployment.ledger) == (0, [])
        assert await deployment.cases.find() == []

        deployment.simulator.add(lines[2:3])
        await deployment.poll()
        await moved(deployment, 3)
        await deployment.settled(window.case)
        assert await windows(deployment) == []

        deployment.simulator.add(lines[3:])
        await deployment.poll()
        await moved(deployment, 4)
        snapshot = (await deployment.cases.status(window.case)).snapshot
        assert snapshot is not None
        assert (snapshot.timeline[0].detail or "").startswith("3 events from ")
        assert snapshot.match_reasons

        kinds = [record.kind for record in deployment.audit()]
        assert kinds.count(RecordKind.EVENT_COUNTED) == 4
        assert kinds.count(RecordKind.EVENT_JOINED) == 4


async def test_counting_starts_anew_after_the_case(temporal: Client, tmp_path: Path) -> None:
    """A match after the close of the case is the first of a new window."""
    folder = rules(tmp_path / "rules")
    async with deployed(temporal, simulated([]), tmp_path / "state", rules=folder) as deployment:
        gateway, plan = CorrelationGateway(temporal), plan_of(folder)
        linger = timedelta(seconds=2)
        await gateway.send_matches([(plan, matches(range(3)))], linger)
        handle = temporal.get_workflow_handle(plan.case_id)
        await eventually(lambda: _is_there(deployment, plan))
        assert await handle.result() == CaseState.CLOSED

        await gateway.send_matches([(plan, matches([3]))], timedelta(hours=1))
        window = await counted(deployment, 1)
        assert (window.case, window.seen) == (plan.case_id, 1)
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=20",)], indirect=True
)
async def test_nothing_is_lost_or_counted_twice_over_continue_as_new(
    temporal: Client, tmp_path: Path
) -> None:
    """Two workers send every page, some twice, while the shard continues as new and is killed."""
    folder = rules(tmp_path / "rules", wanted=120)
    plan = plan_of(folder)
    gateway = CorrelationGateway(temporal)

    async def send(start: int) -> None:
        found = matches(range(start, start + 10))
        await gateway.send_matches([(plan, found)], LINGER)
        await gateway.send_matches([(plan, found[:5])], LINGER)

    async with AsyncExitStack() as stack:
        for number in range(2):
            worker = deployed(
                await another(temporal), simulated([]), tmp_path / f"{number}", rules=folder
            )
            deployment = await stack.enter_async_context(worker)
        for start in range(0, 90, 30):
            await asyncio.gather(*map(send, range(start, start + 30, 10)))
        window = await counted(deployment, 90)
        assert (window.seen, window.wanted) == (90, 120)
        handle = temporal.get_workflow_handle(names.correlation_id(plan.case_id))
        info = (await handle.describe()).raw_description.workflow_execution_info
        assert info.first_run_id != info.execution.run_id

    # No worker runs. What is sent meanwhile waits on the server.
    await asyncio.gather(*map(send, range(90, 120, 10)))
    async with deployed(temporal, simulated([]), tmp_path / "2", rules=folder) as deployment:
        await eventually(lambda: _is_there(deployment, plan))

        async def joined() -> list[str | None] | None:
            kinds = {RecordKind.EVENT_JOINED}
            found = [one.event for one in deployment.audit() if one.kind in kinds]
            return found if len(found) >= 120 else None

        events = await eventually(joined)
        assert len(events) == len(set(events)) == 120


async def test_one_page_costs_one_signal_per_shard(temporal: Client, tmp_path: Path) -> None:
    """A thousand groups on a page are at most 64 signals, and no workflow of their own."""
    plan = plan_of(rules(tmp_path / "rules"))
    plans = [plan.model_copy(update={"group": {"edf_hash": f"g{n}"}}) for n in range(1000)]
    found = [(plan, matches([number])) for number, plan in enumerate(plans)]
    await CorrelationGateway(temporal).send_matches(found, LINGER)

    attributes = [
        event.WhichOneof("attributes")
        for shard in range(names.CORRELATION_SHARDS)
        for event in await _history(temporal, f"{names.CORRELATION}/{shard}")
    ]
    signals = attributes.count("workflow_execution_signaled_event_attributes")
    assert 0 < signals <= names.CORRELATION_SHARDS


async def test_counting_costs_a_signal_and_one_timer(temporal: Client, tmp_path: Path) -> None:
    """No activity, no local activity, and no timer per match."""
    folder = rules(tmp_path / "rules", wanted=100)
    async with deployed(temporal, simulated([]), tmp_path / "state", rules=folder) as deployment:
        plan = plan_of(folder)
        for number in range(10):
            await CorrelationGateway(temporal).send_matches([(plan, matches([number]))], LINGER)
            await counted(deployment, number + 1)
        events = await _history(temporal, names.correlation_id(plan.case_id))
        billed = [
            attribute
            for event in events
            if not (attribute := event.WhichOneof("attributes")).startswith("workflow_task")
        ]
        assert sorted(set(billed)) == [
            "timer_started_event_attributes",
            "workflow_execution_signaled_event_attributes",
            "workflow_execution_started_event_attributes",
        ]
        assert billed.count("timer_started_event_attributes") == 1


async def test_an_undecodable_signal_is_recorded(temporal: Client, tmp_path: Path) -> None:
    """A signal of another shape stops nothing; the shard goes on."""
    folder = rules(tmp_path / "rules")
    async with deployed(temporal, simulated([]), tmp_path / "state", rules=folder) as deployment:
        gateway, plan = CorrelationGateway(temporal), plan_of(folder)
        await gateway.send_matches([(plan, matches([1]))], LINGER)
        handle = temporal.get_workflow_handle(names.correlation_id(plan.case_id))
        for garbage in ("what", {"groups": 5}, None):
            await handle.signal(names.MATCHED, garbage)
        await gateway.send_matches([(plan, matches([2]))], LINGER)
        await counted(deployment, 2)

        async def recorded() -> bool | None:
            kinds = [record.kind for record in deployment.audit()]
            return kinds.count(RecordKind.EVENT_REJECTED) == 3 or None

        await eventually(recorded)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rule": "another"}, "rule_gone"),
        (
            {
                "correlation": CorrelationWindow(
                    type=CorrelationType.EVENT_COUNT, timespan=timedelta(hours=1), at_least=1
                )
            },
            "rule_changed",
        ),
    ],
)
async def test_a_rule_that_is_gone_or_counts_otherwise_does_not_act(
    skipping: Client, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    """What its former version counted is dropped and recorded, after minutes of patience."""
    folder = rules(tmp_path / "rules")
    async with deployed(skipping, simulated([]), tmp_path / "state", rules=folder) as deployment:
        plan = plan_of(folder).model_copy(update=changes)
        await CorrelationGateway(skipping).send_matches([(plan, matches(range(3)))], LINGER)

        async def dropped() -> str | None:
            found = [
                one.detail for one in deployment.audit() if one.kind is RecordKind.MATCHES_DROPPED
            ]
            return found[0] if found else None

        assert await eventually(dropped) == f"3 matches: {why}"
        assert await deployment.cases.find() == []


async def test_a_defect_in_one_delivery_stops_no_other(temporal: Client, tmp_path: Path) -> None:
    """The rules raise for one group; the case of the other opens."""
    folder = rules(tmp_path / "rules")
    loaded = LiveRules.load(folder).current
    answers = iter([None, loaded])
    activities = CorrelationActivities(
        CaseGateway(temporal),
        lambda: next(answers),  # type: ignore[arg-type,return-value]
        Mode.ENFORCE,
    )
    deliveries = tuple(
        Delivery(
            key=group,
            definition=CorrelationDefinition(rule="three", window=window),
            group={"edf_hash": group},
            opens=True,
            window="3 events",
            matches=tuple(matches(range(3))),
        )
        for group in ("aa", "bb")
        if (window := plan_of(folder).correlation) is not None
    )
    results = await activities.deliver_matches(DeliveryBatch(deliveries=deliveries))
    assert results == [DeliveryResult.FAILED, DeliveryResult.DELIVERED]
    assert [line.id for line in await eventually(lambda: _found(temporal))] == [
        plan_of(folder, "bb").case_id
    ]


async def test_a_shard_ends_when_everything_has_expired(skipping: Client, tmp_path: Path) -> None:
    """Many signals cost one timer; after a day and the linger nothing is left."""
    folder = rules(tmp_path / "rules")
    async with deployed(skipping, simulated([]), tmp_path / "state", rules=folder):
        gateway, plan = CorrelationGateway(skipping), plan_of(folder)
        for number in range(2):
            await gateway.send_matches([(plan, matches([number]))], LINGER)
        handle = skipping.get_workflow_handle(names.correlation_id(plan.case_id))
        await asyncio.wait_for(handle.result(), 60)
        events = (await handle.fetch_history()).events
        timers = [one for one in events if one.HasField("timer_started_event_attributes")]
        assert len(timers) <= 2


async def _found(client: Client) -> list[CaseLine] | None:
    return await CaseGateway(client).find() or None


async def _is_there(deployment: Deployment, plan: CasePlan) -> bool | None:
    try:
        await deployment.client.get_workflow_handle(plan.case_id).describe()
    except RPCError:
        return None
    return True


async def _history(client: Client, workflow_id: str) -> list[Any]:
    return list((await client.get_workflow_handle(workflow_id).fetch_history()).events)
