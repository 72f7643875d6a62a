"""What `clawback up` shows: a live view, lines of text, or JSON events where nobody watches."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, Protocol

import structlog
from rich.console import Console
from rich.live import Live

from clawback.local import Status, StatusCollector, format_status_line, render_status
from clawback.model.loggable import LoggableText
from clawback.settings import Settings
from clawback.telemetry.logs import configure_logging, is_json

_LIVE_EVERY, _PLAIN_EVERY = 1.0, 5.0
_EVENT_EVERY = 60.0
"""Seconds between two events about the status; a process that dies, or the kill switch, has one at
once."""
SIGN_IN = "sign in"
"""The name of the location that signs a browser in: whoever reads a log must not get it."""
Locations = Callable[[], Mapping[str, str]]

log = structlog.get_logger("clawback")


class UpOutput(Protocol):
    """Tells people, or the log of a service, what goes on."""

    def say(self, event: str, text: str) -> None:
        """Say one thing: the name of its event, and a sentence."""

    def starting(self) -> AbstractContextManager[object]:
        """Show that processes start until the block is left."""

    async def show(self, collector: StatusCollector, headline: str, locations: Locations) -> None:
        """Show the status until cancelled."""


def choose_output(settings: Settings, *, plain: bool) -> UpOutput:
    """Choose JSON if the log format says so, or where stdout is no terminal; `plain` never."""
    if not plain and is_json(settings.log_format, sys.stdout):
        configure_logging("json", settings.log_level, sys.stdout)
        return EventOutput()
    return TextOutput(plain=plain)


class TextOutput:
    """For people: a live view on a terminal, lines elsewhere."""

    def __init__(self, *, plain: bool) -> None:
        self._console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._is_live = self._console.is_terminal and not plain

    def say(self, event: str, text: str) -> None:  # noqa: ARG002 - for people the sentence is all
        """Print a sentence."""
        self._console.print(text)

    def starting(self) -> AbstractContextManager[object]:
        """Show that processes start until the block is left."""
        return self._console.status("Starting …")

    async def show(self, collector: StatusCollector, headline: str, locations: Locations) -> None:
        """Show the status until cancelled."""
        if self._is_live:
            return await self._show_live(collector, headline, locations)
        for name, location in locations().items():
            self._console.print(f"{name}: {location}")
        while True:
            status = await collector.collect()
            self._console.print(
                f"{datetime.now().astimezone():%H:%M:%S} {format_status_line(status)}"
            )
            await asyncio.sleep(_PLAIN_EVERY)

    async def _show_live(
        self, collector: StatusCollector, headline: str, locations: Locations
    ) -> None:
        with Live(console=self._console, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                status = await collector.collect()
                live.update(render_status(status, headline, locations()), refresh=True)
                await asyncio.sleep(_LIVE_EVERY)


class EventOutput:
    """For the log of a service: JSON lines, one for what changes and one a minute."""

    def say(self, event: str, text: str) -> None:
        """Log an event."""
        log.info(event, detail=LoggableText(text))

    def starting(self) -> AbstractContextManager[object]:
        """Nothing moves in a log."""
        return nullcontext()

    async def show(self, collector: StatusCollector, headline: str, locations: Locations) -> None:  # noqa: ARG002 - the first event has it
        """Log the status until cancelled."""
        places = {name: place for name, place in locations().items() if name != SIGN_IN}
        log.info(
            "up.started",
            **{name.lower().replace(" ", "_"): LoggableText(at) for name, at in places.items()},
        )
        shown: object = None
        due = 0.0
        while True:
            status = await collector.collect()
            if (state := _state(status)) != shown or time.monotonic() >= due:
                log.info("up.status", **state, **_counts(status))
                shown, due = state, time.monotonic() + _EVENT_EVERY
            await asyncio.sleep(_PLAIN_EVERY)


def _state(status: Status) -> dict[str, Any]:
    """What is logged as soon as it changes."""
    return {
        "stopped": status.is_stopped,
        "processes": {one.name: LoggableText(one.state) for one in status.processes},
        "restarts": sum(one.restarts for one in status.processes),
    }


def _counts(status: Status) -> dict[str, Any]:
    return {
        "seen": status.seen,
        "cases": dict(status.cases),
        "text": LoggableText(format_status_line(status)),
    }
