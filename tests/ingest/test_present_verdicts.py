"""Reading the present verdicts of messages over the simulator: what is found, and what it costs."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from clawback.ingest import present_verdicts
from clawback.ingest.present_verdicts import MOST_SINGLE, read_present_verdicts
from clawback.model.events import message_event
from clawback.model.messages import Target
from clawback.simulator import outbreak
from tests.ingest.test_join import account


def targets_of(lines: list[dict[str, Any]], **changes: Any) -> list[Target]:
    """The messages as a case knows them."""
    now = datetime.now(UTC)  # a message that was scanned later counts as scanned then
    found = [message_event(line["message"], now).targets[0] for line in lines]
    return [replace(one, **changes) for one in found]


@pytest.mark.parametrize("count", [3, MOST_SINGLE, MOST_SINGLE + 1, 300])
async def test_the_present_verdict_is_read(count: int) -> None:
    """Not the one that a case knew; of many messages in two requests, for all and the sender."""
    lines = list(outbreak(count, disposition="MALICIOUS"))
    known = targets_of(lines, verdict="SUSPICIOUS")
    for line in lines[:2]:
        line["message"]["final_disposition"] = "NONE"

    async with account(*lines) as (simulator, api):
        verdicts = await read_present_verdicts(api, [*known, *known[:2]])
        requests = len(simulator.account.requests.entries)

    assert [verdicts[one.id] for one in known] == ["NONE"] * 2 + ["MALICIOUS"] * (count - 2)
    assert requests == (count if count <= MOST_SINGLE else 2)


async def test_what_is_in_no_list_is_not_taken_for_clean() -> None:
    """Not even if a list of its time was read to the end."""
    lines = list(outbreak(MOST_SINGLE + 1, disposition="MALICIOUS"))
    known = targets_of(lines)
    async with account(*lines[1:]) as (_, api):
        assert set(await read_present_verdicts(api, known)) == {one.id for one in known[1:]}


async def test_a_message_that_is_no_longer_kept_has_its_last_verdict() -> None:
    """If that is unknown too, so is the present one."""
    (known,) = targets_of(list(outbreak(1, disposition="MALICIOUS")))
    gone = [known, replace(known, id="never-seen", verdict=None)]
    async with account() as (_, api):
        assert await read_present_verdicts(api, gone) == {known.id: "MALICIOUS"}


async def test_what_takes_too_many_requests_stays_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for clean."""
    monkeypatch.setattr(present_verdicts, "MOST_PAGES", 0)
    lines = list(outbreak(MOST_SINGLE + 1))
    async with account(*lines) as (_, api):
        assert await read_present_verdicts(api, targets_of(lines)) == {}
