"""The pages of somebody who is not, or no longer, signed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.framing import render_page
from clawback.identity.role_mapping import Verified
from clawback.model.texts import printable

_OVERAGE: Final = frozenset({"_claim_names", "hasgroups"})
ACCESS_SIGN_OUT: Final = "/cdn-cgi/access/logout"


class Way(StrEnum):
    """How people sign in here."""

    OIDC = "oidc"
    ACCESS = "access"
    LOCAL = "local"


_HINTS: Final[Mapping[Way, str]] = {
    Way.OIDC: "",
    Way.ACCESS: (
        "This console is behind Cloudflare Access, and the request did not come through it, or its "
        "assertion was refused. Open the console at the address that Access protects."
    ),
    Way.LOCAL: (
        "Without an identity provider, whoever runs clawback on this machine opens a link that "
        "counts once. Print one, on this machine:"
    ),
}


@dataclass(frozen=True)
class RefreshView:
    """Where the browser goes at once."""

    url: str

    @property
    def refresh(self) -> str:
        """What `http-equiv="refresh"` says."""
        return f"0; url={self.url}"


@dataclass(frozen=True)
class SignInView:
    """How to sign in, or what went wrong; `leave` is where one signs out elsewhere."""

    title: str
    problem: str = ""
    start: str = ""
    provider: str = ""
    hint: str = ""
    command: str = ""
    leave: str = ""
    leave_text: str = ""


@dataclass(frozen=True)
class NoRoleView:
    """Which claim gives roles, and what came instead."""

    who: str
    claim: str
    received: tuple[str, ...]
    hint: str


@dataclass(frozen=True)
class SignInViews:
    """Renders these pages. `claim` gives roles; `issuer` is the OpenID Connect provider, if any."""

    way: Way
    claim: str
    issuer: str = ""

    def answer_refresh(self, request: Request, url: str) -> Response:
        """Make the browser ask again, from a page of ours, so that it sends strict cookies."""
        return render_page(request, "refresh", RefreshView(url), title="One moment")

    def answer_sign_in(
        self,
        request: Request,
        start: str,
        *,
        title: str = "Sign in",
        problem: str = "",
        status: int = HTTPStatus.OK,
    ) -> Response:
        """Show how to sign in; `start` is where to begin at the provider."""
        view = SignInView(
            title=title,
            problem=problem,
            start=start if self.way is Way.OIDC else "",
            provider=urlsplit(self.issuer).hostname or "",
            hint=_HINTS[self.way],
            command="clawback console --link" if self.way is Way.LOCAL else "",
        )
        return render_page(request, "sign_in", view, title=title, status=status)

    def answer_signed_out(
        self, request: Request, provider_url: str, *, problem: str = ""
    ) -> Response:
        """Say that the session is over; `provider_url` is where one signs out of the provider."""
        title = "You are signed out"
        leave = ACCESS_SIGN_OUT if self.way is Way.ACCESS else provider_url
        view = SignInView(
            title=title,
            problem=problem,
            start="/auth/start" if self.way is Way.OIDC else "",
            provider=urlsplit(self.issuer).hostname or "",
            leave=leave,
            leave_text="Sign out of the identity provider, too",
        )
        return render_page(request, "sign_in", view, title=title)

    def answer_no_role(self, request: Request, verified: Verified) -> Response:
        """Say which claim would give a role, and which claims came."""
        request.state.visitor = None
        view = NoRoleView(
            who=printable(verified.identity.label),
            claim=self.claim,
            received=verified.claim_names,
            hint=self._explain(frozenset(verified.claim_names)),
        )
        return render_page(request, "no_role", view, title="No role", status=HTTPStatus.FORBIDDEN)

    def _explain(self, names: frozenset[str]) -> str:
        if names & _OVERAGE:
            return (
                "Entra ID leaves groups out of the token of people who are in more than 200. Use "
                "app roles: assign one to the people, and set CLAWBACK_IDENTITY_ROLES_CLAIM=roles."
            )
        if self.claim.partition(".")[0] in names or self.claim in names:
            return (
                "The claim came, but none of its values is in CLAWBACK_IDENTITY_VIEWERS, "
                "CLAWBACK_IDENTITY_ANALYSTS or CLAWBACK_IDENTITY_OPERATORS."
            )
        return (
            "The claim did not come. Have the provider send it in the ID token; many need a scope "
            "for it (CLAWBACK_IDENTITY_SCOPES)."
        )
