"""The meaning of each failure: executed, not executed, or unknown."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Literal

import httpx
import pytest

from clawback.cloudflare import (
    ApiError,
    ClientError,
    EmailSecurity,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnknownOutcome,
    UnreadableResponse,
)
from clawback.cloudflare.http_client import TokenAuth
from tests.cloudflare.support import (
    ACCOUNT,
    IID,
    TOKEN,
    URL,
    WINDOW,
    Ledger,
    StillClock,
    always,
    client,
    closed_port,
    envelope,
    refusal,
    rude_server,
)

READS: list[tuple[str, Mapping[str, Any]]] = [
    ("message", {"id": IID}),
    ("messages", WINDOW),
    ("delete_block_sender", {"id": "b1"}),
]
WRITES: list[tuple[str, Mapping[str, Any]]] = [
    ("move", {"ids": [IID], "destination": "JunkEmail"}),
    ("reclassify", {"id": IID, "disposition": "SPAM"}),
    ("create_block_sender", {"pattern": "a@b.test", "pattern_type": "EMAIL", "comments": ""}),
]
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
PROBLEM = (
    b'{"type":"https://x.test","title":"Origin is down","status":521,"detail":"No TCP handshake"}'
)


async def error_of(api: EmailSecurity, method: str, arguments: Mapping[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await getattr(api, method)(**arguments)
    return caught.value


@pytest.mark.parametrize(("method", "arguments"), READS + WRITES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthenticated),
        (403, PermissionDenied),
        (404, NotFound),
        (409, InvalidRequest),
        (422, InvalidRequest),
        (301, InvalidRequest),
    ],
)
async def test_a_refusal_was_not_executed(
    status: int, kind: type[ClientError], method: str, arguments: Mapping[str, Any]
) -> None:
    """Each status below 500 has one meaning and carries Cloudflare's codes."""
    error = await error_of(always(refusal(status, (10000, "No"), (7003, "way"))), method, arguments)
    assert isinstance(error, ClientError)
    assert (type(error), error.status, error.codes, error.text) == (
        kind,
        status,
        (10000, 7003),
        "No; way",
    )


@pytest.mark.parametrize("status", [408, 500, 502, 503, 520, 526])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        PROBLEM,
        b'{"success":false,"errors":[{"code":1000,"message":"boom"}],"result":null}',
        b"[[[",
    ],
)
async def test_a_servers_failure_may_be_repeated_only_where_that_is_safe(
    status: int, body: bytes
) -> None:
    """Reads and deletions are `Unavailable`, posts `UnknownOutcome`, whatever the body."""
    for method, arguments in READS:
        error = await error_of(always(httpx.Response(status, content=body)), method, arguments)
        assert isinstance(error, Unavailable)
        assert error.status == status
    for method, arguments in WRITES:
        error = await error_of(always(httpx.Response(status, content=body)), method, arguments)
        assert isinstance(error, UnknownOutcome)
        assert error.status == status


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'"text"',
        b'{"success":true,"result":"text"}',
        b'{"success":true,"result":{"x":1}}',
    ],
)
async def test_a_success_that_cannot_be_read(body: bytes) -> None:
    """A read is `UnreadableResponse`; a post may have been executed."""
    assert isinstance(
        await error_of(always(httpx.Response(200, content=body)), "messages", WINDOW),
        UnreadableResponse,
    )
    for method, arguments in (WRITES[0], WRITES[2]):
        assert isinstance(
            await error_of(always(httpx.Response(200, content=body)), method, arguments),
            UnknownOutcome,
        )


async def test_an_empty_success_of_a_move_is_unknown() -> None:
    """Neither an empty body nor a null result reports an outcome."""
    for response in (httpx.Response(200), envelope(None)):
        assert isinstance(await error_of(always(response), *WRITES[0]), UnknownOutcome)


async def test_a_success_that_says_it_failed_is_a_refusal() -> None:
    """`success: false` counts, also under 200."""
    assert isinstance(
        await error_of(always(refusal(200, (1001, "no"))), *WRITES[0]), InvalidRequest
    )


async def test_a_malformed_token_is_told_apart_from_a_bad_request() -> None:
    """Cloudflare answers it with 400 and the codes 6003 and 6111."""
    body = {
        "success": False,
        "errors": [
            {"code": 6003, "message": "Invalid request headers", "error_chain": [{"code": 6111}]}
        ],
    }
    assert isinstance(
        await error_of(always(httpx.Response(400, json=body)), *READS[0]), Unauthenticated
    )


@pytest.mark.parametrize(("method", "arguments"), READS + WRITES)
async def test_a_429_was_not_executed_and_says_when_to_come_back(
    method: str, arguments: Mapping[str, Any]
) -> None:
    """The delay is data; until it is over, calls fail without a request."""
    clock, ledger = StillClock(), Ledger()
    api = client(
        lambda _: refusal(429, (10000, "slow down"), headers={"Retry-After": "300"}),
        clock=clock,
        observer=ledger,
    )
    error = await error_of(api, method, arguments)
    assert isinstance(error, RateLimited)
    assert (error.retry_after, error.is_local) == (timedelta(seconds=300), False)
    clock.seconds += 100
    again = await error_of(api, *WRITES[0])
    assert isinstance(again, RateLimited)
    assert (again.retry_after, again.is_local) == (timedelta(seconds=200), True)
    assert [status for _, status in ledger.rows] == [429]


