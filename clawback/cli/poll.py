"""`clawback poll`: where the pollers stand, and how to steer them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer
from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_table, working
from clawback.cli.temporal_access import call_temporal
from clawback.cli.time_arguments import parse_time_argument
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

app = typer.Typer(no_args_is_help=True, help="See where the pollers stand, and steer them.")

Source = Annotated[
    EventKind | None,
    typer.Argument(help="The source; all of them unless told.", show_default=False),
]


@app.command()
def status(source: Source = None, *, as_json: AsJson = False) -> int:
    """Show where each poller stands."""
    return _each(source, lambda pollers, one: pollers.status(one), as_json=as_json)


@app.command()
def now(source: Source = None, *, as_json: AsJson = False) -> int:
    """Poll at once, and wait until all there is has been read."""
    with working("Polling"):
        return _each(source, lambda pollers, one: pollers.poll_now(one), as_json=as_json)


@app.command()
def pause(
    source: Source = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; shown in the status.")] = "paused",
    as_json: AsJson = False,
) -> int:
    """Stop polling until it is resumed."""
    return _each(source, lambda pollers, one: pollers.pause(one, reason), as_json=as_json)


@app.command()
def resume(source: Source = None, *, as_json: AsJson = False) -> int:
    """Go on polling."""
    return _each(source, lambda pollers, one: pollers.resume(one), as_json=as_json)


@app.command()
def rewind(
    to: Annotated[str, typer.Argument(help="A time (2026-11-22T09:00:00Z) or how long ago (6h).")],
    source: Source = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Read again from a moment on; what was dealt with is recognised."""
    at = parse_time_argument(to, "TO")
    return _each(source, lambda pollers, one: pollers.rewind(one, at), as_json=as_json)


def _each(
    source: EventKind | None,
    question: Callable[[PollerGateway, EventKind], Awaitable[PollerStatus]],
    *,
    as_json: bool,
) -> int:
    async def answers(client: Client) -> list[PollerStatus]:
        found = []
        for one in [source] if source else list(EventKind):
            try:
                found.append(await question(PollerGateway(client), one))
            except NoSuchWorkflow:
                if source:
                    raise
        return found

    found = call_temporal(answers)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    else:
        print_table(
            tuple(_row(found[0])) if found else (),
            [_row(one) for one in found],
            "No poller was ever started here.",
        )
    return ExitCode.OK if found else ExitCode.NO


def _row(one: PollerStatus) -> dict[str, Any]:
    read_to = f"{one.cursor:%Y-%m-%d %H:%M:%S}"
    return {
        "source": one.source,
        "state": one.state,
        "read to": read_to,
        "seen": one.seen,
        "matched": one.matched,
        "rejected": one.rejected,
        "": one.detail,
    }
