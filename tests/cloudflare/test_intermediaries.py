"""Answers of what stands between clawback and the API: never the API's word."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from clawback.cloudflare import ApiError, Unavailable, UnknownOutcome
from clawback.cloudflare.api_response import ApiResponse, foreign_answer
from clawback.model.intermediary import Intermediary
from tests.cloudflare.support import Ledger, always, client, envelope, refusal
from tests.cloudflare.test_errors import READS, WRITES, error_of

CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
EDGE = b'{"type":"https://x.test/1020","title":"Access denied","status":403,"error_code":1020}'

ANSWERS: list[tuple[int, dict[str, str], bytes, Intermediary]] = [
    (403, {"cf-mitigated": "challenge", "server": "cloudflare"}, CHALLENGE, Intermediary.CHALLENGE),
    (503, {"cf-mitigated": "challenge"}, CHALLENGE, Intermediary.CHALLENGE),
    (403, {"cf-ray": "8f0a-FRA", "server": "cloudflare"}, EDGE, Intermediary.CHALLENGE),
    (403, {"via": "1.1 squid"}, b"<html>Blocked by policy</html>", Intermediary.PROXY),
    (407, {"proxy-authenticate": "Basic"}, b"", Intermediary.PROXY),
    (302, {"location": "http://captive.example/login"}, b"", Intermediary.REDIRECT),
    (200, {}, b"\n<html>captive portal</html>", Intermediary.OTHER),
    (404, {"server": "nginx"}, b"<html><title>404 Not Found</title></html>", Intermediary.OTHER),
    (400, {}, b"The plain HTTP request was sent to HTTPS port", Intermediary.OTHER),
    (401, {}, b"", Intermediary.OTHER),
    (403, {"content-type": "application/json"}, b'{"error":"blocked"}', Intermediary.OTHER),
    (404, {}, b'[{"success":false}]', Intermediary.OTHER),
]


@pytest.mark.parametrize(("status", "headers", "body", "kind"), ANSWERS)
async def test_an_intermediary_says_nothing_about_the_request(
    status: int, headers: dict[str, str], body: bytes, kind: Intermediary
) -> None:
    """Reads and deletions may be repeated; a change may have been made, except before a proxy."""
    answer = httpx.Response(status, headers=headers, content=body)
    for method, arguments in READS:
        error = await error_of(always(answer), method, arguments)
        assert isinstance(error, Unavailable)
        assert (error.intermediary, error.status) == (kind, status)

    for method, arguments in WRITES:
        error = await error_of(always(answer), method, arguments)
        assert isinstance(error, Unavailable if status == 407 else UnknownOutcome)
        assert error.intermediary is kind
        assert f"intermediary: {kind}" in error.log_text


@pytest.mark.parametrize(("status", "headers", "body", "kind"), ANSWERS)
async def test_an_intermediary_is_counted_by_its_kind_and_not_by_its_status(
    status: int, headers: dict[str, str], body: bytes, kind: Intermediary
) -> None:
    """An alert on 401 and 403 is about the token, which was not judged."""
    ledger = Ledger()
    answer = httpx.Response(status, headers=headers, content=body)
    api = client(lambda _: answer, observer=ledger)
    await error_of(api, *READS[0])
    assert ledger.rows == [("investigate/{id}", kind)]
    assert api.rate_limit.in_flight == 0


@pytest.mark.parametrize("response", [envelope([]), refusal(403, (10000, "No")), refusal(429)])
def test_the_envelope_of_the_api_is_no_foreign_answer(response: httpx.Response) -> None:
    """Whatever proxy it came through."""
    headers = {"via": "1.1 squid", **response.headers}
    assert foreign_answer(ApiResponse(response.status_code, headers, response.content)) is None


async def test_the_text_names_the_intermediary_and_is_bounded() -> None:
    """Its headers and the title of its page, on one short line."""
    answer = httpx.Response(
        403,
        headers={"via": "1.1 gateway " + "x" * 5_000, "server": "Zscaler"},
        content=b"<html><head><TITLE lang=en>Blocked\n\x1b[31mby policy</TITLE>" + b"y" * 100_000,
    )
    error = await error_of(always(answer), *READS[0])
    assert error.text.startswith("403 from an intermediary (proxy, via: 1.1 gateway xxx")
    assert "server: Zscaler" in error.text
    assert error.text.endswith(": Blocked [31mby policy")
    assert len(error.text) < 300


async def test_an_intermediary_may_ask_for_patience() -> None:
    """Its `Retry-After` is the delay of the retry."""
    answer = httpx.Response(403, headers={"cf-mitigated": "challenge", "retry-after": "30"})
    error = await error_of(always(answer), *READS[0])
    assert isinstance(error, Unavailable)
    assert error.retry_after == timedelta(seconds=30)


async def test_a_running_search_that_is_sent_to_sign_in_is_unavailable() -> None:
    """The `Location` of a 302 leads away from the API: a captive portal, and no answer."""
    answers = iter(
        [
            envelope([], status=202, headers={"Location": "investigate/later"}),
            httpx.Response(302, headers={"Location": "https://sign-in.example/"}),
        ]
    )

    async def sleep(_: float) -> None:
        """Wait for nothing."""

    api = client(lambda _: next(answers))
    object.__setattr__(api._transport.clock, "sleep", sleep)
    error = await error_of(api, *READS[1])
    assert isinstance(error, Unavailable)
    assert error.intermediary is Intermediary.REDIRECT


@pytest.mark.parametrize(("method", "arguments"), [READS[2], *WRITES])
async def test_an_empty_200_is_no_success(method: str, arguments: Mapping[str, Any]) -> None:
    """Anybody answers so; the API says what it did, or 202 or 204."""
    error = await error_of(always(httpx.Response(200)), method, arguments)
    assert isinstance(error, ApiError)
    assert isinstance(error, UnknownOutcome) is (method != READS[2][0])


@pytest.mark.parametrize("body", [b'{"status":"ok"}', b"[]", b'"ok"'])
async def test_a_body_without_an_envelope_confirms_nothing(body: bytes) -> None:
    """A request whose response has no result of its own must still be answered by the API."""
    answer = httpx.Response(200, content=body)
    assert isinstance(await error_of(always(answer), *WRITES[1]), UnknownOutcome)
