"""The commands of `clawback poll`: each makes one call for one poller or for all."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from temporalio.client import Client

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.arguments import parse_time_argument
from clawback.cli.exits import ExitCode
from clawback.cli.output import (
    AsJson,
    print_error,
    print_json,
    print_table,
    print_text,
    show_progress,
)
from clawback.cli.temporal_access import call_temporal
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.model.orders import Verb
from clawback.model.polling import PollerStatus
from clawback.temporal.fan_out import Answers, call_each
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

Source = Annotated[
    EventKind | None,
    typer.Argument(help="Source of events; default all.", show_default=False),
]
_COLUMNS = (
    "source",
    "state",
    "live to",
    "mail",
    "backlog",
    "seen",
    "matched",
    "rejected",
    "set aside",
    "detail",
)
_DROP_FIRST = ("mail", "set aside", "rejected", "matched", "seen")


def status(source: Source = None, *, as_json: AsJson = False) -> int:
    """Show how far each poller has read, and its backlog.

    The backlog is read in parallel; `until` is when it will be done at the current rate.
    Exit code 1 if a poller does not answer; the others are shown.
    """
    return _call(source, lambda pollers, one: pollers.status(one), as_json=as_json)


def now(source: Source = None, *, as_json: AsJson = False) -> int:
    """Poll now and wait until all new mail has been read.

    A backlog continues in parallel.
    """
    with show_progress("Polling"):
        return _call(source, lambda pollers, one: pollers.poll_now(one), as_json=as_json)


def pause(
    source: Source = None,
    *,
    by: By = "",
    reason: Annotated[
        str, typer.Option(help="Reason, shown in the status and recorded in the audit.")
    ] = "paused",
    as_json: AsJson = False,
) -> int:
    """Stop polling until `poll resume`."""
    actor = require_actor(Verb.PAUSE_POLLING, by)
    return _call(source, lambda pollers, one: pollers.pause(one, actor, reason), as_json=as_json)


def resume(
    source: Source = None, *, by: By = "", reason: Reason = "", as_json: AsJson = False
) -> int:
    """Resume polling after `poll pause`."""
    actor = require_actor(Verb.RESUME_POLLING, by)
    return _call(source, lambda pollers, one: pollers.resume(one, actor, reason), as_json=as_json)


def rewind(
    to: Annotated[str, typer.Argument(help="Time (2026-11-22T09:00:00Z) or age (6h).")],
    source: Source = None,
    *,
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Read again from a point in time.

    Nothing that was already done is repeated.
    """
    at = parse_time_argument(to, "TO")
    actor = require_actor(Verb.REWIND_POLLING, by)
    return _call(
        source, lambda pollers, one: pollers.rewind(one, at, actor, reason), as_json=as_json
    )


def _call(
    source: EventKind | None,
    call: Callable[[PollerGateway, EventKind], Awaitable[PollerStatus]],
    *,
    as_json: bool,
) -> int:
    async def call_all(client: Client) -> Answers[PollerStatus]:
        pollers = PollerGateway(client)
        sources = [source] if source else list(EventKind)
        answers = await call_each(lambda one: call(pollers, EventKind(one)), sources)
        if source is None:
            answers = answers.without(NoSuchWorkflow)
        answers.require_any()
        return answers

    answers = call_temporal(call_all)
    found = list(answers.given.values())
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        print_table(_COLUMNS, [_row(one) for one in found], drop_first=_DROP_FIRST)
    else:
        print_text("No poller has ever run here.")

    for one, why in answers.unanswered.items():
        print_error(f"the poller of {one}: {why}")

    return ExitCode.OK if found and not answers.errors else ExitCode.NO


def _row(one: PollerStatus) -> tuple[str, ...]:
    counts = map(str, (one.seen, one.matched, one.rejected, one.set_aside))
    live = f"{one.cursor:%Y-%m-%d %H:%M:%S}"
    mail = {None: "", True: "detections", False: "all"}[one.detections_only]
    return (one.source, one.state, live, mail, _describe_backlog(one), *counts, one.detail or "")


def _describe_backlog(one: PollerStatus) -> str:
    if not one.backlog or one.backlog_from is None:
        return "none"
    text = f"{format_duration(one.backlog)} from {one.backlog_from:%Y-%m-%d %H:%M}"
    return f"{text}, until {one.backlog_until:%H:%M}" if one.backlog_until else text
