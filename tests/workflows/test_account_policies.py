"""Policies that rules make, on a real server.

Agreed to by two where they let somebody in, made once, marked, ended, taken back.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import AllowSender, ProtectIdentity, TrustDomain
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.model.mode import Mode
from clawback.simulator import outbreak, parse_faults
from clawback.temporal import names
from clawback.temporal.undo_gateway import UndoSummary
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import undo
from worker import connect_api

ALLOW = AllowSender(pattern="partner@good.example")
TRUST = TrustDomain(pattern="good.example")
PROTECT = ProtectIdentity(display_name="Ruth Adeyemi", email="ruth@corp.example")


def plan(action: Any, **said: Any) -> CasePlan:
    """The plan of a case with one action."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v",
            "mode": Mode.ENFORCE,
            "group": {"edf_hash": action.name},
            "actions": (action,),
            **said,
        }
    )


def made(deployment: Deployment, operation: str = "create") -> list[tuple[str, str]]:
    """Which lists something was created in, or deleted from, and its id."""
    return [
        (row["resource"], row["id"]) for row in deployment.ledger if row["operation"] == operation
    ]


async def agreed(
    deployment: Deployment,
    told: CasePlan,
    lines: list[dict[str, Any]],
    pace: CaseTiming | None = None,
) -> dict[str, str]:
    """Let a case be decided by as many people as must agree; its outcomes."""
    await deployment.signal_case(told, *map(match_of, lines), pace=pace)
    if told.actions[0].has_wide_impact:
        await deployment.settled(told.case_id, CaseState.HELD)
        digest = (await deployment.cases.proposal(told.case_id)).digest
        assert await deployment.cases.approve(told.case_id, "ana", digest) == CaseState.HELD
        assert made(deployment) == []
        await deployment.cases.approve(told.case_id, "ben", digest)
    return await deployment.settled(told.case_id)


@pytest.mark.parametrize("action", [ALLOW, TRUST, PROTECT], ids=lambda action: action.name)
async def test_a_policy_is_made_once_marked_and_taken_back(
    temporal: Client, tmp_path: Path, action: Any
) -> None:
    """Two people agree to what lets somebody in; undo removes it, the audit has both."""
    lines = list(outbreak(1))
    told = plan(action)
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        assert await agreed(deployment, told, lines) == {action.label: "created"}
        ((resource, identity),) = made(deployment)
        assert resource == action.resource
        record = await getattr(api.settings, resource).get(identity)
        assert told.case_id in (record.comments or "")
        assert {name: getattr(record, name) for name in action.fields} == action.fields
        assert await undo(deployment, UndoScope(by="ana"), case=told.case_id) == UndoSummary(
            cases=1, done=1
        )
        assert made(deployment, "delete") == [(resource, identity)]
        (undone,) = [record for record in deployment.audit() if record.kind is RecordKind.UNDONE]
        assert (undone.action, undone.target, undone.outcome) == (
            action.name,
            action.label,
            "removed",
        )


@pytest.mark.parametrize("action", [ALLOW, TRUST, PROTECT], ids=lambda action: action.name)
async def test_a_lost_answer_makes_no_second_policy(
    temporal: Client, tmp_path: Path, action: Any
) -> None:
    """Made, but the answer never came.

    A look at the list finds our mark, and the ledger has one creation.
    """
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        told = plan(action, mode=Mode.APPROVE)
        await deployment.signal_case(told, *map(match_of, lines))
        await deployment.settled(told.case_id, CaseState.HELD)
        digest = (await deployment.cases.proposal(told.case_id)).digest
        deployment.simulator.account.faults.reset(parse_faults("lost_answer=1"))
        for who in ("ana", "ben")[: 2 if action.has_wide_impact else 1]:
            await deployment.cases.approve(told.case_id, who, digest)
        await eventually(lambda: _asked(deployment, action.resource))
        deployment.simulator.account.faults.reset(parse_faults("lost_answer=0.5"))
        assert await deployment.settled(told.case_id) == {action.label: "created"}
        assert len(made(deployment)) == 1


async def test_what_stands_already_is_left_alone(temporal: Client, tmp_path: Path) -> None:
    """A policy of somebody's with the same fields.

    Nothing is made, and undo removes nothing of theirs.
    """
    lines = list(outbreak(1))
    told = plan(PROTECT)
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        fields: Any = {**PROTECT.fields, "name": "ruth ADEYEMI"}
        theirs = await api.settings.impersonation_registry.create(**fields, comments="by hand")
        assert await agreed(deployment, told, lines) == {PROTECT.label: "already_there"}
        assert made(deployment) == [(PROTECT.resource, theirs.id)]


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (AllowSender(pattern="gmail.com", kind="domain"), "never_allow"),
        (TrustDomain(pattern="cloudflare.com"), "never_allow"),
        (AllowSender(pattern="nobody"), "not_an_address"),
        (TrustDomain(pattern="good.example", recent=False), "trusts_nothing"),
        (ProtectIdentity(display_name=" ", email="a@corp.example"), "no_name"),
    ],
)
async def test_what_no_rule_may_let_in_is_refused(
    temporal: Client, tmp_path: Path, action: Any, reason: str
) -> None:
    """Free mail, large senders, our own: asked again right before acting, whatever the plan says.

    Nonsense is refused without a request.
    """
    lines = list(outbreak(1))
    told = plan(action)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(told, *map(match_of, lines))
        if action.problem is None:
            await deployment.settled(told.case_id, CaseState.HELD)
            digest = (await deployment.cases.proposal(told.case_id)).digest
            for who in ("ana", "ben"):
                await deployment.cases.approve(told.case_id, who, digest)
        assert await deployment.settled(told.case_id) == {action.label: f"failed:{reason}"}
        assert made(deployment) == []


async def test_a_policy_ends_when_its_time_is_up(skipping: Client, tmp_path: Path) -> None:
    """Thirty days later it is gone, and it is on record."""
    lines = list(outbreak(1))
    async with deployed(skipping, simulated(lines), tmp_path) as deployment:
        await agreed(deployment, plan(ALLOW), lines, CaseTiming(linger=timedelta(days=90)))
        ((resource, identity),) = made(deployment)
        expiry = skipping.get_workflow_handle(names.expiry_id(f"{resource}/{identity}"))
        await expiry.result()
        described = await expiry.describe()
        assert described.close_time is not None
        assert described.close_time - described.start_time == pytest.approx(
            timedelta(days=30), abs=timedelta(minutes=1)
        )
        assert made(deployment, "delete") == [(resource, identity)]
        await eventually(lambda: _recorded(deployment, "removed"))


async def test_a_policy_that_somebody_changed_is_theirs(temporal: Client, tmp_path: Path) -> None:
    """It stands when its time is up, and after an undo that finds our mark no longer."""
    lines = list(outbreak(1))
    told = plan(TRUST.model_copy(update={"expires_after": timedelta(seconds=3)}))
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await agreed(deployment, told, lines)
        ((_, identity),) = made(deployment)
        await api.settings.trusted_domains.edit(
            identity, is_similarity=True, comments="kept by the mail team"
        )
        await eventually(lambda: _recorded(deployment, "left_alone"))
        await undo(deployment, UndoScope(by="ana"), case=told.case_id)
        assert made(deployment, "delete") == []


async def _asked(deployment: Deployment, resource: str) -> bool | None:
    return deployment.requests(f"/settings/{resource}") >= 2 or None


async def _recorded(deployment: Deployment, outcome: str) -> bool | None:
    return (
        any(
            record.kind is RecordKind.POLICY_EXPIRED and record.outcome == outcome
            for record in deployment.audit()
        )
        or None
    )
