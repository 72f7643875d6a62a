"""Decides all held cases of one rule and cause together."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping

import typer

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.cli.case.selection import HeldSelection, read_selection
from clawback.cli.exits import ExitCode, Failure, require_terminal
from clawback.cli.output import print_json, print_status, print_text, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.model.texts import plural
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.fan_out import Answers, gather_limited

Decide = Callable[[CaseGateway, Mapping[str, str]], Awaitable[Answers[str]]]
"""Decides the parts of one case, each under the digest of what it proposes."""
_NAMED = 20


def decide_many(
    rule: str, cause: HoldCause | None, digest: str, decide: Decide, *, as_json: bool
) -> int:
    """Decide the held cases of a rule as they were shown, each under its own digest.

    Cases that are held since are not decided: whoever has seen fewer is asked again. Of a campaign
    of several parts, all that are held are decided; one that has grown since is not.
    """
    selection = _read(rule, cause)
    if not selection.cases:
        raise Failure(f"no case of {rule} is held for that", ExitCode.NO)
    if digest and (change := selection.describe_change(digest)) is not None:
        raise Failure(f"the selection has {change}", ExitCode.NO)
    if not digest:
        selection = _confirm(selection, rule, cause)

    with show_progress(f"Deciding {plural(len(selection.cases), 'case')}"):
        answers = call_temporal(lambda client: _decide_each(CaseGateway(client), selection, decide))
    _print_answers(answers, as_json=as_json)
    return ExitCode.NO if answers.errors else ExitCode.OK


async def _decide_each(
    cases: CaseGateway, selection: HeldSelection, decide: Decide
) -> Answers[str]:
    answers = await gather_limited(lambda case: decide(cases, case.digests), selection.cases)
    states = {
        case.id: _state_of(answer.given.values())
        for case, answer in zip(selection.cases, answers, strict=True)
        if answer.given
    }
    return Answers(states, {part: error for one in answers for part, error in one.errors.items()})


def _state_of(parts: Iterable[str]) -> str:
    """The state of a campaign: whether somebody must decide comes first."""
    states = list(parts)
    return CaseState.HELD if CaseState.HELD in states else states[0]


def _read(rule: str, cause: HoldCause | None) -> HeldSelection:
    with show_progress("Reading held cases"):
        return call_temporal(lambda client: read_selection(CaseGateway(client), rule, cause))


def _confirm(selection: HeldSelection, rule: str, cause: HoldCause | None) -> HeldSelection:
    """Show the selection and ask, until it is still the same after the answer.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.

    """
    while True:
        for line in selection.lines():
            print_text(line)
        require_terminal(f"repeat it with --digest {selection.digest}")
        if not typer.confirm("Decide them all?"):
            raise Failure("nothing was decided", ExitCode.NO)

        current = _read(rule, cause)
        if (change := current.describe_change(selection.digest)) is None:
            return selection
        print_status(f"The selection has {change}.")
        selection = current


def _print_answers(answers: Answers[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"decided": dict(answers.given), "undecided": answers.unanswered})
        return
    for state, count in Counter(answers.given.values()).most_common():
        more = ": another person must approve them too" if state == "held" else ""
        print_text(f"{plural(count, 'case')} now {state}{more}.")
    for case, why in list(answers.unanswered.items())[:_NAMED]:
        print_status(f"{case} was not decided: {why}.")
    if len(answers.errors) > _NAMED:
        print_status(f"and {len(answers.errors) - _NAMED:,} more.")
