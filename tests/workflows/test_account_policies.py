"""Policies that rules create, on a real server: approval, creation, mark, expiry and undo."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import AllowSender, ProtectIdentity, TrustDomain
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.model import orders
from clawback.model.audit_record import RecordKind
from clawback.model.mode import Mode
from clawback.services.configuration import connect_api
from clawback.simulator import outbreak, parse_faults
from clawback.temporal import names
from clawback.temporal.undo_gateway import UndoSummary
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import undo

ALLOW = AllowSender(pattern="partner@good.example")
TRUST = TrustDomain(pattern="good.example")
PROTECT = ProtectIdentity(display_name="Ruth Adeyemi", email="ruth@corp.example")


def case_plan(action: Any, **changes: Any) -> CasePlan:
    """Build the plan of a case with one action."""
    return CasePlan(
        **{
            "rule": "r",
            "version": "v",
            "mode": Mode.ENFORCE,
            "group": {"edf_hash": action.name},
            "actions": (action,),
            **changes,
        }
    )


def list_changes(deployment: Deployment, operation: str = "create") -> list[tuple[str, str]]:
    """Return list and id of every entry that was created, or deleted."""
    return [
        (row["resource"], row["id"]) for row in deployment.ledger if row["operation"] == operation
    ]


async def decide_case(
    deployment: Deployment,
    plan: CasePlan,
    lines: list[dict[str, Any]],
    pace: CaseTiming | None = None,
) -> dict[str, str]:
    """Start a case, approve it as often as it needs, and return its outcomes."""
    await deployment.signal_case(plan, *map(match_of, lines), pace=pace)
    if plan.actions[0].has_wide_impact:
        await deployment.settled(plan.case_id, CaseState.HELD)
        digest = (await deployment.cases.proposal(plan.case_id)).digest
        assert await deployment.cases.approve(plan.case_id, person("ana"), digest) == CaseState.HELD
        assert list_changes(deployment) == []
        await deployment.cases.approve(plan.case_id, person("ben"), digest)
    return await deployment.settled(plan.case_id)


@pytest.mark.parametrize("action", [ALLOW, TRUST, PROTECT], ids=lambda action: action.name)
async def test_a_policy_is_created_once_marked_and_undone(
    temporal: Client, tmp_path: Path, action: Any
) -> None:
    """Two people approve a policy of wide impact; undo removes it, and the audit has both."""
    lines = list(outbreak(1))
    plan = case_plan(action)
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        assert await decide_case(deployment, plan, lines) == {action.label: "created"}
        ((resource, identity),) = list_changes(deployment)
        assert resource == action.resource
        record = await getattr(api.settings, resource).get(identity)
        assert plan.case_id in (record.comments or "")
        assert {name: getattr(record, name) for name in action.fields} == action.fields
        assert await undo(
            deployment, UndoScope(actor=person("ana")), case=plan.case_id
        ) == UndoSummary(cases=1, done=1)
        assert list_changes(deployment, "delete") == [(resource, identity)]
        (undone,) = [record for record in deployment.audit() if record.kind is RecordKind.UNDONE]
        assert (undone.action, undone.target, undone.outcome) == (
            action.name,
            action.label,
            "removed",
        )


@pytest.mark.parametrize("action", [ALLOW, TRUST, PROTECT], ids=lambda action: action.name)
async def test_a_lost_response_creates_no_second_policy(
    temporal: Client, tmp_path: Path, action: Any
) -> None:
    """The policy was created, but the response was lost.

    The list has an entry with our mark, so there is no second creation.
    """
    lines = list(outbreak(1))
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        plan = case_plan(action, mode=Mode.APPROVE)
        await deployment.signal_case(plan, *map(match_of, lines))
        await deployment.settled(plan.case_id, CaseState.HELD)
        digest = (await deployment.cases.proposal(plan.case_id)).digest
        deployment.simulator.account.faults.reset(parse_faults("lost_answer=1"))
        for who in ("ana", "ben")[: 2 if action.has_wide_impact else 1]:
            await deployment.cases.approve(plan.case_id, person(who), digest)
        await eventually(lambda: _has_requests(deployment, action.resource))
        deployment.simulator.account.faults.reset(parse_faults("lost_answer=0.5"))
        assert await deployment.settled(plan.case_id) == {action.label: "created"}
        assert len(list_changes(deployment)) == 1


async def test_an_existing_policy_is_left_alone(temporal: Client, tmp_path: Path) -> None:
    """Somebody else created a policy with the same fields: clawback creates none."""
    lines = list(outbreak(1))
    plan = case_plan(PROTECT)
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        fields: Any = {**PROTECT.fields, "name": "ruth ADEYEMI"}
        theirs = await api.settings.impersonation_registry.create(**fields, comments="by hand")
        assert await decide_case(deployment, plan, lines) == {PROTECT.label: "already_there"}
        assert list_changes(deployment) == [(PROTECT.resource, theirs.id)]


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
async def test_a_policy_that_no_rule_may_create_is_refused(
    temporal: Client, tmp_path: Path, action: Any, reason: str
) -> None:
    """The never-block list is checked again right before the action, whatever the plan says.

    An invalid policy is refused without a request.
    """
    lines = list(outbreak(1))
    plan = case_plan(action)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(plan, *map(match_of, lines))
        if action.problem is None:
            await deployment.settled(plan.case_id, CaseState.HELD)
            digest = (await deployment.cases.proposal(plan.case_id)).digest
            for who in ("ana", "ben"):
                await deployment.cases.approve(plan.case_id, person(who), digest)
        assert await deployment.settled(plan.case_id) == {action.label: f"failed:{reason}"}
        assert list_changes(deployment) == []


async def test_a_policy_expires(
    skipping: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is removed after thirty days, and the audit says so."""
    # The clock of the server runs ahead of ours, which the approvals are signed by.
    monkeypatch.setattr(orders, "MAX_AGE", timedelta(days=365))
    lines = list(outbreak(1))
    async with deployed(skipping, simulated(lines), tmp_path) as deployment:
        await decide_case(
            deployment, case_plan(ALLOW), lines, CaseTiming(linger=timedelta(days=90))
        )
        ((resource, identity),) = list_changes(deployment)
        expiry = skipping.get_workflow_handle(names.expiry_id(f"{resource}/{identity}"))
        await expiry.result()
        described = await expiry.describe()
        assert described.close_time is not None
        assert described.close_time - described.start_time == pytest.approx(
            timedelta(days=30), abs=timedelta(minutes=1)
        )
        assert list_changes(deployment, "delete") == [(resource, identity)]
        await eventually(lambda: _has_record(deployment, "removed"))


async def test_a_policy_that_somebody_changed_is_kept(temporal: Client, tmp_path: Path) -> None:
    """Without our mark, neither expiry nor undo removes it."""
    lines = list(outbreak(1))
    plan = case_plan(TRUST.model_copy(update={"expires_after": timedelta(seconds=3)}))
    async with (
        deployed(temporal, simulated(lines), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await decide_case(deployment, plan, lines)
        ((_, identity),) = list_changes(deployment)
        await api.settings.trusted_domains.edit(
            identity, is_similarity=True, comments="kept by the mail team"
        )
        await eventually(lambda: _has_record(deployment, "left_alone"))
        await undo(deployment, UndoScope(actor=person("ana")), case=plan.case_id)
        assert list_changes(deployment, "delete") == []


async def _has_requests(deployment: Deployment, resource: str) -> bool | None:
    return deployment.requests(f"/settings/{resource}") >= 2 or None


async def _has_record(deployment: Deployment, outcome: str) -> bool | None:
    return (
        any(
            record.kind is RecordKind.POLICY_EXPIRED and record.outcome == outcome
            for record in deployment.audit()
        )
        or None
    )
