"""Held cases for tests of the console, each with messages of a sender of its own."""

from collections.abc import Sequence
from typing import Any

from clawback.cases import CasePlan, CaseState
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from tests.cli.test_case import MOVE
from tests.console.console_site import ConsoleSite
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, match_of


def plan_of(number: int, **changes: Any) -> CasePlan:
    """Build the plan of one of many held cases."""
    return CasePlan(
        **{
            "rule": "other",
            "version": "v1",
            "mode": Mode.APPROVE,
            "group": {"edf_hash": f"g{number}"},
            "actions": (MOVE,),
            **changes,
        }
    )


def mail_of(number: int, count: int = 2, **record: Any) -> list[dict[str, Any]]:
    """Build the messages of one case. Their ids have the time, so each call gives others."""
    lines = outbreak(count, number, sender=f"s{number}@bad.test")
    return [{**line, "message": {**line["message"], **record}} for line in lines]


async def hold_cases(
    deployment: Deployment, mail: Sequence[Sequence[dict[str, Any]]]
) -> list[CasePlan]:
    """Open cases that wait for approval, one for each of some lists of messages."""
    plans = [plan_of(number) for number in range(len(mail))]
    for plan, lines in zip(plans, mail, strict=True):
        await deployment.signal_case(plan, *map(match_of, lines))
    for plan in plans:
        await deployment.settled(plan.case_id, CaseState.HELD)
    return plans


async def knows(site: ConsoleSite, plans: Sequence[CasePlan], state: str = CaseState.HELD) -> None:
    """Wait until the console lists cases in a state."""

    async def there() -> bool | None:
        found = [site.services.read_model.find(plan.case_id) for plan in plans]
        return all(case is not None and case.state == state for case in found) or None

    await eventually(there)


def key_of(plan: CasePlan) -> str:
    """What a URL calls a case."""
    return plan.case_id.removeprefix("case/")
