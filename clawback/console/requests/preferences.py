"""What a person has chosen for this browser: a time zone, and whether letters are shortcuts.

It is no secret and gives no right, so a plain cookie has it.
"""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.views.times import find_zone

COOKIE: Final = "clawback-preferences"
_YEAR: Final = 365 * 24 * 3600
_SEPARATOR: Final = "."
_NO_LETTERS: Final = "no-letters"


@dataclass(frozen=True)
class Preferences:
    """The choices of one browser."""

    zone: ZoneInfo
    has_letter_keys: bool = True

    @classmethod
    def of(cls, request: Request) -> "Preferences":
        """Read the choices; what cannot be read is the default."""
        name, _, letters = request.cookies.get(COOKIE, "").partition(_SEPARATOR)
        return cls(find_zone(name), letters != _NO_LETTERS)

    def save(self, response: Response, *, is_secure: bool) -> None:
        """Set the cookie."""
        letters = "" if self.has_letter_keys else _NO_LETTERS
        response.set_cookie(
            COOKIE,
            f"{self.zone.key}{_SEPARATOR}{letters}",
            max_age=_YEAR,
            secure=is_secure,
            httponly=True,
            samesite="strict",
        )