async def test_texts_from_outside_are_bounded_and_on_one_line() -> None:
    """A page of a megabyte or a message with control characters becomes a short line."""
    huge = b"<html>" + b"<b>x</b>\x00\n\x1b[31m" * 100_000
    error = await error_of(always(httpx.Response(500, content=huge)), *READS[0])
    assert len(str(error)) < 400
    assert str(error).isprintable()
    error = await error_of(
        always(refusal(400, *((1000 + n, "y" * 1000) for n in range(500)))), *READS[0]
    )
    assert isinstance(error, ClientError)
    assert len(error.codes) == 10
    assert len(str(error)) < 500


async def test_an_error_names_the_endpoint_but_never_the_id_or_the_token() -> None:
    """No investigate id, account or token, even if the server echoes it."""
    for response in (
        refusal(400, (1000, f"bad header Bearer {TOKEN}")),
        httpx.Response(500, text=f"token {TOKEN}"),
    ):
        for method, arguments in READS + WRITES:
            error = await error_of(always(response), method, arguments)
            assert "[token]" in str(error)
            assert not [
                secret
                for secret in (TOKEN, IID, ACCOUNT)
                if secret in f"{error!s} {error!r} {error.__dict__}"
            ]
    assert "investigate/{id}" in str(await error_of(always(refusal(404)), *READS[0]))


async def test_the_token_is_in_no_repr() -> None:
    """Neither of the client nor of anything it holds."""
    async with always(refusal(404)) as api:
        http = api._transport.http
        held = [api, vars(api), api._transport, http, http.headers, http.auth, vars(http.auth)]
        assert TOKEN not in repr([*held, api.rate_limit])
        assert isinstance(http.auth, TokenAuth)
        request = next(http.auth.auth_flow(httpx.Request("GET", URL)))
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in repr([request, request.headers])


@pytest.mark.parametrize("token", ["", "with blank", "line\nbreak", "schlüssel"])
def test_an_impossible_token_is_refused_without_being_repeated(token: str) -> None:
    """It could not be sent, and httpx would quote it in its error."""
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        EmailSecurity(url=URL, account_id=ACCOUNT, token=token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.cloudflare.com",
        "ftp://x.test",
        "https://",
        "https://user:pw@x.test",
        "https://x.test?a=1",
    ],
)
def test_an_impossible_address_is_refused(url: str) -> None:
    """It must be an http address that endpoints can be appended to."""
    with pytest.raises(ValueError, match="API URL"):
        EmailSecurity(url=url, account_id=ACCOUNT, token=TOKEN)


async def test_a_closed_port_is_unavailable_for_everybody() -> None:
    """A request that was not sent was not executed: a post may be repeated."""
    async with EmailSecurity(
        url=f"http://127.0.0.1:{closed_port()}", account_id=ACCOUNT, token=TOKEN
    ) as api:
        for method, arguments in READS + WRITES:
            assert isinstance(await error_of(api, method, arguments), Unavailable)


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (b"", "reset"),
        (b"", "close"),
        (CUT_SHORT, "reset"),
        (CUT_SHORT, "close"),
        (b"garbage\r\n\r\n", "close"),
        (b"", "silence"),
    ],
)
async def test_a_lost_answer_leaves_a_post_unknown(
    answer: bytes, then: Literal["close", "reset", "silence"]
) -> None:
    """The socket resets, closes, breaks off or stays silent after the request was sent."""
    async with rude_server(answer, then) as url:
        ledger = Ledger()
        async with EmailSecurity(
            url=url,
            account_id=ACCOUNT,
            token=TOKEN,
            timeout=timedelta(milliseconds=300),
            observer=ledger,
        ) as api:
            assert isinstance(await error_of(api, *READS[0]), Unavailable)
            assert isinstance(await error_of(api, *WRITES[0]), UnknownOutcome)
            assert api.rate_limit.in_flight == 0
        assert [endpoint for endpoint, _ in ledger.rows] == ["investigate/{id}", "investigate/move"]


async def test_an_answer_that_drips_is_given_up() -> None:
    """Each read is in time but the whole is not: the exchange itself is bounded."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with rude_server(chunked, "drip") as url:
        ledger = Ledger()
        async with EmailSecurity(
            url=url,
            account_id=ACCOUNT,
            token=TOKEN,
            timeout=timedelta(milliseconds=100),
            observer=ledger,
        ) as api:
            assert isinstance(await error_of(api, *WRITES[0]), UnknownOutcome)
        assert ledger.rows == [("investigate/move", "TimeoutError")]


async def test_an_answer_that_is_too_large_is_not_read_to_its_end() -> None:
    """A body beyond the limit is abandoned: unreadable for a read, unknown for a post."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 2**20

    api = client(lambda _: httpx.Response(200, content=endless()))
    assert isinstance(await error_of(api, *READS[0]), UnreadableResponse)
    assert isinstance(await error_of(api, *WRITES[0]), UnknownOutcome)
