"""Prints undo plans and results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from clawback.cases.undo_plan import UndoPlan
from clawback.cli.output import print_json, print_table, print_text
from clawback.temporal.undo_gateway import FoundUndo, UndoCandidate, UndoSummary, UnreadableCase


def print_plan(found: FoundUndo, *, ends_cases: bool) -> None:
    """Print what would be undone, case by case, the totals, and what cannot be read."""
    for one in found.candidates:
        ends = ", would end" if one.is_open and ends_cases else ""
        print_text(f"{one.case.case}: {'open' if one.is_open else 'closed'}{ends}")
        for line in _plan_lines(one.plan):
            print_text(line)

    _print_unreadable(found.unreadable)
    if found.unread:
        messages = sum(one.messages for one in found.unread)
        print_text(
            f"{len(found.unread):,} more cases, with {messages:,} messages, are not in this plan: "
            "their histories are read before they are undone."
        )
    elif not found.candidates:
        print_text("There is nothing to undo.")
    if not found.candidates:
        return

    works = [one.plan for one in found.candidates]
    counts = {
        "messages to return": sum(len(work.messages) for work in works),
        "blocks and policies to remove": sum(len(work.policies) for work in works),
        "reclassifications to reverse": sum(len(work.corrections) for work in works),
    }
    totals = ", ".join(f"{count} {what}" for what, count in counts.items())
    print_text(f"Total: {len(works)} cases, {totals}.")


def found_data(found: FoundUndo) -> dict[str, Any]:
    """Return undo plans, and what is not in them, as JSON data."""
    return {
        "cases": [_plan_data(one) for one in found.candidates],
        "unreadable": [asdict(one) for one in found.unreadable],
        "unread": [
            {"case": one.entry.id, "run": one.entry.run, "messages": one.messages}
            for one in found.unread
        ],
    }


def print_undone(
    undone: UndoSummary,
    unreadable: Sequence[UnreadableCase],
    unfinished: Mapping[str, str],
    *,
    as_json: bool,
) -> None:
    """Print what was undone, which cases could not be read, and which pages did not end well.

    `unfinished` says why, by the id of the workflow; the undos of its cases may go on.
    """
    if as_json:
        document = undone.model_dump(mode="json")
        document |= {"unreadable": [*map(asdict, unreadable)], "unfinished": dict(unfinished)}
        print_json(document)
        return
    counts = (undone.cases, undone.done, undone.failed, undone.gone, undone.under_way)
    columns = ("cases", "undone", "failed", "gone", "running elsewhere")
    print_table(columns, [[str(one) for one in counts]])
    if undone.refused:
        print_text(f"The undo of {undone.refused:,} cases was denied, or nobody approved it.")
    _print_unreadable(unreadable)
    for id_, why in unfinished.items():
        print_text(f"{id_}: no result, run the same undo again: {why}")


def _print_unreadable(cases: Sequence[UnreadableCase]) -> None:
    for one in cases:
        print_text(f"{one.case}: unreadable, left out: {one.why}")


def _plan_data(one: UndoCandidate) -> dict[str, Any]:
    """Return the undo plan of a case as JSON data."""
    work = one.plan
    return {
        "case": one.case.case,
        "run": one.case.run,
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


def _plan_lines(work: UndoPlan) -> Iterator[str]:
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
