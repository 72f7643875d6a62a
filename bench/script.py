"""The script that a user would write instead of running clawback, with the official SDK.

`python -m bench.script one|bulk URL` moves every BEC message of the last hour out of the mailboxes:
`one` with a request for each message, as the reference of the SDK shows; `bulk` with 1,000 ids in a
request. It imports nothing from clawback and remembers nothing.
"""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from cloudflare import Cloudflare, RateLimitError

T = TypeVar("T")
ACCOUNT = "account"
DESTINATION: Final = "RecoverableItemsDeletions"
BULK = 1000


def patiently(call: Callable[[], T]) -> T:
    """Make a request; if the rate limit refuses it, wait for `Retry-After` and try again."""
    while True:
        try:
            return call()
        except RateLimitError as error:
            time.sleep(float(error.response.headers.get("retry-after", 60)))


def delivered_bec(client: Cloudflare) -> Iterator[str]:
    """Yield the ids to move.

    The pagination of the SDK uses `page`, which is past its end of life, so this follows the
    cursor.
    """
    query: dict[str, Any] = {"start": datetime.now(UTC) - timedelta(hours=1), "per_page": 1000}
    while True:
        page = patiently(
            partial(client.email_security.investigate.list, account_id=ACCOUNT, **query)
        )
        for message in page.result:
            if message.final_disposition == "MALICIOUS-BEC" and not message.is_quarantined:
                yield message.id
        cursor = getattr(page.result_info, "next", None)
        if not cursor:
            return
        query["cursor"] = cursor


def move_one_by_one(client: Cloudflare, ids: list[str]) -> int:
    """Move each message with a request of its own; the number moved."""
    move, moved = client.email_security.investigate.move, 0
    for identity in ids:
        answer = patiently(
            partial(move.create, identity, account_id=ACCOUNT, destination=DESTINATION)
        )
        moved += all(item.success for item in answer.result)
    return moved


def move_in_bulk(client: Cloudflare, ids: list[str]) -> int:
    """Move 1,000 messages a request; the number moved."""
    move, moved = client.email_security.investigate.move, 0
    for first in range(0, len(ids), BULK):
        answer = patiently(
            partial(
                move.bulk,
                account_id=ACCOUNT,
                destination=DESTINATION,
                ids=ids[first : first + BULK],
            )
        )
        moved += sum(item.success for item in answer.result)
    return moved


def main(how: str, url: str) -> None:
    """Find and move."""
    with Cloudflare(api_token="token", base_url=url, max_retries=0) as client:  # noqa: S106 - the simulator takes any
        ids = list(delivered_bec(client))
        moved = {"one": move_one_by_one, "bulk": move_in_bulk}[how](client, ids)
    print(f"moved {moved} of {len(ids)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
