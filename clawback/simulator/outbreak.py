"""A synthetic outbreak: one campaign delivered to many mailboxes, for rehearsals and benches.

Every name in it is invented.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from clawback.simulator.synthetic import Draft, corpus_line, digest

CAMPAIGN = Draft(
    sender="accounts@vendor-payables.test",
    from_name="Accounts Payable",
    subject="Updated bank details for this month's invoice",
    disposition="MALICIOUS-BEC",
    reason="Request to change payment details from a new sender",
    category="BusinessEmailCompromise",
)
SPACING = timedelta(milliseconds=10)


def outbreak(
    count: int,
    seed: int = 0,
    *,
    start: datetime | None = None,
    disposition: str = CAMPAIGN.disposition,
    sender: str = CAMPAIGN.sender,
) -> Iterator[dict[str, Any]]:
    """Give corpus lines of one campaign.

    The same sender, body (`edf_hash`) and verdict, each to another mailbox of `corp.example`.

    The first is scanned at `start` (default: so that the last one is scanned now), the others 10 ms
    apart.
    """
    random = Random(seed)  # noqa: S311
    first = start or datetime.now(UTC) - SPACING * count
    draft = replace(CAMPAIGN, disposition=disposition, sender=sender)
    edf_hash = digest(random)
    for number in range(count):
        yield corpus_line(
            draft, [f"user{number:05d}@corp.example"], first + SPACING * number, random, edf_hash
        )
