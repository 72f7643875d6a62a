"""`500`: a server error, in every form the API and Cloudflare's edge give it (reference §3.2)."""

from typing import ClassVar

from starlette.responses import Response

from clawback.simulator.faults.base import Exchange, RequestFault
from clawback.simulator.responses import INTERNAL, Refusal, dump_json, fail, html_page


class ServerError(RequestFault):
    """A server error before anything was executed."""

    name: ClassVar[str] = "500"
    description: ClassVar[str] = (
        "500, 502, 503 or 520 with an API envelope, problem JSON, HTML or no body; not executed"
    )

    async def apply(self, exchange: Exchange, seconds: float) -> None:  # noqa: ARG002 - takes none
        build = exchange.random.choice(
            (_envelope, _problem_500, _problem_520, _html_502, _empty_503)
        )
        await exchange.respond(build())


def _envelope() -> Response:
    return fail(Refusal(500, INTERNAL, "Internal server error"))


def _problem_500() -> Response:
    return _problem(500, "Internal Server Error")


def _problem_520() -> Response:
    return _problem(520, "Web server is returning an unknown error")


def _html_502() -> Response:
    return html_page("502 Bad Gateway", 502)


def _empty_503() -> Response:
    return Response(b"", 503)


def _problem(status: int, title: str) -> Response:
    problem = {
        "type": f"https://developers.cloudflare.com/support/errors/{status}",
        "title": title,
        "status": status,
        "error_code": status,
    }
    return Response(dump_json(problem), status, media_type="application/problem+json")
