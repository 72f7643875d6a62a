"""The body of `clawback simulate` and of `python -m clawback.simulator`.

Options in, a server until it is told to stop.
"""

import asyncio
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from clawback.simulator.corpus import CorpusError, Line, parse_line, read_corpus
from clawback.simulator.demo import demo_corpus
from clawback.simulator.faults import parse_faults
from clawback.simulator.mail_stream import parse_drip
from clawback.simulator.options import (
    BodyForm,
    MoveIdentity,
    Order,
    ReviewVerdict,
    Scope,
    Shape,
    SimulatorOptions,
)
from clawback.simulator.rate_limit import parse_rate
from clawback.simulator.service import PortTaken, Simulator

REFUSED = 2
"""The exit code for options that cannot be used, as for any wrong usage."""
UNAVAILABLE = 3
"""The exit code where the machine is in the way: a taken port, a corpus that cannot be read."""


@dataclass(frozen=True, slots=True)
class _Plan:
    options: SimulatorOptions
    host: str
    port: int
    corpora: list[Path] = field(default_factory=list)
    every: timedelta | None = None


def simulate(  # noqa: PLR0913
    *,
    port: Annotated[
        int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8089,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="A corpus to load, .jsonl or .jsonl.gz; may be given again."),
    ] = None,
    rate_limit: Annotated[
        str, typer.Option(help="Requests per window and token, N/SECONDS, or off.")
    ] = "1200/300",
    faults: Annotated[
        str, typer.Option(help="Faults with rates, such as 429=0.05,lost_answer=0.02,slow=0.1:2.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The seed of the faults.")] = 0,
    drip: Annotated[
        str | None,
        typer.Option(help="Let the corpus (or the demo) keep arriving as new mail, N/SECONDS."),
    ] = None,
    order: Annotated[Order, typer.Option(help="The order of search results.")] = Order.NEWEST,
    shape: Annotated[Shape, typer.Option(help="The generation of field names.")] = Shape.NEW,
    move_identity: Annotated[
        MoveIdentity, typer.Option(help="What message_id means in the answer to a move.")
    ] = MoveIdentity.INVESTIGATE,
    token: Annotated[
        list[str] | None,
        typer.Option(help="A token to accept, TOKEN[:write|read|none]; default is any."),
    ] = None,
    release_body: Annotated[
        BodyForm, typer.Option(help="Which body a release accepts.")
    ] = BodyForm.EITHER,
    preview_body: Annotated[
        BodyForm, typer.Option(help="Which body a request for a preview accepts.")
    ] = BodyForm.EITHER,
    verdict: Annotated[
        ReviewVerdict, typer.Option(help="What becomes of submissions.")
    ] = ReviewVerdict.ACCEPTED,
    page_reports: Annotated[
        bool, typer.Option(help="Page PhishGuard reports, or ignore page and per_page.")
    ] = True,
    refuse_duplicates: Annotated[
        bool, typer.Option(help="Answer 409 to a second equal policy.")
    ] = False,
) -> None:
    """Run an Email Security API in memory, with faults and a ledger."""
    try:
        options = SimulatorOptions(
            rate=parse_rate(rate_limit),
            faults=parse_faults(faults),
            seed=seed,
            order=order,
            shape=shape,
            move_identity=move_identity,
            tokens=_tokens(token or ()),
            release_body=release_body,
            preview_body=preview_body,
            verdict=verdict,
            page_reports=page_reports,
            refuse_duplicates=refuse_duplicates,
        )
        plan = _Plan(options, host, port, corpus or [], parse_drip(drip) if drip else None)
    except ValueError as error:
        raise _failure(error, REFUSED) from None
    try:
        asyncio.run(_run(plan))
    except (PortTaken, CorpusError) as error:
        raise _failure(error, UNAVAILABLE) from None


async def _run(plan: _Plan) -> None:
    """Serve until SIGINT or SIGTERM."""
    simulator = Simulator(plan.options)
    dripping = _dripping(plan) if plan.every else []
    loaded = 0 if plan.every else simulator.load(*plan.corpora)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with simulator.serve(plan.port, plan.host, dripping=dripping, every=plan.every) as url:
        typer.echo(_greeting(plan, url, len(dripping) if plan.every else loaded))
        await stopping.wait()


def _dripping(plan: _Plan) -> list[Line]:
    """What keeps arriving: the corpora, or without any the demo."""
    if not plan.corpora:
        return [parse_line(line) for line in demo_corpus(plan.options.seed)]
    return [line for path in plan.corpora for line in read_corpus(path)]


def _greeting(plan: _Plan, url: str, records: int) -> str:
    rate = plan.options.rate
    limit = f"{rate.quota} requests in {rate.seconds:g} s" if rate else "no limit"
    mail = (
        f"{records} records, one every {plan.every.total_seconds():g} s"
        if plan.every
        else f"{records} records"
    )
    return (
        f"The Email Security simulator is at {url} ({mail}; {limit}; faults: {str(plan.options.faults) or 'none'}).\n"
        f"Its controls are at {url.partition('/client')[0]}/_sim/ (ledger, requests, state). Ctrl-C stops it."
    )


def _tokens(values: Iterable[str]) -> dict[str, Scope]:
    tokens = {}
    for value in values:
        token, _, scope = value.partition(":")
        if not token or scope not in ("", *Scope):
            raise ValueError(
                f"{value[:40]!r} is not a token: write TOKEN, TOKEN:read or TOKEN:none"
            )
        tokens[token] = Scope(scope or Scope.WRITE)
    return tokens


def _failure(error: Exception, code: int) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(code)
