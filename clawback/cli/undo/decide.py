"""`clawback undo list`, `approve` and `deny`: undos that wait for a second person."""

from typing import Annotated

import typer

from clawback.case_files.undo_preview import count_lines, judgement_lines
from clawback.cases.undo_judgement import UndoAssessment, UndoHold
from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode, Failure, require_terminal
from clawback.cli.output import AsJson, print_json, print_status, print_table, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.temporal import names
from clawback.temporal.undo_decisions import UndoDecisions

UndoId = Annotated[str, typer.Argument(help="Undo: undo/<number>, as `clawback undo list` shows.")]
_COLUMNS = ("undo", "asked by", "since", "changes", "cases", "why")


def list_held(*, as_json: AsJson = False) -> int:
    """List the undos that wait for a second person."""
    held = call_temporal(lambda client: UndoDecisions(client).held())
    if as_json:
        print_json([{"undo": id_} | one.model_dump(mode="json") for id_, one in held.given.items()])
    elif held.given:
        print_table(_COLUMNS, [_row(id_, hold) for id_, hold in held.given.items()])
    else:
        print_text("No undo waits for a second person.")

    for page, why in held.unanswered.items():
        print_status(f"{page} does not answer: {why}")
    return ExitCode.NO if held.errors else ExitCode.OK


def approve_undo(
    undo: UndoId,
    *,
    by: By = "",
    digest: Annotated[
        str, typer.Option(help="Digest of what you approve; default shows it and asks.")
    ] = "",
    reason: Reason = "",
) -> int:
    """Agree to an undo that somebody else asked for: it then begins.

    Refused if it has changed since you saw it, or if you asked for it yourself.
    """
    id_, actor = _full_id(undo), require_actor(Verb.APPROVE, by)
    if not digest:
        digest = _confirm(call_temporal(lambda client: UndoDecisions(client).find(id_)))
    call_temporal(lambda client: UndoDecisions(client).approve(id_, actor, digest, reason))
    print_text(f"{id_} is approved, and begins.")
    return ExitCode.OK


def deny_undo(undo: UndoId, *, by: By = "", reason: Reason = "") -> int:
    """End an undo that waits for a second person."""
    id_, actor = _full_id(undo), require_actor(Verb.DENY, by)
    call_temporal(lambda client: UndoDecisions(client).deny(id_, actor, reason))
    print_text(f"{id_} is denied: nothing is taken back.")
    return ExitCode.OK


def _full_id(undo: str) -> str:
    """Complete the id of an undo, also from that of one of its pages."""
    number, _, _ = undo.removeprefix(f"{names.UNDO}/").partition("/")
    return f"{names.UNDO}/{number}"


def _row(id_: str, hold: UndoHold) -> tuple[str, ...]:
    found = hold.assessment
    since = f"{hold.held_at:%F %H:%M}"
    why = "; ".join(found.reasons)
    return (id_, hold.actor.label, since, f"{found.changes:,}", _count_cases(found), why)


def _count_cases(found: UndoAssessment) -> str:
    parts = f" ({found.parts:,} parts)" if found.parts > found.cases else ""
    return f"{found.cases:,}{parts}"


def _confirm(hold: UndoHold) -> str:
    """Show what an undo comes to, and ask; return its digest.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.

    """
    require_terminal("give --digest DIGEST, which `clawback undo list --json` has")

    print_text(f"{hold.actor.label} asked for it: {hold.reason or 'no reason given'}")
    for line in (*count_lines(hold.assessment), *judgement_lines(hold.assessment)):
        print_text(line)
    if not typer.confirm("Approve?"):
        raise Failure("nothing was approved", ExitCode.NO)
    return hold.assessment.digest
