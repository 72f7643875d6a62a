"""Answers that are not the API's own.

Broken successes, and server errors in all the forms the edge gives them (reference §3.2).
"""

from random import Random

from starlette.responses import Response

from clawback.simulator.envelopes import INTERNAL, Refusal, dumps, fail

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>cloudflare</body></html>"


def server_error(random: Random) -> Response:
    """One of: 500 with the API's envelope, 500 and 520 with problem JSON, 502 with an HTML page, 503 with nothing."""
    return random.choice((_envelope, _problem_500, _problem_520, _page_502, _empty_503))()


def malformed(body: bytes, random: Random) -> Response:
    """A 200 that cannot be read: the true body cut somewhere, or a page of HTML."""
    if random.random() < 0.5:  # noqa: PLR2004
        return Response(_PAGE.format("Just a moment..."), 200, media_type="text/html")
    return Response(
        body[: random.randint(1, max(len(body) - 1, 1))], 200, media_type="application/json"
    )


def _envelope() -> Response:
    return fail(Refusal(500, INTERNAL, "Internal server error"))


def _problem_500() -> Response:
    return _problem(500, "Internal Server Error")


def _problem_520() -> Response:
    return _problem(520, "Web server is returning an unknown error")


def _page_502() -> Response:
    return Response(_PAGE.format("502 Bad Gateway"), 502, media_type="text/html")


def _empty_503() -> Response:
    return Response(b"", 503)


def _problem(status: int, title: str) -> Response:
    problem = {
        "type": f"https://developers.cloudflare.com/support/errors/{status}",
        "title": title,
        "status": status,
        "error_code": status,
    }
    return Response(dumps(problem), status, media_type="application/problem+json")
