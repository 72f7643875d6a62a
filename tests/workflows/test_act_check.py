"""Open cases, while what they rest on changes: the worker that sends a request asks again."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.cases import CasePlan, CaseState, Match
from clawback.model.audit_record import RecordKind
from clawback.model.events import message_event
from clawback.rules.live import LiveRules
from clawback.simulator import outbreak
from clawback.temporal.guard_gateway import GuardGateway
from tests.people import person
from tests.rules.folders import LOGSOURCE, PLAIN, write
from tests.waiting import eventually
from tests.workflows.conftest import set_option
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated

SENDER = "a@x.test"
EXCEPTION = f"""title: Nobody
name: nobody
owner: ana@corp.test
{LOGSOURCE}filter:
  rules: [a_rule]
  boss: {{to: boss@corp.test}}
  condition: not boss
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of one enforcing rule."""
    return write(tmp_path / "rules", {"a_rule.yml": PLAIN})


@pytest.fixture
def mail() -> list[dict[str, Any]]:
    """Messages that the rule matches, of one campaign."""
    return list(outbreak(3, sender=SENDER))


def matched(rules: LiveRules, line: dict[str, Any]) -> tuple[CasePlan, Match]:
    """The plan and the match that the rules that are loaded now make of a message."""
    event = message_event(line["message"], match_of(line).seen_at)
    (found,) = rules.current.evaluate(event).matches
    version = found.plan.condition_version
    return found.plan, match_of(line).model_copy(update={"condition_version": version})


async def change(deployment: Deployment, folder: Path, **files: str) -> None:
    """Change the folder, and have the worker load it."""
    write(folder, {f"{name.replace('__', '/')}.yml": text for name, text in files.items()})
    reload = await deployment.rules.reload_if_changed()
    assert reload is not None
    assert reload.problem is None


def moved(deployment: Deployment) -> list[str]:
    """The messages that were moved, in order."""
    return [row["id"] for row in deployment.ledger if row["operation"] == "move"]


async def held(deployment: Deployment, plan: CasePlan) -> str | None:
    """Why a case is held; waits until it is."""

    async def reason() -> str | None:
        snapshot = (await deployment.cases.read(plan.case_id)).case.snapshot
        is_held = snapshot is not None and snapshot.state is CaseState.HELD
        return snapshot.hold_reason if snapshot and is_held else None

    return await eventually(reason)


async def test_a_case_acts_while_its_rule_is_what_it_was(
    temporal: Client, tmp_path: Path, folder: Path, mail: list[dict[str, Any]]
) -> None:
    """Also under a new version with the same actions and condition."""
    async with deployed(
        temporal, simulated(mail), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        plan, match = matched(deployment.rules, mail[0])
        await deployment.signal_case(plan, match)
        await deployment.settled(plan.case_id)
        await change(deployment, folder, a_rule=PLAIN.replace("A rule", "The rule"))
        assert matched(deployment.rules, mail[1])[0].version != plan.version

        await deployment.signal_case(*matched(deployment.rules, mail[1]))
        await eventually(lambda: _is_moved(deployment, 2))
        assert (await deployment.settled(plan.case_id)).values()


async def _is_moved(deployment: Deployment, count: int) -> bool | None:
    await asyncio.sleep(0)
    return len(moved(deployment)) == count or None


async def test_an_open_case_does_nothing_new_once_the_ceiling_is_shadow(
    temporal: Client, tmp_path: Path, folder: Path, mail: list[dict[str, Any]]
) -> None:
    """A worker restarted in shadow records what the case would have done."""
    simulator = simulated(mail)
    async with deployed(
        temporal, simulator, tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        plan, match = matched(deployment.rules, mail[0])
        await deployment.signal_case(plan, match)
        await deployment.settled(plan.case_id)

    async with deployed(
        temporal, simulator, tmp_path, rules=folder, asks_for_rules=True, mode="shadow"
    ) as deployment:
        # As a worker that is still in enforce would send it.
        await deployment.signal_case(plan, matched(deployment.rules, mail[1])[1])
        second = mail[1]["message"]["id"]

        async def recorded() -> bool | None:
            return (
                any(
                    one.kind is RecordKind.WOULD_HAVE_ACTED and one.target == second
                    for one in deployment.audit()
                )
                or None
            )

        await eventually(recorded)
        assert moved(deployment) == [mail[0]["message"]["id"]]


async def test_a_worker_that_knows_a_confirmation_late_holds_nothing_for_long(
    temporal: Client,
    tmp_path: Path,
    folder: Path,
    mail: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guard has granted what the worker still takes for demoted: the case asks again."""
    set_option(monkeypatch, "GUARD_TELLS", timedelta(milliseconds=200))
    async with deployed(
        temporal, simulated(mail), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        deployment.keeper.demoted = frozenset({"a_rule"})
        plan, match = matched(deployment.rules, mail[0])
        await deployment.signal_case(plan, match)
        assert "work was undone" in (await held(deployment, plan) or "")
        assert not moved(deployment)
        deployment.keeper.demoted = frozenset()
        await deployment.settled(plan.case_id)
        assert len(moved(deployment)) == 1


CHANGES = {
    "other actions": ({"a_rule": PLAIN.replace("JunkEmail", "DeletedItems")}, "other actions"),
    "shadow": ({"a_rule": PLAIN.replace("mode: enforce", "mode: shadow")}, "was set to shadow"),
    "exception": ({"exceptions__nobody": EXCEPTION}, "condition or exceptions have changed"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_case_whose_rule_was_changed_asks_people(
    name: str, temporal: Client, tmp_path: Path, folder: Path, mail: list[dict[str, Any]]
) -> None:
    """What is on its way under the old rule is held with the reason, and done if they approve."""
    files, reason = CHANGES[name]
    async with deployed(
        temporal, simulated(mail), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        plan, match = matched(deployment.rules, mail[0])
        await change(deployment, folder, **files)
        await deployment.signal_case(plan, match)
        assert reason in (await held(deployment, plan) or "")
        assert moved(deployment) == []

        proposal = await deployment.cases.proposal(plan.case_id)
        await deployment.cases.approve(plan.case_id, person("ana"), proposal.digest)
        await deployment.settled(plan.case_id)
        assert moved(deployment) == [mail[0]["message"]["id"]]


async def test_a_match_that_comes_again_under_the_new_condition_is_no_objection(
    temporal: Client, tmp_path: Path, folder: Path, mail: list[dict[str, Any]]
) -> None:
    """The new exception does not apply to it: the rule said so itself."""
    async with deployed(
        temporal, simulated(mail), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        plan, old = matched(deployment.rules, mail[0])
        await change(deployment, folder, exceptions__nobody=EXCEPTION)
        _, new = matched(deployment.rules, mail[0])
        await deployment.signal_case(plan, old, new)
        await eventually(lambda: _is_moved(deployment, 1))


async def test_a_request_that_waits_is_asked_about_when_it_leaves(
    temporal: Client, tmp_path: Path, folder: Path, mail: list[dict[str, Any]]
) -> None:
    """Containment is stopped while the move waits; the rule is changed; then it is resumed."""
    async with deployed(
        temporal, simulated(mail), tmp_path, rules=folder, asks_for_rules=True
    ) as deployment:
        plan, match = matched(deployment.rules, mail[0])
        await GuardGateway(temporal).stop(person("ana"), "")
        await deployment.lease_over()
        await deployment.signal_case(plan, match)
        await deployment.scheduled(plan, "email_security.move_messages")
        await change(deployment, folder, a_rule=PLAIN.replace("JunkEmail", "DeletedItems"))
        await GuardGateway(temporal).resume(person("ana"))
        assert "other actions" in (await held(deployment, plan) or "")
        assert moved(deployment) == []
