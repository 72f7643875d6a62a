"""Since when a matching message could be read: what containment is measured from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.correlation import _as_late
from clawback.cases import Match
from clawback.ingest import Ingest
from clawback.model.events import EventKind
from clawback.model.mode import Mode
from clawback.model.polling import ReadPage
from clawback.simulator import outbreak
from tests.ingest.test_join import account
from tests.rules.folders import load, responding

NOW = datetime.now(UTC)


async def _is_not_ours(_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("read_to", "is_late"),
    [
        pytest.param(None, False, id="backlog"),
        pytest.param(NOW - timedelta(minutes=9), False, id="fresh"),
        pytest.param(NOW - timedelta(minutes=1), True, id="indexed late"),
    ],
)
async def test_a_message_that_was_not_there_before_counts_from_its_reading(
    tmp_path: Path, read_to: datetime | None, *, is_late: bool
) -> None:
    """Others count from their scan, also those that an outage kept unread."""
    (line,) = outbreak(1, start=NOW - timedelta(minutes=5), disposition="MALICIOUS")
    rules = load(
        tmp_path,
        {"a_rule.yml": responding("selection: {subject|exists: true}\ncondition: selection")},
    )
    start, end = NOW - timedelta(minutes=10), NOW
    async with account(line) as (_, api):
        ingest = Ingest(
            api, lambda: rules, ceiling=Mode.ENFORCE, age_limit="off", is_ours=_is_not_ours
        )
        request = ReadPage(source=EventKind.MESSAGE, start=start, end=end, read_to=read_to)
        page = await ingest.read(request)
        completed = await ingest.complete(page)

    matches = [one for read in (page, completed) for _, of in read.matches.values() for one in of]
    assert [one.is_late for one in matches] == [is_late]
    assert [one.visible_at for one in matches] == [matches[0].seen_at if is_late else matches[0].at]


def test_a_correlation_counts_from_the_match_that_satisfied_it() -> None:
    """The messages before it were nothing to act on."""
    matches = [
        Match(
            key=str(age), at=NOW - age * timedelta(hours=1), seen_at=NOW - age * timedelta(hours=1)
        )
        for age in (3, 1, 2)
    ]
    assert {one.visible_at for one in _as_late(matches)} == {NOW - timedelta(hours=1)}
    assert _as_late([]) == ()


def test_what_is_not_late_costs_nothing_in_a_payload() -> None:
    """Cases hold thousands of matches."""
    assert "is_late" not in Match(key="a", at=NOW, seen_at=NOW).model_dump_json()
