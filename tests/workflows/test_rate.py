"""One budget on a real server.

Two workers share it, undo passes a waiting backlog, approvals pass routine, a block is waited out.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

import worker as process
from clawback.actions import BlockSender, Move, ProtectIdentity, Reclassify
from clawback.cases import CasePlan, CaseState, Match
from clawback.cloudflare import Share
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.rules.live import LiveRules
from clawback.services.configuration import connect_api
from clawback.simulator import Rate, Simulator, SimulatorOptions, outbreak
from clawback.temporal import names
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.kill_switch import KillSwitch
from clawback.temporal.worker_versions import deployment_config
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import CheckWithoutRule, Deployment, deployed, match_of
from tests.workflows.test_undo import rows, undo


def blocking(number: int, mode: Mode = Mode.ENFORCE) -> CasePlan:
    """The plan of a case that blocks a sender."""
    action = BlockSender(pattern=f"{mode}{number}@sender.example")
    return CasePlan(
        rule="r", version="v", mode=mode, actions=(action,), group={"from": action.pattern}
    )


def protecting(number: int) -> CasePlan:
    """The plan of a case that protects an identity: its creation shares no request."""
    action = ProtectIdentity(display_name=f"Person {number}", email=f"p{number}@corp.example")
    return CasePlan(
        rule="r", version="v", mode=Mode.ENFORCE, actions=(action,), group={"id": str(number)}
    )


@asynccontextmanager
async def another_worker(temporal: Client, deployment: Deployment) -> AsyncIterator[None]:
    """Run the workers of a second process beside the first, with a client of their own."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            connect_api(deployment.settings, KillSwitch(GuardGateway(temporal)))
        )
        own = await Client.connect(
            temporal.service_client.config.target_host,
            namespace=temporal.namespace,
            data_converter=temporal.data_converter,
        )
        rules = LiveRules.load(deployment.settings.rules)
        components = process.build_components(
            deployment.settings,
            own,
            api,
            rules,
            check=CheckWithoutRule(lambda: rules.current, deployment.settings.ceiling),
        )
        workers = process.build_workers(own, components, deployment_config(deployment.settings))
        limits = [
            one.config().get("max_task_queue_activities_per_second") or 0.0 for one in workers
        ]
        assert 0 < sum(limits) <= 200  # what one address may ask the API for in a second
        for one in workers:
            await stack.enter_async_context(one)
        yield


async def test_two_workers_share_one_budget_and_undo_passes_the_backlog(
    temporal: Client, tmp_path: Path
) -> None:
    """More is to be done than there are requests.

    Both workers hold back, nobody sees a 429, undo goes on at once.
    """
    quota, cases = 60, 60
    simulator = Simulator(replace(SimulatorOptions(), rate=Rate(quota, 300)))
    simulator.add(list(outbreak(1)))
    (line,) = outbreak(1)
    async with (
        deployed(temporal, simulator, tmp_path, guard="unlimited") as deployment,
        another_worker(temporal, deployment),
    ):
        await deployment.signal_case(protecting(0), match_of(line))
        await deployment.settled(protecting(0).case_id)
        await asyncio.gather(
            *(
                deployment.signal_case(protecting(number), match_of(line))
                for number in range(1, cases)
            )
        )

        async def held_back() -> bool | None:
            return len(simulator.account.requests.entries) >= quota * 0.5 or None

        await eventually(held_back)
        assert (await undo(deployment, case=protecting(0).case_id)).done == 1
        asked = simulator.account.requests.entries
        assert {one.status for one in asked} <= {200, 201, None}
        assert len(asked) <= quota * 0.75 + 2 * 2
        assert len(rows(deployment, "delete")) == 1
        assert len(rows(deployment, "create")) < cases


