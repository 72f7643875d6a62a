"""`GET /c/<digits>`: from the short id in a chat or a terminal to the page of the case."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.console.errors import BadRequest, NoSuchObject
from clawback.console.framing import render_page
from clawback.console.page_routes import Page
from clawback.console.services import services_of
from clawback.console.views.mail_text import show_mail_text
from clawback.model.identity import Role

_DIGITS: Final = re.compile(r"[0-9a-f]{6,16}")
_FOUND: Final = 302
_MULTIPLE_CHOICES: Final = 300


@dataclass(frozen=True)
class Candidate:
    """One case that a short id may mean."""

    path: str
    title: str
    subject: str


@dataclass(frozen=True)
class CandidatesView:
    """All cases that a short id may mean: two rules can have the same group."""

    digits: str
    candidates: tuple[Candidate, ...]


async def find_by_short_id(request: Request) -> Response:
    """Go to the case, or let people choose."""
    digits = request.path_params["digits"].lower()
    if _DIGITS.fullmatch(digits) is None:
        raise BadRequest("a short id has 6 to 16 hexadecimal digits, such as 1144579c")

    found = services_of(request).read_model.find_by_hash(digits)
    if not found:
        raise NoSuchObject(f"No case starts with {digits}. Search for its subject or sender above.")
    if len(found) == 1:
        return RedirectResponse(found[0].path, _FOUND)

    view = CandidatesView(
        digits,
        tuple(
            Candidate(case.path, f"{case.rule} {case.short_id}", show_mail_text(case.subject))
            for case in sorted(found, key=lambda case: case.id)
        ),
    )
    return render_page(
        request, "candidates", view, title=f"Which {digits}?", status=_MULTIPLE_CHOICES
    )


SHORT_ID_PAGES: Final = (Page("/c/{digits}", find_by_short_id, Role.VIEWER),)
