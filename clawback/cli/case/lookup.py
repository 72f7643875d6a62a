"""Gathering what a page about a case shows, from the case, the index, the guard, the undo and the rules; what is missing is left out."""

import re
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from clawback.cases import CaseStart, CaseState, Limit
from clawback.cli.case.page import CasePage
from clawback.cli.exits import ExitCode, Failure
from clawback.local.installation import plan_installation
from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.settings import Settings, load_settings
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter, read_case_line
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.ui_links import history_page, workflows_page
from clawback.temporal.undo_gateway import UndoGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

T = TypeVar("T")
_PREFIX = "case/"
_HASH = re.compile(r"[0-9a-f]{4,16}")
_MOST = 1000


async def full_id(client: Client, said: str) -> str:
    """Give the id of the case that somebody means.

    All of it, `<rule>/<hash>`, or the first digits of its hash.

    Raises:
        Failure: there is no such case, or there are several.

    """
    if said.count("/") == _PREFIX.count("/") + 1 and said.startswith(_PREFIX):
        return said
    cases = CaseGateway(client)
    if _HASH.fullmatch(said):
        found = [
            line.id
            for line in await cases.find(CaseFilter(), _MOST)
            if line.id.rpartition("/")[2].startswith(said)
        ]
    else:
        found = [
            line.id
            for line in await cases.find(
                CaseFilter(id_prefix=f"{_PREFIX}{said.removeprefix(_PREFIX)}"), _MOST
            )
        ]
    several = list(dict.fromkeys(found))
    if len(several) == 1:
        return several[0]
    if several:
        raise Failure(
            f"{said} may be {', '.join(several[:5])}{', …' if len(several) > 5 else ''}; say more of it",  # noqa: PLR2004
            ExitCode.NO,
        )
    raise Failure(f"there is no case {said}; `clawback case list` names them", ExitCode.NO)


async def gather_page(client: Client, said: str) -> CasePage:
    """Gather everything about one case.

    Raises:
        Failure: the server knows no such case (any more).

    """
    cases = CaseGateway(client)
    case_id = await full_id(client, said)
    settings = load_settings()
    try:
        case = await cases.status(case_id)
    except NoSuchWorkflow:
        gone = "`clawback case list` names those that Temporal keeps; the audit has them all"
        raise Failure(f"there is no {case_id}; {gone}", ExitCode.NO) from None
    described = await client.get_workflow_handle(case_id).describe()
    rules = _rules(settings)
    is_held = case.memory is not None and case.memory.state is CaseState.HELD
    current = rules.rules.get(case.plan.rule) if rules else None
    return CasePage(
        case=case,
        run=described.run_id,
        ended=read_case_line(described).ended,
        closed_at=described.close_time,
        proposal=await cases.proposal(case_id) if is_held else None,
        undone=await UndoGateway(client).result_of_case(case.memory.uid) if case.memory else None,
        guard=await _if_it_answers(GuardGateway(client).status()),
        limits=_limits(case, rules),
        overall=rules.safety.budgets.budgets.overall if rules else (),
        current=current.version if current else None,
        link=history_page(
            workflows_page(plan_installation(settings).ui, client.namespace),
            described.id,
            described.run_id,
        ),
    )


def _limits(case: CaseStart, rules: RuleSet | None) -> tuple[Limit, ...]:
    common = rules.safety.budgets.budgets.rule if rules else ()
    own = {limit.kind for limit in case.plan.limits}
    return (*case.plan.limits, *(limit for limit in common if limit.kind not in own))


def _rules(settings: Settings) -> RuleSet | None:
    with suppress(RuleErrors, OSError):
        return load_rules(settings.rules)
    return None


async def _if_it_answers(question: Awaitable[T]) -> T | None:
    try:
        return await question
    except RPCError:
        return None
