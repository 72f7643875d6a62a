"""A campaign too large for one case goes on in parts, which people see and answer as one."""

import asyncio
import random
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.case_files.held_cases import read_held_of_rule
from clawback.cases import CaseState, CaseTiming, ForwardMatches, part_index, room
from clawback.cases.bulk import HeldSelection
from clawback.cases.state import Campaign
from clawback.cases.undo_plan import UndoScope
from clawback.model.mode import Mode
from clawback.model.orders import Verb
from clawback.simulator import outbreak
from clawback.temporal import case_reader, case_sender, names, running_parts, undo_gateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.undo_gateway import UndoGateway
from clawback.temporal.workflow_calls import QueryFailed, UpdateRefused
from tests.people import person
from tests.rules.folders import PLAIN, write
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import moved_ids, plan, simulated
from workflows.steps import publication

NOISE = random.Random(1)  # noqa: S311 - test data
CASE = plan().case_id


def campaign(count: int) -> list[dict[str, Any]]:
    """Build a campaign whose Message-IDs are long and cannot be compressed."""
    lines = list(outbreak(count, seed=1))
    for line in lines:
        line["message"]["message_id"] = f"<{NOISE.randbytes(400).hex()}@evil.test>"
    return lines


async def is_known(deployment: Deployment, count: int) -> bool | None:
    """Whether the case, with all its parts, has so many messages and nothing to do."""
    snapshot = (await deployment.cases.status(CASE)).snapshot
    is_there = snapshot is not None and len(snapshot.targets) == count
    return (
        is_there and snapshot is not None and snapshot.state is not CaseState.RESPONDING
    ) or None


