"""Prints undo plans and results. All parts of one campaign are one case."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import Any

from clawback.case_files.undo_preview import group_by_case
from clawback.cases.undo_judgement import describe_cases
from clawback.cases.undo_plan import UndoPlan
from clawback.cli.output import print_json, print_table, print_text
from clawback.model.texts import plural
from clawback.temporal.undo_gateway import FoundUndo, UndoCandidate, UndoSummary, UnreadableCase

SHOWN = 20
"""How many messages of a case are printed, and how many of its policies and reclassifications."""
CASES_SHOWN = 100
_MORE = "--json lists all"


def print_plan(found: FoundUndo, *, ends_cases: bool) -> None:
    """Print what would be undone, case by case, the totals, and what cannot be read."""
    cases = group_by_case(found.candidates)
    for parts in islice(cases, CASES_SHOWN):
        print_text(_heading(parts, ends_cases=ends_cases))
        for line in _case_lines([one.plan for one in parts]):
            print_text(line)
    if (left := len(cases) - CASES_SHOWN) > 0:
        print_text(f"… and {plural(left, 'more case')}; {_MORE}")

    _print_unreadable(found.unreadable)
    if found.candidates:
        print_text(_total(found))
    elif not found.unread:
        print_text("There is nothing to undo.")
    if found.unread:
        what = "more parts and cases" if found.parts > found.cases else "more cases"
        messages = sum(one.messages for one in found.unread)
        print_text(
            f"{len(found.unread):,} {what}, with {messages:,} messages, are not in this plan: "
            "their histories are read before they are undone, and by --json."
        )


def print_undone(
    undone: UndoSummary, found: FoundUndo, unfinished: Mapping[str, str], *, as_json: bool
) -> None:
    """Print what was undone, which cases could not be read, and which pages did not end well.

    `unfinished` says why, by the id of the workflow; the undos of its cases may go on.
    """
    if as_json:
        document = undone.model_dump(mode="json") | {"campaigns": found.cases}
        document |= {"unreadable": [*map(asdict, found.unreadable)]}
        print_json(document | {"unfinished": dict(unfinished)})
        return

    counts = {
        "cases": found.cases,
        "parts": undone.cases,
        "undone": undone.done,
        "failed": undone.failed,
        "gone": undone.gone,
        "running elsewhere": undone.under_way,
    }
    if found.parts == found.cases:
        del counts["parts"]
        counts["cases"] = undone.cases
    print_table([*counts], [[f"{count:,}" for count in counts.values()]])
    if undone.refused:
        print_text(
            f"The undo of {plural(undone.refused, noun(found))} was denied, or nobody approved it."
        )
    _print_unreadable(found.unreadable)
    for id_, why in unfinished.items():
        print_text(f"{id_}: no result, run the same undo again: {why}")


def noun(found: FoundUndo) -> str:
    """What the workflows of an undo are counted as."""
    return "case" if found.parts == found.cases else "part"


def _heading(parts: Sequence[UndoCandidate], *, ends_cases: bool) -> str:
    is_open = any(one.is_open for one in parts)
    ends = ", would end" if is_open and ends_cases else ""
    of_parts = f", {len(parts):,} parts" if len(parts) > 1 else ""
    return f"{parts[0].plan.case}: {'open' if is_open else 'closed'}{ends}{of_parts}"


def _total(found: FoundUndo) -> str:
    works = [one.plan for one in found.candidates]
    counts = {
        "messages to return": sum(len(work.messages) for work in works),
        "blocks and policies to remove": sum(len(work.policies) for work in works),
        "reclassifications to reverse": sum(len(work.corrections) for work in works),
    }
    totals = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    cases = len(group_by_case(found.candidates))
    what = "In this plan" if found.unread else "Total"
    return f"{what}: {describe_cases(cases, len(found.candidates))}, {totals}."


def _print_unreadable(cases: Sequence[UnreadableCase]) -> None:
    for one in cases:
        print_text(f"{one.case}: unreadable, left out: {one.why}")


def _case_lines(parts: Sequence[UndoPlan]) -> Iterator[str]:
    def every(name: str) -> Iterator[Any]:
        return chain.from_iterable(getattr(part, name) for part in parts)

    yield from _first(f"  {target.id} back to the inbox" for target in every("messages"))
    yield from _first(f"  remove: {policy.describe_in_full()}" for policy in every("policies"))
    yield from _first(
        f"  {one.target.id} reclassified as {one.disposition}" for one in every("corrections")
    )
    yield from _first(f"  irreversible: {text}" for text in every("irreversible"))
    if count := sum(part.notifications for part in parts):
        yield (f"  {plural(count, 'notification')} sent; tell the recipients if they need to know")


def _first(lines: Iterator[str]) -> Iterator[str]:
    yield from islice(lines, SHOWN)
    if left := sum(1 for _ in lines):
        yield f"  … and {left:,} more; {_MORE}"
