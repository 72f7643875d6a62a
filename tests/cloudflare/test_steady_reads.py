"""One of many reads that fails in passing is repeated in place."""

from datetime import timedelta

import httpx
import pytest

from clawback.cloudflare import pages, read_steadily, steady_reads
from clawback.cloudflare.errors import RateLimited, Unavailable
from tests.cloudflare.support import WINDOW, client, envelope


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_reads, "PAUSES", (0.0,) * len(steady_reads.PAUSES))


async def test_a_long_list_is_read_though_every_page_fails_at_times() -> None:
    """No page is read twice for the sake of another."""
    asked: list[str] = []
    left = {str(page): 2 for page in range(1, 30)}

    def respond(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor", "0")
        asked.append(cursor)
        if left.get(cursor):
            left[cursor] -= 1
            return httpx.Response(503)
        following = str(int(cursor) + 1) if cursor != "29" else None
        return envelope([{"id": cursor}], next=following, per_page=1)

    found = [
        item.id async for page in pages(client(respond).messages, **WINDOW) for item in page.items
    ]
    assert found == [str(number) for number in range(30)]
    assert len(asked) == 1 + 3 * 29


@pytest.mark.parametrize(
    ("error", "reads"),
    [
        (Unavailable("investigate", "no response"), len(steady_reads.PAUSES) + 1),
        (RateLimited("investigate", timedelta(minutes=4)), 1),
    ],
)
async def test_a_read_that_goes_on_failing_is_an_error(error: Exception, reads: int) -> None:
    """It ends after a few repeats, and at once where the API asks for a long wait."""
    done = []

    async def read() -> None:
        done.append(1)
        raise error

    with pytest.raises(type(error)):
        await read_steadily(read)
    assert len(done) == reads
