"""`/ops/installations`: the other installations of this machine, their consoles and health."""

import asyncio
from dataclasses import dataclass
from typing import Final
from urllib.error import HTTPError

from starlette.requests import Request
from starlette.responses import Response

from clawback.console.framing import render_page
from clawback.console.page_routes import Page
from clawback.console.requests.query import read_query
from clawback.console.services import services_of
from clawback.console.views.mail_text import show_mail_text
from clawback.installations import NamedInstallation, list_installations
from clawback.local import fetch
from clawback.model.identity import Role
from clawback.settings import Settings

_TIMEOUT: Final = 2.0
_LONGEST: Final = 300


@dataclass(frozen=True)
class InstallationRow:
    """One installation: its console, and whether its worker is well."""

    name: str
    console: str
    health: str
    tone: str
    is_this: bool


@dataclass(frozen=True)
class InstallationsView:
    """The installations of this machine, by name."""

    rows: tuple[InstallationRow, ...]


async def show_installations(request: Request) -> Response:
    """List them; each worker is asked for its health, for two seconds."""
    read_query(request, frozenset())
    settings = services_of(request).settings
    found = siblings_of(settings)
    health = await asyncio.gather(*(asyncio.to_thread(read_health, one) for one in found))
    rows = tuple(
        InstallationRow(
            name=one.name,
            console=_console_of(one),
            health=show_mail_text(problem or "healthy", _LONGEST),
            tone="danger-text" if problem else "good-text",
            is_this=one.name == settings.installation,
        )
        for one, problem in zip(found, health, strict=True)
    )
    return render_page(
        request,
        "installations",
        InstallationsView(rows),
        title="Installations",
        command="clawback --installation NAME doctor",
    )


def siblings_of(settings: Settings) -> list[NamedInstallation]:
    """List the installations beside this one, itself included; none if it has no name."""
    folder = settings.state.absolute().parent
    is_named = bool(settings.installation) and folder.name == "installations"
    return list_installations(folder.parent) if is_named else []


def read_health(one: NamedInstallation) -> str | None:
    """Ask the worker of an installation on this machine; return what is wrong, or None."""
    url = f"http://{one.settings()['CLAWBACK_METRICS']}/healthz"
    try:
        fetch(url, timeout=_TIMEOUT)
    except HTTPError as error:
        return error.read(_LONGEST).decode(errors="replace").strip()
    except (OSError, ValueError):
        return "its worker does not answer"
    return None


def _console_of(one: NamedInstallation) -> str:
    settings = one.settings()
    return settings.get("CLAWBACK_CONSOLE_URL") or f"http://{settings['CLAWBACK_CONSOLE']}"


INSTALLATION_PAGES: Final = (Page("/ops/installations", show_installations, Role.VIEWER),)
