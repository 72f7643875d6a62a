"""Prints undo plans and results."""

from collections.abc import Iterator, Sequence
from typing import Any

from clawback.cli.output import print_json, print_table, print_text
from clawback.temporal.undo_gateway import UndoCandidate, UndoSummary


def print_plan(found: Sequence[UndoCandidate]) -> None:
    """Print what would be undone, case by case, and the totals."""
    for one in found:
        for line in _case_lines(one):
            print_text(line)

    works = [one.plan for one in found]
    counts = {
        "messages to return": sum(len(work.messages) for work in works),
        "blocks and policies to remove": sum(len(work.policies) for work in works),
        "reclassifications to reverse": sum(len(work.corrections) for work in works),
    }
    totals = ", ".join(f"{count} {what}" for what, count in counts.items())
    print_text(f"Total: {len(found)} cases, {totals}.")


def plan_data(one: UndoCandidate) -> dict[str, Any]:
    """Return the undo plan of a case as JSON data."""
    work = one.plan
    return {
        "case": one.request.case,
        "run": one.request.run,
        "rule": work.rule,
        "open": one.is_open,
        "messages": [target.id for target in work.messages],
        "policies": [{"list": policy.resource, **policy.fields} for policy in work.policies],
        "reclassifications": [
            {"message": correction.target.id, "disposition": correction.disposition}
            for correction in work.corrections
        ],
        "irreversible": list(work.irreversible),
        "notifications_sent": work.notifications,
    }


def print_undone(undone: UndoSummary, *, as_json: bool) -> None:
    """Print what was undone."""
    if as_json:
        print_json(undone.model_dump(mode="json"))
        return
    counts = (undone.cases, undone.done, undone.failed, undone.under_way)
    print_table(("cases", "undone", "failed", "running elsewhere"), [[str(one) for one in counts]])


def _case_lines(one: UndoCandidate) -> Iterator[str]:
    work = one.plan
    state = "open" if one.is_open else "closed"
    ends = ", would end" if one.is_open and one.request.scope.ends_cases else ""
    yield f"{one.request.case}: {state}{ends}"

    for target in work.messages:
        yield f"  {target.id} back to the inbox"
    for policy in work.policies:
        yield f"  remove: {policy.describe_in_full()}"
    for correction in work.corrections:
        yield f"  {correction.target.id} reclassified as {correction.disposition}"
    for irreversible in work.irreversible:
        yield f"  irreversible: {irreversible}"
    if work.notifications:
        yield (
            f"  {work.notifications} notifications were sent; "
            "tell the recipients if they need to know"
        )
