"""Comments, assignments and repeated decisions of a case, on a real server."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from clawback.actions import Move
from clawback.cases import CaseState, CaseTiming
from clawback.cases.notes import AssignTo
from clawback.model.audit_record import RecordKind
from clawback.model.identity import Role
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.workflow_calls import UpdateRefused
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_approvals import held, plan, said
from tests.workflows.test_case import simulated

CASE = plan().case_id


async def test_people_work_on_a_case_together(temporal: Client, tmp_path: Path) -> None:
    """Comments and the assignee are in the case, in lists and in the audit."""
    lines = list(outbreak(1))
    ana, ben = person("ana"), person("ben")
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await held(deployment, plan(), lines)
        cases = deployment.cases
        assert await cases.comment(CASE, ana, " asked\r\nfinance\x1b[31m ") == 1
        assert await cases.comment(CASE, ben, "it is phish") == 2
        assert await cases.assign(CASE, ana, AssignTo(is_self=True)) == "ana"

        snapshot = (await cases.status(CASE)).snapshot
        assert snapshot is not None
        assert [one.text for one in snapshot.comments] == [
            "asked\nfinance\N{REPLACEMENT CHARACTER}[31m",
            "it is phish",
        ]
        assert [one.author for one in snapshot.comments] == ["ana", "ben"]
        line = await eventually(lambda: _line(deployment, comments=2))
        assert line.summary is not None
        assert line.summary.assignee == "ana"
        assert line.summary.assignee_id == ana.identity.id != ben.identity.id

        assert await cases.assign(CASE, ben, AssignTo(name=" second  shift ")) == "second shift"
        assert await cases.assign(CASE, ben, AssignTo()) == ""
        await eventually(lambda: _line(deployment, assignee=""))
        await cases.deny(CASE, ana, "no")
        assert [who for who, _ in said(deployment, RecordKind.COMMENTED)] == ["ana", "ben"]
        assert said(deployment, RecordKind.ASSIGNED) == [
            ("ana", "to ana"),
            ("ben", "to second shift"),
            ("ben", "to nobody"),
        ]


async def test_a_case_takes_no_comment_that_it_should_not(temporal: Client, tmp_path: Path) -> None:
    """Of a viewer, without text, too long, or once it has closed."""
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await held(deployment, plan(), lines, CaseTiming(linger=timedelta(milliseconds=1)))
        cases, ana = deployment.cases, person("ana")
        with pytest.raises(UpdateRefused, match="takes the role analyst"):
            await cases.comment(CASE, person("eve", Role.VIEWER), "hello")
        with pytest.raises(UpdateRefused, match="takes the role analyst"):
            await cases.assign(CASE, person("eve", Role.VIEWER), AssignTo(is_self=True))
        with pytest.raises(UpdateRefused, match="empty"):
            await cases.comment(CASE, ana, " \n ")
        with pytest.raises(UpdateRefused, match=r"at most 2,000 bytes, and this one has 2,001"):
            await cases.comment(CASE, ana, "x" * 2001)
        await cases.deny(CASE, ana, "no")
        await eventually(lambda: _closed(deployment))
        with pytest.raises(UpdateRefused, match="a closed case takes no comments"):
            await cases.comment(CASE, ana, "too late")
        with pytest.raises(UpdateRefused, match="a closed case takes no comments"):
            await cases.assign(CASE, ana, AssignTo(is_self=True))


async def test_a_repeated_request_gets_the_first_answer(temporal: Client, tmp_path: Path) -> None:
    """While the case is open, and after it has closed."""
    lines = list(outbreak(1))
    asks = plan(mode=Mode.APPROVE, actions=(Move(destination=Destination.PURGES),))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        digest = await held(deployment, asks, lines, CaseTiming(linger=timedelta(seconds=1)))
        cases, ana, ben = deployment.cases, person("ana"), person("ben")
        for _ in range(2):
            assert await cases.comment(CASE, ana, "phish", key="form 1") == 1
        with pytest.raises(UpdateRefused, match="key was used for another request"):
            await cases.comment(CASE, ana, "no phish", key="form 1")
        assert await cases.comment(CASE, ben, "phish", key="form 1") == 2

        for _ in range(2):
            assert await cases.approve(CASE, ana, digest, key="form 2") == CaseState.HELD
        with pytest.raises(UpdateRefused, match="has approved this already"):
            await cases.approve(CASE, ana, digest, key="form 3")
        assert await cases.approve(CASE, ben, digest, key="form 4") == CaseState.RESPONDING
        await eventually(lambda: _closed(deployment))
        for who, key, answer in ((ana, "form 2", "held"), (ben, "form 4", "responding")):
            assert await cases.approve(CASE, who, digest, key=key) == answer
        assert await cases.comment(CASE, ana, "phish", key="form 1") == 1
        with pytest.raises(UpdateRefused):
            await cases.comment(CASE, ana, "more", key="form 1")
        assert len(said(deployment, RecordKind.APPROVED)) == 2
        assert len(said(deployment, RecordKind.COMMENTED)) == 2


async def _line(deployment: Deployment, **wanted: object) -> CaseLine | None:
    for line in await deployment.cases.find(CaseFilter(rule="r")):
        if all(getattr(line.summary, name) == value for name, value in wanted.items()):
            return line
    return None


async def _closed(deployment: Deployment) -> bool | None:
    lines = await deployment.cases.find(CaseFilter(rule="r"))
    return any(line.closed_at for line in lines) or None
