"""The filters of the history, and forms that are sent twice."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clawback.cases import CaseState
from clawback.cases.summary import DecisionNote
from clawback.console.errors import BadRequest
from clawback.console.requests.history_query import HistoryQuery, Kind, is_kind, list_history
from clawback.console.requests.once_only import OnceOnly
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.history import describe_undo

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ACTED = ListedCase(
    id="case/r/0123456789abcdef",
    run="a" * 36,
    rule="r",
    state=CaseState.SETTLED,
    mode="enforce",
    opened_at=NOW,
    closed_at=None,
    changed=2,
    outcomes=(("move", "moved", 2),),
)
DENIED = replace(
    ACTED,
    state=CaseState.DENIED,
    changed=0,
    outcomes=(),
    decision=DecisionNote(what="denied", by=("ben",), at=NOW),
)


def test_a_case_is_in_every_list_that_it_belongs_to() -> None:
    """Failures and lost answers are found beside what took effect."""
    failed = replace(ACTED, outcomes=(("move", "moved", 1), ("move", "failed:not_found", 1)))
    assert [kind for kind in Kind if is_kind(failed, kind)] == [Kind.ALL, Kind.ACTED, Kind.FAILED]
    assert [kind for kind in Kind if is_kind(DENIED, kind)] == [Kind.ALL, Kind.DECIDED]
    new = replace(ACTED, state=CaseState.HELD, changed=0, outcomes=())
    assert [kind for kind in Kind if is_kind(new, kind)] == []


def test_a_time_without_zone_is_one_of_the_zone_that_is_shown() -> None:
    """The URL says it in UTC, so that everybody who gets the link sees the same."""
    wanted = HistoryQuery.of({"since": "2026-11-29T03:12"}, NOW, ZoneInfo("Europe/Berlin"))
    assert wanted.url() == "/history?since=2026-11-29T02%3A12%3A00Z"
    with pytest.raises(BadRequest, match="since: `soon` is no time"):
        HistoryQuery.of({"since": "soon"}, NOW, ZoneInfo("UTC"))


def test_pages_have_every_case_once() -> None:
    """Also where many happened at the same moment."""
    cases = [replace(ACTED, id=f"case/r/{n:016x}") for n in range(7)]
    seen, wanted = [], HistoryQuery()
    while True:
        page = list_history(wanted, cases, None, size=3)
        seen += [case.id for case in page.cases]
        if not page.next_after:
            break
        wanted = replace(wanted, after=page.next_after)
    assert sorted(seen) == [case.id for case in cases]


def test_undo_says_why_not() -> None:
    """A list shows whether a case can be undone without asking it."""
    assert describe_undo(ACTED) == ("yes, 2 changes", True)
    assert describe_undo(DENIED) == ("no: it was denied", False)
    shadow = replace(ACTED, changed=0, mode="shadow")
    assert describe_undo(shadow) == ("no: shadow mode changed nothing", False)


async def test_what_is_sent_twice_at_once_is_done_once() -> None:
    """Both get the same answer; what failed may be tried again."""
    done: list[int] = []
    once: OnceOnly[int] = OnceOnly(lambda: NOW)

    async def do() -> int:
        done.append(1)
        if len(done) > 1:
            raise ValueError("again")
        return len(done)

    assert list(await asyncio.gather(once.run("k", do), once.run("k", do))) == [1, 1]
    with pytest.raises(ValueError, match="again"):
        await once.run("other", do)
    once.now = lambda: NOW + timedelta(minutes=1)
    with pytest.raises(ValueError, match="again"):
        await once.run("other", do)
    assert len(done) == 3
