"""What messages of a case are now, read over the simulator: what is found, and what it costs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawback.cloudflare.operations.investigate import Message
from clawback.console.errors import Unavailable
from clawback.console.sources.present_mail import PresentMail, find_folder
from clawback.simulator import outbreak
from tests.ingest.test_join import account
from tests.ingest.test_present_verdicts import targets_of

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)


async def test_a_page_of_messages_takes_one_request_a_minute() -> None:
    """The list of their time has all that are no clean mail; a second reading costs nothing."""
    lines = list(outbreak(50, disposition="MALICIOUS"))
    known = targets_of(lines, verdict="SUSPICIOUS")
    async with account(*lines) as (simulator, api):
        await api.move([known[0].id], "JunkEmail")
        before = len(simulator.account.requests.entries)
        present = PresentMail(api)
        assert await present.read(known, NOW) == 1
        assert await present.read(known, NOW + timedelta(seconds=59)) == 0
        assert len(simulator.account.requests.entries) == before + 1

    states = present.known([one.id for one in known], NOW)
    assert len(states) == 50
    assert {one.verdict for one in states.values()} == {"MALICIOUS"}
    assert [states[one.id].folder != "" for one in known] == [True] + [False] * 49
    assert present.known([known[0].id], NOW + timedelta(seconds=61)) == {}


async def test_what_cloudflare_no_longer_has_stays_unknown() -> None:
    """A page says that it was not found; no access is an error with a remedy."""
    known = targets_of(list(outbreak(2)))
    async with account() as (_, api):
        present = PresentMail(api)
        await present.read(known, NOW)
        assert present.known([one.id for one in known], NOW) == {}
    with pytest.raises(Unavailable, match="CLOUDFLARE_API_TOKEN"):
        await PresentMail(None).read(known, NOW)


@pytest.mark.parametrize(
    ("record", "folder"),
    [
        ({"is_quarantined": True, "delivery_status": ["moved"]}, "quarantine"),
        (
            {
                "action_log": [
                    {"operation": "MOVE", "properties": {"folder": "JunkEmail"}},
                    {"operation": "PREVIEW", "properties": {"folder": "no"}},
                    "no entry",
                ]
            },
            "JunkEmail",
        ),
        ({"action_log": [{"operation": "MOVE"}], "delivery_status": ["moved"]}, "moved"),
        ({"post_delivery_operations": ["QUARANTINE_RELEASE"]}, "released"),
        ({"delivery_status": ["delivered"], "action_log": None}, ""),
    ],
)
def test_the_folder_is_what_the_record_tells(record: dict[str, Any], folder: str) -> None:
    """No field has it, and the log of actions may be missing."""
    assert find_folder(Message.parse({"id": "m1", **record})) == folder
