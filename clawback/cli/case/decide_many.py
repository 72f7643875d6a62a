"""Decides several held cases together: those that are named, or all of one rule and cause."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import typer
from temporalio.client import Client

from clawback.case_files.held_cases import read_held_named, read_held_of_rule
from clawback.cases import CaseState
from clawback.cases.bulk import HeldSelection
from clawback.cases.hold_cause import HoldCause
from clawback.cli.case.lookup import find_id
from clawback.cli.case.selection import describe_selection
from clawback.cli.exits import ExitCode, Failure, require_terminal
from clawback.cli.output import print_json, print_status, print_text, show_progress
from clawback.cli.rule_names import require_loaded_rule
from clawback.cli.temporal_access import call_temporal
from clawback.model.texts import plural
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.fan_out import Answers, gather_limited

Decide = Callable[[CaseGateway, Mapping[str, str]], Awaitable[Answers[str]]]
"""Decides the parts of one case, each under the digest of what it proposes."""
MOST_NAMED = 100
"""Cases that one command line may name."""
_LISTED = 100
"""Cases that are printed one by one; of more, their states are counted."""
_NAMED = 20


@dataclass(frozen=True)
class Chosen:
    """Which held cases are decided together: those named, or those of a rule."""

    ids: tuple[str, ...] = ()
    rule: str = ""
    cause: HoldCause | None = None

    async def read(self, client: Client) -> HeldSelection:
        """Read them as they are now.

        Raises:
            Failure: no case or several cases fit an id.

        """
        cases = CaseGateway(client)
        if not self.ids:
            return await read_held_of_rule(cases, self.rule, self.cause)
        return await read_held_named(cases, [await find_id(client, text) for text in self.ids])


def decide_many(chosen: Chosen, digest: str, decide: Decide, *, as_json: bool) -> int:
    """Decide held cases as they were shown, each under its own digest.

    Nothing is decided if the selection is not the one that was shown: whoever has seen another one
    is asked again. Of a campaign of several parts, all that are held are decided; one that has
    grown since is not.

    Raises:
        Failure: nothing was decided; the message says why.

    """
    selection = _read(chosen)
    if not selection.cases:
        require_loaded_rule(chosen.rule)
    if (problem := _find_problem(selection, chosen, digest)) is not None:
        not_held = (f"  {case} is {state}" for case, state in selection.not_held.items())
        raise Failure("\n".join((problem, *not_held)), ExitCode.NO)
    if not digest:
        selection = _confirm(selection, chosen)

    with show_progress(f"Deciding {plural(len(selection.cases), 'case')}"):
        answers = call_temporal(lambda client: _decide_each(CaseGateway(client), selection, decide))
    _print_answers(answers, as_json=as_json)
    return ExitCode.NO if answers.errors else ExitCode.OK


def _find_problem(selection: HeldSelection, chosen: Chosen, digest: str) -> str | None:
    """Say why nothing can be decided; None if it can."""
    if not selection.cases and not selection.not_held:
        return f"no case of {chosen.rule} is held for that"
    if digest and (change := selection.describe_change(digest)) is not None:
        return f"nothing was decided: the selection has {change}"
    if selection.not_held:
        return "nothing was decided: some cases are not held; leave them out"
    return None


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


def _read(chosen: Chosen) -> HeldSelection:
    with show_progress("Reading held cases"):
        return call_temporal(chosen.read)


def _confirm(selection: HeldSelection, chosen: Chosen) -> HeldSelection:
    """Show the selection and ask, until it is still the same after the answer.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.

    """
    while True:
        for line in describe_selection(selection):
            print_text(line)
        require_terminal(f"repeat it with --digest {selection.digest}")
        if not typer.confirm("Decide them all?"):
            raise Failure("nothing was decided", ExitCode.NO)

        current = _read(chosen)
        if (change := current.describe_change(selection.digest)) is None:
            return selection
        print_status(f"The selection has {change}.")
        selection = current


def _print_answers(answers: Answers[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"decided": dict(answers.given), "undecided": answers.unanswered})
        return
    if len(answers.given) <= _LISTED:
        for case, state in answers.given.items():
            print_text(f"{case} is {state}{_describe_more(state)}.")
    for state, count in Counter(answers.given.values()).most_common():
        print_text(f"{plural(count, 'case')} now {state}{_describe_more(state)}.")
    for case, why in list(answers.unanswered.items())[:_NAMED]:
        print_status(f"{case} was not decided: {why}.")
    if len(answers.errors) > _NAMED:
        print_status(f"and {len(answers.errors) - _NAMED:,} more; --json lists all.")


def _describe_more(state: str) -> str:
    return ": another person must approve it too" if state == CaseState.HELD else ""
