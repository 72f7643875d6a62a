"""Searches that the API answers with 202."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from clawback.cloudflare import EmailSecurity, RateLimited, Unavailable, UnreadableResponse
from tests.cloudflare.support import URL, WINDOW, StillClock, client, envelope, refusal


def scripted(answers: list[httpx.Response], clock: StillClock) -> tuple[EmailSecurity, list[str]]:
    """Build a client with scripted responses, and the list of URLs it requests."""
    asked: list[str] = []
    left: Iterator[httpx.Response] = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        assert request.method == "GET"
        return next(left)

    return client(answer, clock=clock), asked


def running(
    location: str, status: int = 202, headers: dict[str, str] | None = None
) -> httpx.Response:
    return envelope(
        [], status, {"Location": location, **(headers or {})}, count=0, per_page=20, total_count=0
    )


@pytest.mark.parametrize(
    "location",
    ["/client/v4/searches/1", f"{URL}/searches/1", f"{URL.replace(':8080', ':8080')}/searches/1"],
)
async def test_a_running_search_is_polled_where_it_says(location: str) -> None:
    """A relative or absolute `Location` is polled with growing pauses."""
    clock = StillClock()
    api, asked = scripted(
        [
            running(location),
            running(location),
            running(location),
            envelope([{"id": "a"}], next="c2"),
        ],
        clock,
    )
    page = await api.messages(**WINDOW)
    assert ([item.id for item in page.items], page.next) == (["a"], "c2")
    assert asked[1:] == [f"{URL}/searches/1"] * 3
    assert clock.slept == [0.5, 1.0, 2.0]


async def test_a_search_may_point_on() -> None:
    """Another `Location`, or a redirect to the finished page, is followed too."""
    api, asked = scripted(
        [running("/a"), running("/b"), running("/c", 303), envelope([{"id": "a"}])], StillClock()
    )
    assert len((await api.messages(**WINDOW)).items) == 1
    assert [url.rpartition("/")[2] for url in asked[1:]] == ["a", "b", "c"]


async def test_the_server_may_ask_for_more_patience() -> None:
    """`Retry-After` on a 202 is respected."""
    clock = StillClock()
    api, _ = scripted([running("/a", headers={"Retry-After": "7"}), envelope([])], clock)
    await api.messages(**WINDOW)
    assert clock.slept == [7.0]


async def test_a_search_without_end_is_given_up_in_bounded_time() -> None:
    """After 45 s it is `Unavailable`, with about a dozen requests spent."""
    clock = StillClock()
    api, asked = scripted([running("/a") for _ in range(100)], clock)
    with pytest.raises(Unavailable, match="still running"):
        await api.messages(**WINDOW)
    assert sum(clock.slept) <= 45
    assert len(asked) < 15


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/x",
        "//evil.test/x",
        "http://127.0.0.1:9/x",
        "https://127.0.0.1:8080/x",
        "http://u@127.0.0.1:8080/x",
        "http://[",
        "ftp:x",
    ],
)
async def test_a_location_elsewhere_is_not_followed(location: str) -> None:
    """The token is never sent to another host, port or scheme."""
    api, asked = scripted([running(location)], StillClock())
    with pytest.raises(UnreadableResponse, match="another host"):
        await api.messages(**WINDOW)
    assert len(asked) == 1


ENDS: list[tuple[Callable[[], httpx.Response], type[Exception]]] = [
    (lambda: refusal(404, (7003, "gone")), Unavailable),
    (lambda: refusal(429, headers={"Retry-After": "60"}), RateLimited),
    (lambda: httpx.Response(502), Unavailable),
    (lambda: httpx.Response(200, content=b"<html>"), Unavailable),
    (lambda: httpx.Response(200, content=b'{"success": true, "result": 7}'), UnreadableResponse),
]


@pytest.mark.parametrize(("end", "kind"), ENDS)
async def test_a_poll_that_fails_is_told_like_any_read(
    end: Callable[[], httpx.Response], kind: type[Exception]
) -> None:
    """A search that is gone may be restarted; other failures keep their meaning."""
    api, _ = scripted([running("/a"), end()], StillClock())
    with pytest.raises(kind):
        await api.messages(**WINDOW)