async def is_counted_as_one(deployment: Deployment, count: int) -> bool | None:
    """Whether list and outline count all messages, without reading the parts."""
    (line,) = await deployment.cases.find()
    assert await deployment.cases.count() == 1
    assert line.summary is not None
    outline = await deployment.cases.outline(CASE)
    assert outline.case.snapshot is not None
    shown = len(outline.case.snapshot.targets) + sum(one.messages for one in outline.summaries)
    done = sum(sum(one.outcomes[0].outcomes.values()) for one in outline.summaries if one.outcomes)
    done += len(outline.case.snapshot.outcomes[0])
    return line.summary.messages == shown == done == count or None


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a case hold twenty messages or so, and an index a single part."""
    monkeypatch.setattr(room, "STATE_LIMIT", 64 * 1024)
    monkeypatch.setattr(part_index, "PARTS_PER_INDEX", 2)
    # A campaign has parts, and its case is lost, within a second here.
    monkeypatch.setattr(running_parts, "_FRESH", 0.0)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("asked_from", [0, case_sender.ASK_FROM])
async def test_a_campaign_of_many_parts_is_one_case(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_from: int
) -> None:
    """Every message is moved once, also when all are delivered again; undo takes all back.

    It makes no difference whether matches go to the parts directly or through the case.
    """
    monkeypatch.setattr(case_sender, "ASK_FROM", asked_from)
    lines = campaign(45)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        for _ in range(2):
            for some in (lines[:10], lines[10:30], lines[30:]):
                await deployment.signal_case(plan(), *map(match_of, some))
            await eventually(lambda: is_known(deployment, 45))
        description = await temporal.get_workflow_handle(CASE).describe()
        assert (
            description.raw_description.execution_config.default_workflow_task_timeout.seconds
            == (case_sender.PART_TASK_TIMEOUT.total_seconds())
        )
        expected = sorted(line["message"]["id"] for line in lines)
        late = match_of(*campaign(1))
        swept = [late, *map(match_of, lines)]
        assert await deployment.cases.drop_known(CASE, swept) == [late]
        assert sorted(moved_ids(deployment)) == expected
        await eventually(lambda: is_counted_as_one(deployment, 45))

        undo = UndoGateway(temporal)

        async def all_parts() -> set[str] | None:
            found = (await undo.find(UndoScope(actor=person("ana")), case=CASE)).candidates
            messages = {target.id for one in found for target in one.plan.messages}
            return messages if len(messages) == len(lines) and len(found) > 2 else None

        assert sorted(await eventually(all_parts)) == expected

        # As in the plan for many cases; people are told of one case.
        monkeypatch.setattr(undo_gateway, "MOST_HISTORIES", 1)
        found = await undo.find(UndoScope(actor=person("ana")), case=CASE)
        assert (found.cases, bool(found.unread)) == (1, True)
        read = sum(len(one.plan.messages) for one in found.candidates)
        assert read + sum(one.messages for one in found.unread) == len(lines)
        whole = await undo.read_rest(found, UndoScope(actor=person("ana")))
        assert (whole.cases, whole.parts, whole.unread) == (1, found.parts, ())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("asked_from", [0, case_sender.ASK_FROM])
async def test_a_campaign_whose_case_was_terminated_goes_on_where_it_was(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_from: int
) -> None:
    """The next match opens the case anew, with all that is known: nothing is moved twice."""
    monkeypatch.setattr(case_sender, "ASK_FROM", asked_from)
    lines = campaign(50)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(plan(), *map(match_of, lines[:45]))
        await eventually(lambda: is_known(deployment, 45))
        await eventually(lambda: parts_are_listed(deployment))
        await temporal.get_workflow_handle(CASE).terminate("by mistake")

        # The newest first: the case has lost its index when the others come again.
        for some in (lines[45:46], lines[20:45], lines[:20], lines[46:]):
            await deployment.signal_case(plan(), *map(match_of, some))
        await eventually(lambda: is_known(deployment, 50))
        await eventually(lambda: are_moved(deployment, 50))
        expected = sorted(line["message"]["id"] for line in lines)
        assert sorted(moved_ids(deployment)) == expected


@pytest.mark.usefixtures("small")
async def test_parts_do_not_wait_for_the_first_move_of_their_case(
    temporal: Client, tmp_path: Path
) -> None:
    """While the API is away, what the case has no room for goes on all the same."""
    lines = campaign(45)
    server = simulated(lines, "429=1")
    async with deployed(temporal, server, tmp_path) as deployment, asyncio.timeout(60):
        await deployment.signal_case(plan(), match_of(lines[0]))
        await deployment.scheduled(plan(), "guard.reserve_and_move")
        await deployment.signal_case(plan(), *map(match_of, lines[1:]))
        await eventually(lambda: parts_are_listed(deployment))
        assert moved_ids(deployment) == []


@pytest.mark.usefixtures("small")
async def test_a_campaign_whose_lost_case_cannot_be_read_asks_people(
    temporal: Client, tmp_path: Path
) -> None:
    """Nobody knows what it did; with an approval it goes on."""
    lines = campaign(46)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(plan(), *map(match_of, lines[:45]))
        await eventually(lambda: is_known(deployment, 45))
        await eventually(lambda: parts_are_listed(deployment))
        handle = temporal.get_workflow_handle(CASE)
        await handle.terminate("by mistake")
        execution = WorkflowExecution(workflow_id=CASE)
        await temporal.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=temporal.namespace, workflow_execution=execution
            )
        )
        await eventually(lambda: is_gone(deployment))

        await deployment.signal_case(plan(), match_of(lines[45]))
        held = await eventually(lambda: held_for(deployment))
        assert "was ended on the server while" in held
        assert len(moved_ids(deployment)) == 45
        digest = (await deployment.cases.proposal(CASE)).digest
        await deployment.cases.approve(CASE, person("ana"), digest)
        await eventually(lambda: are_moved(deployment, 46))


async def parts_are_listed(deployment: Deployment) -> bool | None:
    return len(await deployment.cases.find_parts(CASE)) > 1 or None


async def is_gone(deployment: Deployment) -> bool | None:
    query = f"WorkflowId = '{CASE}' AND ExecutionStatus = 'Terminated'"
    return None if [one async for one in deployment.client.list_workflows(query)] else True


async def held_for(deployment: Deployment) -> str | None:
    snapshot = (await deployment.cases.read(CASE)).case.snapshot
    return snapshot.guard_refusal if snapshot else None


async def are_moved(deployment: Deployment, count: int) -> bool | None:
    await asyncio.sleep(0)
    return len(moved_ids(deployment)) == count or None


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("approves", [True, False])
async def test_a_decision_covers_every_part(
    temporal: Client, tmp_path: Path, *, approves: bool
) -> None:
    """An approval is bound to the digest over all parts; a denial ends all of them."""
    lines, asked = campaign(45), plan(mode=Mode.APPROVE)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(asked, *map(match_of, lines))

        async def all_held() -> str | None:
            await is_known(deployment, 45)
            proposal = await deployment.cases.proposal(CASE)
            return proposal.digest if len(proposal.messages) == len(lines) else None

        digest = await eventually(all_held)
        if approves:
            with pytest.raises(UpdateRefused, match="has changed"):
                await deployment.cases.approve(CASE, person("ana"), "45-000000000000")
            await deployment.cases.approve(CASE, person("ana"), digest)
        else:
            await deployment.cases.deny(CASE, person("ana"))
        await eventually(lambda: decided(deployment, 45))
        assert len(moved_ids(deployment)) == (45 if approves else 0)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.DENY])
async def test_a_decision_about_a_rule_covers_every_part(
    temporal: Client, tmp_path: Path, verb: Verb
) -> None:
    """One digest is over all held parts; a part that grew since is asked about again."""
    lines, asked = campaign(46), plan(mode=Mode.APPROVE)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(120):
        await deployment.signal_case(asked, *map(match_of, lines[:45]))

        async def selected(messages: int) -> HeldSelection | None:
            await is_known(deployment, messages)
            found = await read_held_of_rule(deployment.cases, asked.rule, None)
            held = sum(case.messages for case in found.cases)
            return found if held == messages else None

        shown = await eventually(lambda: selected(45))
        (case,) = shown.cases
        assert len(case.parts) > 2
        before = await deployment.cases.proposal(asked.case_id)
        await deployment.signal_case(asked, match_of(lines[45]))
        grown = await eventually(lambda: selected(46))
        assert grown.describe_change(shown.digest) is not None
        change = await deployment.cases.proposal_change(asked.case_id, before.digest)
        assert (change.added, change.removed) == ((lines[45]["message"]["id"],), ())
        assert change.shown_at is not None

        answers = await deployment.cases.decide_shown(verb, person("ana"), "", case.digests)
        (late,) = answers.errors
        (case,) = (await eventually(lambda: selected_of(deployment, asked.rule, late))).cases
        await deployment.cases.decide_shown(verb, person("ana"), "", case.digests)
        await eventually(lambda: decided(deployment, 46))
        assert len(moved_ids(deployment)) == (46 if verb is Verb.APPROVE else 0)


async def selected_of(deployment: Deployment, rule: str, part: str) -> HeldSelection | None:
    """The selection, once only this part is held."""
    found = await read_held_of_rule(deployment.cases, rule, None)
    return found if [list(case.parts) for case in found.cases] == [[part]] else None


def budget(tmp_path: Path, most: int) -> Path:
    """Write rules with a budget for a campaign."""
    safety = f"budgets: {{campaign: {most}}}\n"
    return write(tmp_path / "rules", {"a_rule.yml": PLAIN, "safety.yml": safety})


@pytest.mark.usefixtures("small")
async def test_all_parts_share_the_budget_of_the_campaign(temporal: Client, tmp_path: Path) -> None:
    """They may use up all of it, however many parts there are; one message more is held.

    An approval of all held parts counts anew for all of them.
    """
    lines, rules = campaign(46), budget(tmp_path, 45)
    simulator = simulated(lines)
    async with (
        deployed(temporal, simulator, tmp_path, rules=rules) as deployment,
        asyncio.timeout(120),
    ):
        await deployment.signal_case(plan(), *map(match_of, lines[:45]))
        await eventually(lambda: is_known(deployment, 45))
        await eventually(lambda: decided(deployment, 45))
        assert len(set(moved_ids(deployment))) == 45

        await deployment.signal_case(plan(), match_of(lines[45]))

        async def held() -> str | None:
            await is_known(deployment, 46)
            proposal = await deployment.cases.proposal(CASE)
            return proposal.digest if proposal.messages else None

        digest = await eventually(held)
        refusal = (await deployment.cases.status(CASE)).snapshot
        assert refusal is not None
        assert "would exceed 45 of one campaign (45 so far)" in (refusal.guard_refusal or "")
        await deployment.cases.approve(CASE, person("ana"), digest)
        await eventually(lambda: decided(deployment, 46))
        guard = await GuardGateway(temporal).status()
        assert guard is not None
        assert refusal.campaign is not None
        assert guard.campaigns[refusal.campaign.id].spent == 1


async def decided(deployment: Deployment, count: int) -> bool | None:
    """Whether every message has an outcome."""
    snapshot = (await deployment.cases.status(CASE)).snapshot
    return (snapshot is not None and len(snapshot.outcomes[0]) == count) or None


@pytest.mark.usefixtures("small")
async def test_a_list_shows_how_a_large_campaign_ended(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its limit a case publishes little, but when nothing more happens it does."""
    monkeypatch.setattr(publication, "MOST_UPSERTS", 0)
    monkeypatch.setattr(publication, "CATCH_UP_AFTER", timedelta(seconds=1))
    lines = campaign(45)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(60):
        for some in (lines[:10], lines[10:30], lines[30:]):
            await deployment.signal_case(plan(), *map(match_of, some))

        async def is_shown() -> bool | None:
            found = await deployment.cases.find()
            return [(one.state, one.summary and one.summary.messages) for one in found] == [
                (CaseState.SETTLED, 45)
            ] or None

        await eventually(is_shown)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait two seconds for a part, as one that cannot be replayed never answers."""
    monkeypatch.setattr(case_reader, "ANSWER_TIMEOUT", timedelta(seconds=2))


async def poison(deployment: Deployment, kind: str, workflow_id: str) -> None:
    """Start a workflow whose argument no worker can read: it never answers."""
    await deployment.client.start_workflow(
        kind, "no case", id=workflow_id, task_queue=names.WORKFLOW_QUEUE
    )


@pytest.mark.usefixtures("impatient")
async def test_a_part_that_does_not_answer_hides_no_other(temporal: Client, tmp_path: Path) -> None:
    """The others are shown, and the page says which one is missing."""
    lines = campaign(2)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(60):
        await deployment.signal_case(plan(), *map(match_of, lines))
        await eventually(lambda: is_known(deployment, 2))
        await poison(deployment, names.CASE_PART, names.part_id(CASE, 2))
        head = temporal.get_workflow_handle(CASE)
        await head.signal(names.PART_CHANGED, args=[2, CaseState.SETTLED])

        async def is_told() -> bool | None:
            reading = await deployment.cases.read(CASE)
            assert reading.case.snapshot is not None
            assert len(reading.case.snapshot.targets) == 2
            return list(reading.unanswered) == [f"{CASE}/2"] or None

        await eventually(is_told)


@pytest.mark.usefixtures("impatient")
async def test_the_parts_of_a_case_that_does_not_answer_are_shown(
    temporal: Client, tmp_path: Path
) -> None:
    """The index knows them, and a denial still reaches those that are held."""
    lines, asked = campaign(2), plan(mode=Mode.APPROVE)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment, asyncio.timeout(60):
        await poison(deployment, names.CASE, CASE)
        matches = tuple(map(match_of, lines))
        origin = Campaign(id="a run", opened_at=matches[0].at)
        await deployment.cases.signal_part(
            ForwardMatches(
                plan=asked, timing=CaseTiming(), part=2, campaign=origin, matches=matches
            )
        )

        async def is_held() -> bool | None:
            with suppress(QueryFailed, RPCError):
                reading = await deployment.cases.read(CASE)
                assert list(reading.unanswered) == [CASE]
                held = reading.case.snapshot
                return (held is not None and held.state is CaseState.HELD) or None
            return None

        await eventually(is_held)
        assert len((await deployment.cases.proposal(CASE)).messages) == 2


@pytest.mark.usefixtures("impatient")
async def test_a_case_of_which_no_part_answers_is_an_error(
    temporal: Client, tmp_path: Path
) -> None:
    """There is nothing to show."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment, asyncio.timeout(60):
        await poison(deployment, names.CASE, CASE)
        with pytest.raises((QueryFailed, RPCError)):
            await deployment.cases.read(CASE)
