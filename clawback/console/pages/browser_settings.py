"""`/settings` and `/keys`: what a person chooses for this browser, and the list of shortcuts."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawback.console.errors import BadRequest
from clawback.console.framing import render_page
from clawback.console.page_routes import Page
from clawback.console.requests.forms import read_form
from clawback.console.requests.preferences import Preferences
from clawback.console.services import services_of
from clawback.console.views.times import find_zone
from clawback.model.identity import Role


@dataclass(frozen=True)
class SettingsView:
    """The choices, and the zones to choose from."""

    zone: str
    zones: tuple[str, ...]
    has_letter_keys: bool


async def show_settings(request: Request) -> Response:
    """Show the choices of this browser."""
    chosen = Preferences.of(request)
    zones = tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))
    view = SettingsView(chosen.zone.key, zones, chosen.has_letter_keys)
    return render_page(request, "settings", view, title="Settings")


async def save_settings(request: Request) -> Response:
    """Save the choices in a cookie."""
    form = await read_form(request)
    name = form.one("zone") or "UTC"
    zone = find_zone(name)
    if zone.key != name:
        raise BadRequest(f"zone: {name[:60]} is no time zone; use one such as Europe/Berlin")

    response = RedirectResponse("/settings", HTTPStatus.SEE_OTHER)
    is_secure = services_of(request).settings.console_url is not None
    Preferences(zone, form.one("letters") == "on").save(response, is_secure=is_secure)
    return response


async def show_keys(request: Request) -> Response:
    """Show the keyboard shortcuts."""
    return render_page(request, "keys", None, title="Keyboard shortcuts")


SETTINGS_PAGES: Final = (
    Page("/settings", show_settings, Role.VIEWER),
    Page("/settings", save_settings, Role.VIEWER, methods=("POST",)),
    Page("/keys", show_keys, Role.VIEWER),
)
