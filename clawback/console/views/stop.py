"""The kill switch: what it would do, whether it is on, and what resuming would set off."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from clawback.cases import CaseState
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import format_absolute
from clawback.guard import Stop
from clawback.model.texts import plural
from clawback.temporal.kill_switch import LEASE

MOST_LISTED: Final = 20
_MARGIN: Final = timedelta(milliseconds=200)


class SwitchState(StrEnum):
    """What is known of the kill switch."""

    RUNNING = "running"
    STOPPING = "stopping"
    """It is on, and a worker may still act on its last look at it."""
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    UNCONFIRMED = "unconfirmed"
    """Somebody ordered to stop, and nobody has confirmed it."""


@dataclass(frozen=True)
class WaitingCase:
    """A case that acts as soon as containment resumes."""

    path: str
    title: str
    subject: str
    does: str


@dataclass(frozen=True)
class StopView:
    """The page. `state` is a `SwitchState`; `refresh_path` is read again while it may change."""

    state: str
    headline: str
    detail: str
    now: str
    refresh_path: str
    is_pending: bool
    is_stopped: bool
    may_resume: bool
    needs_sign_in: bool
    acts_now: tuple[WaitingCase, ...]
    more: str
    effects: tuple[str, ...]


def find_state(
    is_stopped: bool | None,  # noqa: FBT001 - a value, not a switch
    stop: Stop | None,
    now: datetime,
    *,
    is_asked: bool,
) -> SwitchState:
    """Find what may be said of the kill switch: "stopped" only once no worker can act."""
    if is_stopped:
        is_leased = stop is not None and now < stop.at + LEASE + _MARGIN
        return SwitchState.STOPPING if is_leased else SwitchState.STOPPED
    if is_asked:
        return SwitchState.UNCONFIRMED
    return SwitchState.UNKNOWN if is_stopped is None else SwitchState.RUNNING


def build_stop(  # noqa: PLR0913 - what the page shows
    state: SwitchState,
    stop: Stop | None,
    cases: Iterable[ListedCase],
    *,
    undos: int | None,
    zone: ZoneInfo,
    refresh_path: str,
    may_resume: bool,
    needs_sign_in: bool,
) -> StopView:
    """Build the view; `undos` counts the undos that run, None if the server does not say."""
    known = list(cases)
    held = sum(case.state == CaseState.HELD for case in known)
    acting = sorted(
        (case for case in known if case.state == CaseState.RESPONDING),
        key=lambda case: case.opened_at,
    )
    is_stopped = state in {SwitchState.STOPPED, SwitchState.STOPPING}
    return StopView(
        state=state,
        headline=_HEADLINES[state],
        detail=_describe(state, stop, zone),
        now=_count(len(acting), held, undos),
        refresh_path=refresh_path,
        is_pending=state in {SwitchState.STOPPING, SwitchState.UNCONFIRMED},
        is_stopped=is_stopped,
        may_resume=may_resume and is_stopped,
        needs_sign_in=needs_sign_in,
        acts_now=tuple(map(_build_waiting, acting[:MOST_LISTED])),
        more=f"and {len(acting) - MOST_LISTED:,} more" if len(acting) > MOST_LISTED else "",
        effects=_effects(acting, held),
    )


_HEADLINES: Final = {
    SwitchState.RUNNING: "Containment is running",
    SwitchState.STOPPING: "Stopping",
    SwitchState.STOPPED: "Containment is stopped",
    SwitchState.UNKNOWN: "Not known whether containment is stopped",
    SwitchState.UNCONFIRMED: "Not confirmed yet. Treat it as running.",
}


def _describe(state: SwitchState, stop: Stop | None, zone: ZoneInfo) -> str:
    match state:
        case SwitchState.UNCONFIRMED:
            return (
                "You asked to stop, and the guard has not answered. The order is repeated for ten "
                "minutes by the console that took it; if this page does not change, order it "
                "again, or stop the workers."
            )
        case SwitchState.UNKNOWN:
            return "The guard has not answered for 15 seconds. Treat containment as running."
        case SwitchState.RUNNING:
            return "Rules act within their mode and budgets."
        case SwitchState.STOPPING:
            return "The kill switch is on. Requests under way may still leave for three seconds."
        case SwitchState.STOPPED:
            return f"{_describe_stop(stop, zone)} No further change leaves any worker."


def _describe_stop(stop: Stop | None, zone: ZoneInfo) -> str:
    if stop is None:
        return "Nobody can say now who stopped it, or the guard was lost."
    why = f": “{show_mail_text(stop.reason)}”" if stop.reason else ""
    return f"Stopped at {format_absolute(stop.at, zone)} by {show_mail_text(stop.by)}{why}."


def _count(acting: int, held: int, undos: int | None) -> str:
    running = "undo unknown" if undos is None else f"{plural(undos, 'undo')} running"
    return f"{plural(acting, 'case')} responding, {held:,} held, {running}."


def _effects(acting: Sequence[ListedCase], held: int) -> tuple[str, ...]:
    messages = sum(case.messages for case in acting)
    at_once = f"{plural(len(acting), 'case')} with {plural(messages, 'message')} act at once"
    return (
        f"{at_once}, within the budgets." if acting else "No case waits to act.",
        f"{held:,} held {'case stays' if held == 1 else 'cases stay'} held: people decide them.",
        "New matches act as their rules say.",
    )


def _build_waiting(case: ListedCase) -> WaitingCase:
    return WaitingCase(
        path=case.path,
        title=f"{case.rule} {case.short_id}",
        subject=show_mail_text(case.subject) or "(no subject)",
        does=f"{plural(case.messages, 'message')}: {', '.join(case.proposes) or 'its response'}",
    )
