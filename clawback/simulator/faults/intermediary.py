"""`intermediary`: something between clawback and the API answers with a page of its own."""

from typing import ClassVar

from starlette.responses import Response

from clawback.simulator.faults.base import Exchange, RequestFault
from clawback.simulator.responses import html_page


class Intermediary(RequestFault):
    """A challenge, a proxy, a sign-in page or a web server answers; the API does not."""

    name: ClassVar[str] = "intermediary"
    description: ClassVar[str] = (
        "a challenge (403), a proxy's 407 or block page (403), a redirect to a sign-in page, or "
        "a web server's 404 or 200; not executed"
    )

    async def apply(self, exchange: Exchange, seconds: float) -> None:  # noqa: ARG002 - takes none
        build = exchange.random.choice(
            (_challenge, _proxy_login, _block_page, _sign_in, _not_found, _welcome)
        )
        await exchange.respond(build())


def _challenge() -> Response:
    page = html_page("Just a moment...", 403)
    page.headers["cf-mitigated"] = "challenge"
    return page


def _proxy_login() -> Response:
    return Response(b"", 407, {"Proxy-Authenticate": 'Basic realm="proxy"'})


def _block_page() -> Response:
    page = html_page("Blocked by policy", 403)
    page.headers["via"] = "1.1 gateway.example"
    return page


def _sign_in() -> Response:
    return Response(b"", 302, {"Location": "https://sign-in.example/"})


def _not_found() -> Response:
    return html_page("404 Not Found", 404)


def _welcome() -> Response:
    return html_page("Welcome to the guest network", 200)
