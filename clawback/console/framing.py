"""Builds the frame of a page from the request: navigation, visitor, stop banner, freshness."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from clawback.console.access.who import Visitor
from clawback.console.requests.preferences import Preferences
from clawback.console.services import Services, services_of
from clawback.console.views.layout import Layout, NavigationLink, StopBanner
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import format_absolute
from clawback.model.identity import Role

_PAGES: Final = (
    ("Inbox", "/", "i"),
    ("History", "/history", "h"),
    ("Rules", "/rules", "r"),
    ("Operations", "/ops", "o"),
    ("Numbers", "/numbers", "n"),
)


def render_page(
    request: Request,
    template: str,
    view: object,
    *,
    title: str,
    status: int = 200,
    **frame: Any,
) -> HTMLResponse:
    """Render a page within its frame; `frame` are further fields of the layout."""
    services = services_of(request)
    layout = build_layout(request, title, **frame)
    return services.renderer.render(template, layout, view, status=status)


def build_layout(request: Request, title: str, **frame: Any) -> Layout:
    """Build the frame of a page."""
    services = services_of(request)
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    preferences = Preferences.of(request)
    fields: dict[str, Any] = {
        "title": title,
        "nonce": request.state.nonce,
        "files": services.files.paths,
        "zone": preferences.zone.key,
        "has_letter_keys": preferences.has_letter_keys,
        "returns_to": request.url.path,
    }
    if visitor is not None:
        fields |= {
            "csrf": visitor.csrf,
            "session_seconds": _seconds_left(visitor, services),
            "who": show_mail_text(visitor.identity.label),
            "role": visitor.role or "no role",
            "navigation": _navigation(services, request.url.path),
            "stop": _stop_banner(services, visitor, preferences),
            "may_stop": visitor.may(Role.ANALYST),
        }
    return Layout(**{**fields, **frame})


def _seconds_left(visitor: Visitor, services: Services) -> int:
    if visitor.ends_at is None:
        return 0
    return max(int((visitor.ends_at - services.now()).total_seconds()), 1)


def _navigation(services: Services, path: str) -> tuple[NavigationLink, ...]:
    held = services.read_model.totals.held
    return tuple(
        NavigationLink(
            title=title,
            path=target,
            key=key,
            is_current=path == target or (target != "/" and path.startswith(f"{target}/")),
            count=f"{held:,} held" if target == "/" else "",
        )
        for title, target, key in _PAGES
    )


def _stop_banner(
    services: Services, visitor: Visitor, preferences: Preferences
) -> StopBanner | None:
    is_stopped = services.containment.is_stopped
    if is_stopped is None:
        return StopBanner("It is not known whether containment is stopped.", is_unknown=True)
    if not is_stopped:
        return None

    waiting = services.read_model.totals.held
    text = "Containment is stopped"
    if (stop := services.containment.stop) is not None:
        why = f": “{show_mail_text(stop.reason)}”" if stop.reason else ""
        since = format_absolute(stop.at, preferences.zone)
        text += f" since {since} by {show_mail_text(stop.by)}{why}"
    return StopBanner(f"{text} · {waiting:,} held", may_resume=visitor.may(Role.OPERATOR))
