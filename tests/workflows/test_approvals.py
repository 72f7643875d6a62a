"""Approvals on a real server.

Who is first, what exactly was agreed to, who must agree, and what silence means.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import BlockSender, Move
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.workflow_calls import UpdateRefused
from tests.people import person
from tests.rules.folders import PLAIN, write
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

DOMAIN = BlockSender(pattern="bad.example", kind=PatternKind.DOMAIN)
HARD_DELETE = Move(destination=Destination.PURGES)


def plan(**said: Any) -> CasePlan:
    """The plan of a case that asks first."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v",
            "mode": Mode.APPROVE,
            "group": {"edf_hash": "x"},
            "actions": (Move(destination=Destination.JUNK),),
            **said,
        }
    )


async def held(
    deployment: Deployment,
    told: CasePlan,
    lines: list[dict[str, Any]],
    pace: CaseTiming | None = None,
) -> str:
    """Let a case be held; the digest of what it would do."""
    await deployment.signal_case(told, *map(match_of, lines), pace=pace)
    await deployment.settled(told.case_id, CaseState.HELD)
    return (await deployment.cases.proposal(told.case_id)).digest


def said(deployment: Deployment, kind: RecordKind) -> list[tuple[str | None, str | None]]:
    """Who, and what about it, in the records of one kind."""
    return [(record.actor, record.detail) for record in deployment.audit() if record.kind is kind]


async def test_of_many_answers_at_once_the_first_counts(temporal: Client, tmp_path: Path) -> None:
    """Ten people approve or deny at the same moment.

    One is heard, the others are told who was first; the act is done once, or never.
    """
    lines = list(outbreak(2))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        digest = await held(deployment, plan(), lines)
        approvals = (
            deployment.cases.approve(plan().case_id, person(f"approver {number}"), digest)
            for number in range(5)
        )
        denials = (
            deployment.cases.deny(plan().case_id, person(f"denier {number}")) for number in range(5)
        )
        answers = await asyncio.gather(*approvals, *denials, return_exceptions=True)
        heard = [
            number for number, answer in enumerate(answers) if not isinstance(answer, BaseException)
        ]
        (first,) = heard
        who = f"approved by approver {first}" if first < 5 else f"denied by denier {first - 5}"
        told = [str(answer) for number, answer in enumerate(answers) if number != first]
        assert all(
            isinstance(answer, UpdateRefused)
            for number, answer in enumerate(answers)
            if number != first
        )
        assert all(who in text for text in told), told
        await deployment.settled(
            plan().case_id, CaseState.SETTLED if first < 5 else CaseState.DENIED
        )
        assert len(deployment.ledger) == (2 if first < 5 else 0)
        assert len(said(deployment, RecordKind.APPROVED) + said(deployment, RecordKind.DENIED)) == 1


async def test_an_approval_of_a_case_that_has_grown_is_refused(
    temporal: Client, tmp_path: Path
) -> None:
    """What was shown had two messages, now there are three.

    The answer says which, and nothing is done until the new digest is approved.
    """
    lines = list(outbreak(3))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        shown = await held(deployment, plan(), lines[:2])
        await deployment.signal_case(plan(), match_of(lines[2]))

        async def grown() -> str | None:
            digest = (await deployment.cases.proposal(plan().case_id)).digest
            return digest if digest != shown else None

        now = await eventually(grown)
        newest = lines[2]["message"]["id"]
        with pytest.raises(
            UpdateRefused,
            match=rf"has changed since it was shown: 1 message more \({newest}\)"
            rf".*Its digest is now {now}",
        ):
            await deployment.cases.approve(plan().case_id, person("ana"), shown)
        assert deployment.ledger == []
        change = await deployment.cases.proposal_change(plan().case_id, shown)
        assert (change.added, change.removed, change.current.digest) == ((newest,), (), now)
        await deployment.cases.approve(plan().case_id, person("ana"), now, "all three are phishing")
        await deployment.settled(plan().case_id)
        assert len(deployment.ledger) == 3
        assert said(deployment, RecordKind.APPROVED) == [("ana", "all three are phishing")]


@pytest.mark.parametrize("action", [DOMAIN, HARD_DELETE], ids=["domain", "hard delete"])
async def test_what_widens_takes_two_different_people_whatever_the_mode(
    temporal: Client, tmp_path: Path, action: Any
) -> None:
    """One person, written in two ways, is one; the second must be shown the same."""
    lines = list(outbreak(1))
    told = plan(mode=Mode.ENFORCE, actions=(action,))
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "safety.yml": "hard_delete: true\n"})
    async with deployed(temporal, simulated(lines), tmp_path, rules=folder) as deployment:
        digest = await held(deployment, told, lines)
        assert await deployment.cases.approve(told.case_id, person("Ana"), digest) == CaseState.HELD
        with pytest.raises(
            UpdateRefused, match="has approved this already: another person must approve it too"
        ):
            await deployment.cases.approve(told.case_id, person(" ana "), digest)
        with pytest.raises(UpdateRefused, match="has changed since it was shown"):
            await deployment.cases.approve(told.case_id, person("ben"), "1-of another case")
        assert deployment.ledger == []
        assert (
            await deployment.cases.approve(told.case_id, person("ben"), digest)
            == CaseState.RESPONDING
        )
        await deployment.settled(told.case_id)
        assert len(deployment.ledger) == 1


async def test_silence_of_a_week_is_a_denial(skipping: Client, tmp_path: Path) -> None:
    """After six days people are warned, once.

    After seven the case has expired, nothing was done, and a late answer is told so.
    """
    lines = list(outbreak(2))
    async with deployed(skipping, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(
            plan(), *map(match_of, lines), pace=CaseTiming(linger=timedelta(days=30))
        )
        handle = skipping.get_workflow_handle(plan().case_id)
        assert await handle.result() == CaseState.EXPIRED
        assert deployment.ledger == []
        records = [
            record
            for record in deployment.audit()
            if record.kind in {RecordKind.HELD, RecordKind.EXPIRY_WARNED, RecordKind.EXPIRED}
        ]
        assert [record.kind for record in records] == [
            RecordKind.HELD,
            RecordKind.EXPIRY_WARNED,
            RecordKind.EXPIRED,
        ]
        asked, warned, expired = (record.at for record in records)
        minute = timedelta(minutes=1)
        assert warned - asked == pytest.approx(timedelta(days=6), abs=minute)
        assert expired - asked == pytest.approx(timedelta(days=7), abs=minute)
        with pytest.raises(UpdateRefused, match="ended at"):
            await deployment.cases.approve(plan().case_id, person("ana"), "late")
