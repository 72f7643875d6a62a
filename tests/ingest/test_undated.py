"""Records with times that make no sense: neither young nor old, and people are told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clawback.ingest import Ingest, IngestResult
from clawback.model.events import Event, EventKind
from clawback.model.mode import Mode
from clawback.model.polling import ReadPage
from clawback.rules.eligibility import AgeLimit
from tests.cloudflare.support import client, envelope
from tests.rules.folders import load, responding

NOW = datetime.now(UTC)
RULES = {"a_rule.yml": responding("selection:\n  final_disposition: SPAM\ncondition: selection")}
NONSENSE = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", None]


async def read(tmp_path: Path, age_limit: AgeLimit, **fields: Any) -> IngestResult:
    """Read a page of one message that a rule matches."""
    record = {"id": "m-1", "final_disposition": "SPAM", "from": "a@x.test", **fields}
    rules = load(tmp_path, RULES)

    async def is_ours(_: Event) -> bool:
        return False

    async with client(lambda _: envelope([record], count=1)) as api:
        ingest = Ingest(
            api, lambda: rules, ceiling=Mode.ENFORCE, age_limit=age_limit, is_ours=is_ours
        )
        return await ingest.read(ReadPage(source=EventKind.MESSAGE, start=NOW, end=NOW))


def ages_of(result: IngestResult) -> list[timedelta]:
    """How old the matches are."""
    return [NOW - match.at for _, matches in result.matches.values() for match in matches]


@pytest.mark.parametrize("scanned_at", NONSENSE)
async def test_a_time_that_makes_no_sense_falls_back_to_the_other(
    tmp_path: Path, scanned_at: str | None
) -> None:
    """The message is acted on, and is as old as its `sent_at` says."""
    sent_at = NOW - timedelta(hours=2)
    result = await read(
        tmp_path, timedelta(hours=72), scanned_at=scanned_at, sent_at=sent_at.isoformat()
    )
    assert ages_of(result) == [timedelta(hours=2)]
    assert result.newest == sent_at
    assert not result.rejected


@pytest.mark.parametrize("time", NONSENSE)
async def test_without_a_sensible_time_people_are_told(tmp_path: Path, time: str | None) -> None:
    """It is neither too old nor new: the rule that matches does not act, and the audit says why."""
    result = await read(tmp_path, timedelta(hours=72), scanned_at=time, sent_at=time)
    assert not result.matches
    assert [reason for _, reason in result.skipped] == ["no_time"]
    (rejection,) = result.rejected
    assert rejection.reason.startswith("no time of it makes sense")
    assert rejection.reason.endswith("it matches a_rule")
    assert '"m-1"' in rejection.raw
    assert result.newest is None


async def test_mail_without_a_time_that_no_rule_matches_is_only_counted(tmp_path: Path) -> None:
    """If the API stopped sending times, the audit would hold all mail."""
    result = await read(tmp_path, timedelta(hours=72), final_disposition="NONE")
    assert [reason for _, reason in result.skipped] == ["no_time"]
    assert not result.rejected


async def test_without_an_age_limit_no_time_is_needed(tmp_path: Path) -> None:
    """The age decides nothing then."""
    began = datetime.now(UTC)
    result = await read(tmp_path, "off", scanned_at="0001-01-01T00:00:00Z")
    [(_, [match])] = result.matches.values()
    assert began <= match.at <= datetime.now(UTC)
    assert not result.rejected
