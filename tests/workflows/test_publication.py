"""What a case publishes for lists, and what that costs, on a real server."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.actions import count_actions
from clawback.actions import Move, Reclassify
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.model.level import Level
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_index import CHANGES_OVERLAP, CaseFilter
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

SHORT = CaseTiming(linger=timedelta(seconds=1))
LONG = CaseTiming(linger=timedelta(hours=1))
BILLED = 9


def plan(name: str, **changes: Any) -> CasePlan:
    """Build the plan of a case that moves and reclassifies."""
    return CasePlan(
        **{
            "rule": name,
            "version": "v1",
            "mode": Mode.ENFORCE,
            "group": {"edf_hash": name},
            "actions": (
                Move(destination=Destination.JUNK),
                Reclassify(disposition=Disposition.SPAM),
            ),
            **changes,
        }
    )


async def test_a_case_that_moves_and_reclassifies_takes_few_actions(
    temporal: Client, tmp_path: Path
) -> None:
    """What Temporal bills for it, from its start to its close."""
    lines = list(outbreak(3))
    since = datetime.now(UTC) - timedelta(seconds=1)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan("r"), *map(match_of, lines), pace=SHORT)
        await eventually(lambda: _closed(deployment, plan("r")))
        spent = await count_actions(temporal, since, datetime.now(UTC))

    of_cases = Counter(
        {kind: n for kind, n in spent.items() if kind[0].startswith(("case", "own"))}
    )
    assert of_cases.total() <= BILLED, of_cases
    assert of_cases["case", "search attribute upsert"] == 1


async def test_lists_find_cases_by_level_change_and_deadline(
    temporal: Client, tmp_path: Path
) -> None:
    """Every filter leaves something out."""
    lines = list(outbreak(2))
    asks = plan("asks", mode=Mode.APPROVE, level=Level.HIGH)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        for one in (plan("acts"), asks):
            await deployment.signal_case(one, *map(match_of, lines), pace=LONG)
        await deployment.settled(asks.case_id, CaseState.HELD)
        held = await eventually(lambda: _line(deployment, asks, CaseState.HELD))
        await eventually(lambda: _line(deployment, plan("acts"), CaseState.SETTLED))
        assert held.summary is not None
        assert held.summary.deadline is not None
        deadline = held.summary.deadline

        async def found(**wanted: Any) -> set[str]:
            return {line.rule for line in await deployment.cases.find(CaseFilter(**wanted))}

        assert await found(level=Level.HIGH) == {"asks"}
        assert await found(level=Level.LOW) == set()
        assert await found(held_until_before=deadline + timedelta(seconds=1)) == {"asks"}
        assert await found(held_until_before=deadline - timedelta(seconds=1)) == set()
        assert await found(changed_since=datetime.now(UTC) - timedelta(hours=1)) == {"asks", "acts"}
        assert await found(changed_since=datetime.now(UTC) + timedelta(hours=1)) == set()

        await deployment.cases.deny(asks.case_id, person("ana"), "no")
        denied = await eventually(lambda: _line(deployment, asks, CaseState.DENIED))
        assert denied.summary is not None
        assert denied.summary.decision is not None
        assert denied.summary.decision.by == ("ana",)
        assert await found(held_until_before=deadline + timedelta(seconds=1)) == set()
        assert (held.changed_at or deadline) < (denied.changed_at or held.opened_at)


async def test_a_change_that_only_the_summary_shows_marks_the_case(
    temporal: Client, tmp_path: Path
) -> None:
    """The first of two approvals changes neither state nor hashes, and yet people see it."""
    lines = list(outbreak(1))
    asks = plan("purges", mode=Mode.APPROVE, actions=(Move(destination=Destination.PURGES),))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(asks, *map(match_of, lines), pace=LONG)
        await deployment.settled(asks.case_id, CaseState.HELD)
        before = await eventually(lambda: _line(deployment, asks, CaseState.HELD))
        assert before.changed_at is not None
        noticed_until = before.changed_at + CHANGES_OVERLAP / 2

        async def passed() -> bool | None:
            return datetime.now(UTC) > noticed_until or None

        await eventually(passed)
        digest = (await deployment.cases.proposal(asks.case_id)).digest
        await deployment.cases.approve(asks.case_id, person("ana"), digest)

        async def approved() -> CaseLine | None:
            line = await _line(deployment, asks, CaseState.HELD)
            return line if line and line.summary and line.summary.approvals == 1 else None

        after = await eventually(approved)
        assert after.changed_at is not None
        assert after.changed_at > noticed_until


@pytest.mark.parametrize("ends", ["denied", "expired"])
async def test_a_closed_case_says_that_it_was_refused(
    temporal: Client, tmp_path: Path, ends: str
) -> None:
    """Also where nothing had arrived for so long that it closed at once."""
    lines = list(outbreak(1))
    asks = plan("r", mode=Mode.APPROVE)
    patience = timedelta(hours=1) if ends == "denied" else timedelta(seconds=3)
    pace = CaseTiming(linger=timedelta(milliseconds=1), approval_timeout=patience)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(asks, *map(match_of, lines), pace=pace)
        if ends == "denied":
            await deployment.settled(asks.case_id, CaseState.HELD)
            await deployment.cases.deny(asks.case_id, person("ana"), "no")
        line = await eventually(lambda: _closed(deployment, asks))
    assert line.shown_state == ends


async def test_an_undo_that_ends_a_case_is_in_its_summary(temporal: Client, tmp_path: Path) -> None:
    """By whom and why; nothing else is published for it than its state."""
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan("r"), *map(match_of, lines), pace=LONG)
        await deployment.settled(plan("r").case_id)
        handle = temporal.get_workflow_handle(plan("r").case_id)
        await handle.signal("undo_requested", args=[person("ben"), "our newsletter"])
        line = await eventually(lambda: _closed(deployment, plan("r")))
        assert line.summary is not None
        assert line.summary.undone is not None
        assert (line.summary.undone.by, line.summary.undone.reason) == (("ben",), "our newsletter")
        events = (await handle.fetch_history()).events
        upsert = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
        assert sum(event.event_type == upsert for event in events) == 2


async def _line(deployment: Deployment, told: CasePlan, state: CaseState) -> CaseLine | None:
    lines = await deployment.cases.find(CaseFilter(rule=told.rule))
    return next((line for line in lines if line.state == state and line.summary), None)


async def _closed(deployment: Deployment, told: CasePlan) -> CaseLine | None:
    lines = await deployment.cases.find(CaseFilter(rule=told.rule))
    return next((line for line in lines if line.closed_at), None)