async def test_what_people_agreed_to_passes_what_rules_do_alone(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty routine acts wait in the queue when the approved one arrives.

    The next worker does it before them.
    """
    monkeypatch.setattr(process, "CONCURRENT_ACTIVITIES", 1)
    simulator = Simulator(replace(SimulatorOptions(), rate=None))
    (line,) = outbreak(1)
    asking = blocking(0, Mode.APPROVE)
    async with only_planning(temporal, simulator, tmp_path) as (deployment, containing):
        await deployment.signal_case(asking, match_of(line))
        await deployment.settled(asking.case_id, CaseState.HELD)
        routine = [blocking(number) for number in range(20)]
        await asyncio.gather(*(deployment.signal_case(plan, match_of(line)) for plan in routine))
        for plan in routine:
            await deployment.scheduled(plan, "email_security.create_policy")
        shown = await deployment.cases.proposal(asking.case_id)
        await deployment.cases.approve(asking.case_id, person("ana"), shown.digest)
        await deployment.scheduled(asking, "email_security.create_policy")
        async with containing:
            await deployment.settled(routine[-1].case_id)
            await deployment.settled(asking.case_id)
    created = [
        row["pattern"] for row in simulator.account.ledger.since(0) if row["operation"] == "create"
    ]
    # It was asked for last. A worker polls five times at once, so that many routine acts (and the
    # one that runs) may be under way when the server first compares priorities.
    assert created.index("approve0@sender.example") < 8


@asynccontextmanager
async def only_planning(
    temporal: Client, simulator: Simulator, state: Path
) -> AsyncIterator[tuple[Deployment, Any]]:
    """Run an installation whose worker for containment is left to be started."""
    original, kept = process.build_workers, []

    def without_containment(*one: Any, **two: Any) -> Any:
        workers = {worker.task_queue: worker for worker in original(*one, **two)}
        kept.append(workers.pop(names.CONTAIN_QUEUE))
        return list(workers.values())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.workflows.deployment.build_workers", without_containment)
        async with deployed(temporal, simulator, state, guard="unlimited") as deployment:
            yield deployment, kept[0]


async def test_a_block_is_waited_out_by_the_whole_installation(
    temporal: Client, tmp_path: Path
) -> None:
    """Somebody else used the limit up.

    A case finds out with one request, asks nothing more while it lasts, and then does its work.
    """
    simulator = Simulator(replace(SimulatorOptions(), rate=Rate(30, 3)))
    (line,) = outbreak(1)
    async with deployed(temporal, simulator, tmp_path) as deployment:
        limiter = simulator.account.limiter
        while limiter.take("simulator", simulator.account.now.timestamp()) is not None:
            pass
        await deployment.signal_case(blocking(0), match_of(line))
        assert set((await deployment.settled(blocking(0).case_id)).values()) == {"blocked"}
        assert [one.status for one in simulator.account.requests.entries] == [429, 200, 201]


def reclassifying(number: int) -> CasePlan:
    """The plan of a case that reclassifies one message: a request of its own."""
    action = Reclassify(disposition=Disposition.MALICIOUS)
    return CasePlan(
        rule="r", version="v", mode=Mode.ENFORCE, actions=(action,), group={"id": str(number)}
    )


@asynccontextmanager
async def waiting_reclassifications(
    temporal: Client, state: Path, rate: Rate, cases: int
) -> AsyncIterator[tuple[Deployment, Match]]:
    """Let more cases reclassify than the limit allows, and wait until requests are held back.

    Gives the match of one more message.
    """
    simulator = Simulator(replace(SimulatorOptions(), rate=rate))
    lines = list(outbreak(cases + 1))
    simulator.add(lines)
    async with deployed(temporal, simulator, state, guard="unlimited") as deployment:
        # As in a worker, a first response tells the limit: until then 1,200 requests are assumed.
        await deployment.api.settings.domains.list(per_page=1)
        await asyncio.gather(
            *(
                deployment.signal_case(reclassifying(number), match_of(line))
                for number, line in enumerate(lines[:cases])
            )
        )

        async def held_back() -> bool | None:
            return deployment.api.headroom(Share.RECLASSIFYING) == 0 or None

        await eventually(held_back)
        yield deployment, match_of(lines[-1])


async def count_attempts(deployment: Deployment, plan: CasePlan) -> int:
    """How often the reclassification of a case was given to a worker."""
    handle = deployment.client.get_workflow_handle(plan.case_id)
    return sum(
        event.activity_task_scheduled_event_attributes.activity_type.name
        == "email_security.reclassify_message"
        for event in (await handle.fetch_history()).events
    )


async def test_reclassifications_wait_in_the_queue_for_the_rate_limit(
    temporal: Client, tmp_path: Path
) -> None:
    """They need four windows. Each is made once, at the first attempt of nearly all cases."""
    cases = 12
    async with waiting_reclassifications(temporal, tmp_path, Rate(8, 1), cases) as (deployment, _):
        for number in range(cases):
            outcomes = await deployment.settled(reclassifying(number).case_id)
            assert set(outcomes.values()) == {"reclassified"}
        attempts = [await count_attempts(deployment, reclassifying(n)) for n in range(cases)]
        # A worker has five polls open, and what they bring may be too late for the limit.
        assert sum(attempts) <= cases + 5
        assert len({row["id"] for row in rows(deployment, "reclassify")}) == cases
        assert len(rows(deployment, "reclassify")) == cases
        assert {one.status for one in deployment.simulator.account.requests.entries} <= {200, 202}


async def test_reclassifications_that_wait_delay_no_move(temporal: Client, tmp_path: Path) -> None:
    """A move of another case leaves although dozens of reclassifications wait for the reset."""
    async with waiting_reclassifications(temporal, tmp_path, Rate(10, 600), 8) as (
        deployment,
        match,
    ):
        moving = CasePlan(
            rule="m",
            version="v",
            mode=Mode.ENFORCE,
            actions=(Move(destination=Destination.JUNK),),
            group={"id": "moved"},
        )
        await deployment.signal_case(moving, match)
        assert set((await deployment.settled(moving.case_id)).values()) == {"moved"}
        assert 0 < len(rows(deployment, "reclassify")) < 8


async def test_nothing_that_waits_leaves_once_containment_is_stopped(
    temporal: Client, tmp_path: Path
) -> None:
    """The rate limit is reset while containment is stopped; after `resume` each is sent once."""
    cases = 12  # three windows: the switch takes a lease of three seconds, about half of one
    async with waiting_reclassifications(temporal, tmp_path, Rate(8, 6), cases) as (deployment, _):
        guard = GuardGateway(temporal)
        await guard.stop(person("ana"), "wrong rule")
        await deployment.lease_over()
        sent = len(rows(deployment, "reclassify"))

        async def may_send() -> bool | None:
            return deployment.api.headroom(Share.RECLASSIFYING) > 0 or None

        await eventually(may_send)
        assert len(rows(deployment, "reclassify")) == sent < cases
        await guard.resume(person("ana"))
        for number in range(cases):
            await deployment.settled(reclassifying(number).case_id)
        assert len(rows(deployment, "reclassify")) == cases
