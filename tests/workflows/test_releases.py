"""Releases on a real server.

Quarantined mail gets out once, whatever becomes of the answers; what cannot be undone is said.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import Release
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.model.mode import Mode
from clawback.simulator import outbreak, parse_faults
from clawback.temporal.undo_gateway import UndoSummary
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import undo

PLAN = CasePlan(
    rule="r", version="v", mode=Mode.ENFORCE, group={"edf_hash": "x"}, actions=(Release(),)
)


def quarantined(count: int) -> list[dict[str, Any]]:
    """Mail that the gateway keeps from its recipients."""
    lines = list(outbreak(count))
    for line in lines:
        line["message"] |= {"is_quarantined": True, "delivery_status": ["quarantined"]}
    return lines


def released(deployment: Deployment) -> list[str]:
    """The messages that were released, one entry for each effective release."""
    return [row["id"] for row in deployment.ledger if row["operation"] == "release"]


@pytest.mark.parametrize("faults", ["", "lost_answer=0.5", "reset=0.3", "429=0.3"])
async def test_quarantined_mail_gets_out_once(
    temporal: Client, tmp_path: Path, faults: str
) -> None:
    """A lost answer is looked up in the action log before anything is repeated.

    Nobody gets a message twice.
    """
    lines = quarantined(5)
    async with deployed(temporal, simulated(lines, faults, seed=4), tmp_path) as deployment:
        await deployment.signal_case(PLAN, *map(match_of, lines))
        outcomes = await deployment.settled(PLAN.case_id)
        assert set(outcomes.values()) == {"released"}
        assert (
            sorted(released(deployment))
            == sorted(outcomes)
            == sorted(line["message"]["id"] for line in lines)
        )
        if not faults:
            assert (deployment.requests("/release"), deployment.requests("/action_log")) == (1, 0)


async def test_a_lost_answer_costs_one_look_a_message(temporal: Client, tmp_path: Path) -> None:
    """Done, but the answer never came.

    One request to release, and one for each message to see that it is out.
    """
    lines = quarantined(3)
    async with deployed(temporal, simulated(lines, "lost_answer=1"), tmp_path) as deployment:
        await deployment.signal_case(PLAN, *map(match_of, lines))
        await eventually(lambda: _are_out(deployment, 3))
        deployment.simulator.account.faults.reset(parse_faults(""))
        assert set((await deployment.settled(PLAN.case_id)).values()) == {"released"}
        assert (len(released(deployment)), deployment.requests("/release")) == (3, 1)
        assert (
            3 <= deployment.requests("/action_log") <= 6
        )  # a look whose own answer was lost is made again


async def test_what_is_not_in_the_quarantine_is_left_as_it_is(
    temporal: Client, tmp_path: Path
) -> None:
    """Known from its record: no request at all.

    Released by somebody meanwhile: one look. Not known to the API: failed, the others go.
    """
    inside, outside = quarantined(3), list(outbreak(1, seed=9))
    meanwhile = {
        **inside[2],
        "message": {
            **inside[2]["message"],
            "is_quarantined": False,
            "delivery_status": ["delivered"],
        },
    }
    async with deployed(
        temporal, simulated([inside[0], *outside, meanwhile]), tmp_path
    ) as deployment:
        await deployment.signal_case(PLAN, *map(match_of, [*outside, *inside]))
        outcomes = await deployment.settled(PLAN.case_id)
        assert outcomes == {
            outside[0]["message"]["id"]: "already_there",
            inside[0]["message"]["id"]: "released",
            inside[1]["message"]["id"]: "failed:not_released",
            inside[2]["message"]["id"]: "already_there",
        }
        assert released(deployment) == [inside[0]["message"]["id"]]


async def test_what_cannot_be_taken_back_is_said(temporal: Client, tmp_path: Path) -> None:
    """A release has no inverse: undo says that it could not, and does nothing."""
    lines = quarantined(1)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        await deployment.signal_case(
            PLAN, *map(match_of, lines), pace=CaseTiming(linger=timedelta(hours=1))
        )
        await deployment.settled(PLAN.case_id)
        assert await undo(deployment, UndoScope(actor=person("ana"))) == UndoSummary(
            cases=1, failed=1
        )
        assert len(deployment.ledger) == 1
        (record,) = [record for record in deployment.audit() if record.kind is RecordKind.UNDONE]
        assert (record.action, record.outcome) == (
            "release from quarantine",
            "failed:no_inverse",
        )


async def test_modes_and_budgets_hold_for_releases(temporal: Client, tmp_path: Path) -> None:
    """Shadow lets nothing out; a rule that asks waits for somebody."""
    lines = quarantined(2)
    async with deployed(temporal, simulated(lines), tmp_path) as deployment:
        shadow, asking = (
            PLAN.model_copy(update={"mode": mode, "rule": mode.value})
            for mode in (Mode.SHADOW, Mode.APPROVE)
        )
        await deployment.signal_case(shadow, *map(match_of, lines))
        await deployment.signal_case(asking, *map(match_of, lines))
        assert set((await deployment.settled(shadow.case_id)).values()) == {"would"}
        await deployment.settled(asking.case_id, CaseState.HELD)
        assert released(deployment) == []
        proposal = await deployment.cases.proposal(asking.case_id)
        assert proposal.actions == ("release from quarantine",)
        await deployment.cases.approve(asking.case_id, person("ana"), proposal.digest)
        await deployment.settled(asking.case_id)
        assert len(released(deployment)) == 2


async def _are_out(deployment: Deployment, number: int) -> bool | None:
    return len(released(deployment)) == number or None


def test_what_somebody_released_is_never_moved_away_again() -> None:
    """The loop guard: a verdict may stand while people have decided otherwise."""
    (line,) = outbreak(1)
    line["message"]["post_delivery_operations"] = ["QUARANTINE_RELEASE"]
    assert match_of(line).handled
    assert match_of(line).at <= datetime.now(UTC)
