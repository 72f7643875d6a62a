"""What people see of an undo, at any size: a bounded text of cases, and complete JSON."""

import json
from datetime import UTC, datetime
from functools import cache

import pytest

from clawback.case_files.undo_preview import found_data
from clawback.cases.undo_plan import UndoBasis, UndoPlan
from clawback.cli.output import print_json_object
from clawback.cli.undo.output import CASES_SHOWN, SHOWN, print_plan, print_undone
from clawback.model.messages import Target
from clawback.temporal.case_entries import read_entries
from clawback.temporal.undo_gateway import (
    CaseRun,
    FoundUndo,
    UndoCandidate,
    UndoSummary,
    UnreadCase,
)
from tests.temporal.test_case_entries import MINE, info

NOW = datetime(2026, 11, 29, tzinfo=UTC)
MOST_LINES = SHOWN + 4
"""Of one case: its heading, messages, what is left out, notifications, the total."""


def part(case: str, number: int, messages: int, campaign: str = "") -> UndoCandidate:
    """One part of a case, or a case of its own."""
    run = f"{case}-{number}".replace("/", "-")
    targets = tuple(Target(id=f"{run}-m{n}", at=NOW) for n in range(messages))
    plan = UndoPlan(
        case=case,
        uid=f"{case}/{number}/{run}",
        rule="r",
        campaign=campaign,
        messages=targets,
        notifications=1,
    )
    id_ = f"{case}/{number}" if campaign and number > 1 else case
    basis = UndoBasis(case=case, uid=plan.uid, rule="r")
    run_of_case = CaseRun(case=id_, run=run, first_run=run)
    return UndoCandidate(run_of_case, plan, is_open=number == 1, basis=basis)


@cache
def outbreak() -> FoundUndo:
    """A campaign of 100,056 messages in 1,516 parts."""
    return FoundUndo(tuple(part("case/r/1", n, 66, "one") for n in range(1, 1517)), ())


@cache
def many() -> FoundUndo:
    """5,000 small cases."""
    return FoundUndo(tuple(part(f"case/r/{n}", 2, 1) for n in range(5000)), ())


def shown(found: FoundUndo, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a plan."""
    print_plan(found, ends_cases=True)
    return capsys.readouterr().out.splitlines()


def test_a_campaign_of_many_parts_is_one_case(capsys: pytest.CaptureFixture[str]) -> None:
    """Its first messages, how many more there are, and the total."""
    lines = shown(outbreak(), capsys)
    assert len(lines) == MOST_LINES
    assert lines[0] == "case/r/1: open, would end, 1,516 parts"
    assert sum("back to the inbox" in line for line in lines) == SHOWN
    assert lines[SHOWN + 1] == f"  … and {1516 * 66 - SHOWN:,} more; --json lists all"
    assert lines[-1].startswith("Total: 1 case of 1,516 parts, 100,056 messages to return, ")


async def test_what_was_not_read_is_not_in_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    """Its messages are counted beside it."""
    (entry,) = await read_entries(MINE, [await info()])
    left = UnreadCase.of(entry)
    *_, total, rest = shown(FoundUndo(outbreak().candidates[:2], (), (left,)), capsys)
    assert total.startswith("In this plan: 1 case of 2 parts, 132 messages to return, ")
    assert rest.startswith("1 more parts and cases, with 3 messages, are not in this plan: ")


def test_of_many_cases_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The total counts all of them."""
    lines = shown(many(), capsys)
    assert len(lines) <= CASES_SHOWN * 3 + 2
    assert f"… and {5000 - CASES_SHOWN:,} more cases; --json lists all" in lines
    assert lines[-1].startswith("Total: 5,000 cases, 5,000 messages to return, ")


def test_json_has_every_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every part."""
    print_json_object(found_data(outbreak()))
    document = json.loads(capsys.readouterr().out)
    assert sum(len(one["messages"]) for one in document["cases"]) == 1516 * 66


def test_the_result_counts_cases_beside_their_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """Parts have a column only where there are any."""
    print_undone(UndoSummary(cases=1516, done=100_056), outbreak(), {}, as_json=False)
    heading, figures = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["cases", "parts", "undone"]
    assert figures.split()[:3] == ["1", "1,516", "100,056"]
    print_undone(UndoSummary(cases=5000, done=5000), many(), {}, as_json=False)
    heading, figures = capsys.readouterr().out.splitlines()
    assert (heading.split()[:2], figures.split()[:2]) == (["cases", "undone"], ["5,000", "5,000"])
