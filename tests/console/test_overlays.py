"""What a person has just decided stays in the lists until the index says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.console.sources.overlays import Overlays
from clawback.console.sources.read_model import ListedCase

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
HELD = ListedCase(
    id="case/r/0",
    run="run",
    rule="r",
    state=CaseState.HELD,
    mode="approve",
    opened_at=NOW,
    closed_at=None,
    hold_cause=HoldCause.APPROVAL,
)
DONE = replace(HELD, state=CaseState.RESPONDING, hold_cause=None)


class Clock:
    """A time that the test sets."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


def test_a_decision_outlasts_an_index_that_lags() -> None:
    """For 60 seconds, and with all that the index has otherwise."""
    clock = Clock()
    overlays = Overlays(clock)
    overlays.put(HELD, DONE)
    grown = replace(HELD, messages=7)
    clock.now = NOW + timedelta(seconds=59)
    assert overlays.apply(grown) == replace(DONE, messages=7)
    clock.now = NOW + timedelta(seconds=60)
    assert overlays.apply(grown) == grown


def test_the_index_counts_once_it_has_anything_of_it() -> None:
    """Also what somebody else decided meanwhile, and also an older line after that."""
    overlays = Overlays(Clock())
    overlays.put(HELD, DONE)
    settled = replace(HELD, state=CaseState.SETTLED, hold_cause=None)
    assert overlays.apply(settled) == settled
    assert overlays.apply(HELD) == HELD


def test_two_answers_about_one_case_are_both_shown() -> None:
    """Assigned, then approved, before the index has either; other cases are as they are."""
    overlays = Overlays(Clock())
    mine = replace(HELD, assignee="ana", assignee_id="id")
    overlays.put(HELD, mine)
    overlays.put(mine, replace(mine, state=CaseState.RESPONDING, hold_cause=None))
    assert overlays.apply(HELD) == replace(DONE, assignee="ana", assignee_id="id")
    other = replace(HELD, id="case/r/1")
    assert overlays.apply(other) == other
