"""Finds a case by what people type, and collects everything that `case show` prints about it."""

import re
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from temporalio.client import Client

from clawback.cases import CaseStart, CaseState, Limit
from clawback.cli.case.page import CasePage
from clawback.cli.exits import ExitCode, Failure
from clawback.guard import Budgets
from clawback.local.installation import plan_installation
from clawback.settings import Settings, load_settings
from clawback.temporal.case_entries import read_entries
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.fan_out import UNANSWERED
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.ui_links import history_page, workflows_page
from clawback.temporal.undo_gateway import UndoGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

if TYPE_CHECKING:
    from clawback.rules import RuleSet

T = TypeVar("T")

CaseId = Annotated[str, typer.Argument(help="Case: case/<rule>/<hash>, or a prefix of the hash.")]
_PREFIX = "case/"
_HASH = re.compile(r"[0-9a-f]{4,16}")
_PART = re.compile(r"(case/[^/]+/[0-9a-f]{16})/\d+")
"""The id of a part of a campaign, which is shown and answered as one case."""
_MOST = 1000
_NAMED = 5


async def find_id(client: Client, text: str) -> str:
    """Find the id of a case from all of it, `<rule>/<hash>`, or a prefix of the hash.

    Raises:
        Failure: no case or several cases fit.

    """
    text = _PART.sub(r"\1", text)
    if text.count("/") == _PREFIX.count("/") + 1 and text.startswith(_PREFIX):
        return text

    cases = CaseGateway(client)
    if _HASH.fullmatch(text):
        lines = await cases.find(CaseFilter(), _MOST)
        lines = [line for line in lines if line.id.rpartition("/")[2].startswith(text)]
    else:
        prefix = f"{_PREFIX}{text.removeprefix(_PREFIX)}"
        lines = await cases.find(CaseFilter(id_prefix=prefix), _MOST)

    found = list(dict.fromkeys(line.id for line in lines))
    if not found:
        raise Failure(f"there is no case {text}; see `clawback case list`", ExitCode.NO)
    if len(found) > 1:
        names = ", ".join(found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
        raise Failure(f"{text} is ambiguous: {names}", ExitCode.NO)

    return found[0]


async def read_page(client: Client, text: str, *, whole: bool = True) -> CasePage:
    """Collect everything about one case: from it, the index, the guard, its undo and the rules.

    What is unavailable is left out. Unless it is to be `whole`, further parts of a large campaign
    are only counted.

    Raises:
        Failure: the server has no such case.

    """
    case_id = await find_id(client, text)
    settings = load_settings()
    try:
        cases = CaseGateway(client)
        reading = await (cases.read(case_id) if whole else cases.outline(case_id))
    except NoSuchWorkflow:
        hint = "`clawback case list` has the cases that Temporal keeps, the audit has all"
        raise Failure(f"there is no {case_id}; {hint}", ExitCode.NO) from None

    case = reading.case
    described = await client.get_workflow_handle(case_id).describe()
    (entry,) = await read_entries(client.data_converter, [described.raw_info])
    rules = _load_rules(settings)
    is_held = case.snapshot is not None and case.snapshot.state is CaseState.HELD
    current = rules.rules.get(case.plan.rule) if rules else None
    ui = workflows_page(plan_installation(settings).ui, client.namespace)

    return CasePage(
        case=case,
        run=described.run_id,
        ended=entry.ended,
        closed_at=described.close_time,
        proposal=await _or_none(CaseGateway(client).proposal(case_id)) if is_held else None,
        undone=await UndoGateway(client).result_of_case(case.snapshot.uid)
        if case.snapshot
        else None,
        guard=await _or_none(GuardGateway(client).status()),
        limits=_limits(case, rules),
        budgets=rules.safety.budgets.budgets if rules else Budgets(),
        current=current.version if current else None,
        link=history_page(ui, described.id, described.run_id),
        unanswered=reading.unanswered,
        parts=reading.summaries,
    )


def _limits(case: CaseStart, rules: "RuleSet | None") -> tuple[Limit, ...]:
    """The limits of the rule as it is now, as for a reservation; kind by kind the common ones."""
    common = rules.safety.budgets.budgets.rule if rules else ()
    rule = rules.rules.get(case.plan.rule) if rules else None
    own = rule.response.limits if rule is not None and rule.response else case.plan.limits
    kinds = {limit.kind for limit in own}
    return (*own, *(limit for limit in common if limit.kind not in kinds))


def _load_rules(settings: Settings) -> "RuleSet | None":
    # Importing the rules takes longer than most lists, and only `case show` needs them.
    from clawback.rules import RuleErrors, load_rules  # noqa: PLC0415 - see above

    with suppress(RuleErrors, OSError):
        return load_rules(settings.rules, settings.safety)
    return None


async def _or_none(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except UNANSWERED:
        return None
