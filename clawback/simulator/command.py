"""`clawback simulate` and `python -m clawback.simulator`: serve until SIGINT or SIGTERM."""

import asyncio
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from clawback.simulator import field_checks
from clawback.simulator.corpus import CorpusError, Line, parse_line, read_corpus
from clawback.simulator.demo import demo_corpus
from clawback.simulator.faults import FAULT_TYPES, parse_faults
from clawback.simulator.mail_stream import parse_interval
from clawback.simulator.options import (
    BodyForm,
    MoveIdentity,
    Order,
    ReviewVerdict,
    Shape,
    SimulatorOptions,
    TokenScope,
)
from clawback.simulator.own_domains import own_domains
from clawback.simulator.rate_limit import parse_rate
from clawback.simulator.service import PortUnavailable, Simulator

USAGE_ERROR = 2
"""Exit code for invalid options."""
UNAVAILABLE = 3
"""Exit code if the port is taken or a corpus cannot be read."""


@dataclass(frozen=True, slots=True)
class _Plan:
    options: SimulatorOptions
    host: str
    port: int
    corpora: list[Path] = field(default_factory=list)
    interval: timedelta | None = None
    domains: list[str] = field(default_factory=list)


_Port = Annotated[
    int, typer.Option(help="Port to listen on; 0 selects a free port.", min=0, max=65535)
]
_Host = Annotated[str, typer.Option(help="Address to listen on.")]
_Corpora = Annotated[
    list[Path] | None, typer.Option(help="Corpus to load, .jsonl or .jsonl.gz. Repeatable.")
]
_Domains = Annotated[
    list[str] | None,
    typer.Option(
        help="Domain of the account. Repeatable. Default: each that a tenth of the corpus went to."
    ),
]
_RateLimit = Annotated[
    str, typer.Option(help="Requests per window and token, N/SECONDS, or `off`.")
]
_Faults = Annotated[
    str,
    typer.Option(
        help=f"Faults and rates, such as 429=0.05,slow=0.1:2. Faults: {', '.join(FAULT_TYPES)}."
    ),
]
_Seed = Annotated[int, typer.Option(help="Seed of the faults.")]
_Drip = Annotated[
    str | None,
    typer.Option(help="Stream the corpus (or the demo) endlessly as new mail, N/SECONDS."),
]
_Order = Annotated[Order, typer.Option(help="Order of search results.")]
_Shape = Annotated[Shape, typer.Option(help="Generation of field names in responses.")]
_MoveIdentity = Annotated[
    MoveIdentity, typer.Option(help="What message_id means in the response to a move.")
]
_Tokens = Annotated[
    list[str] | None,
    typer.Option(help="Token to accept, TOKEN[:write|read|none]. Repeatable. Default: any token."),
]
_ReleaseBody = Annotated[BodyForm, typer.Option(help="Request body that a release accepts.")]
_PreviewBody = Annotated[BodyForm, typer.Option(help="Request body that a preview accepts.")]
_Verdict = Annotated[ReviewVerdict, typer.Option(help="How submissions are decided.")]
_PageReports = Annotated[
    bool, typer.Option(help="Page PhishGuard reports, or ignore page and per_page.")
]
_RefuseDuplicates = Annotated[bool, typer.Option(help="Respond to a duplicate policy with 409.")]


def simulate(  # noqa: PLR0913 - the options of a command
    *,
    port: _Port = 8089,
    host: _Host = "127.0.0.1",
    corpus: _Corpora = None,
    domain: _Domains = None,
    rate_limit: _RateLimit = "1200/300",
    faults: _Faults = "",
    seed: _Seed = 0,
    drip: _Drip = None,
    order: _Order = Order.NEWEST,
    shape: _Shape = Shape.NEW,
    move_identity: _MoveIdentity = MoveIdentity.INVESTIGATE,
    token: _Tokens = None,
    release_body: _ReleaseBody = BodyForm.EITHER,
    preview_body: _PreviewBody = BodyForm.EITHER,
    verdict: _Verdict = ReviewVerdict.ACCEPTED,
    page_reports: _PageReports = True,
    refuse_duplicates: _RefuseDuplicates = False,
) -> None:
    """Run a simulated Email Security API, with faults and a ledger."""
    try:
        options = SimulatorOptions(
            rate=parse_rate(rate_limit),
            faults=parse_faults(faults),
            seed=seed,
            order=order,
            shape=shape,
            move_identity=move_identity,
            tokens=_parse_tokens(token or ()),
            release_body=release_body,
            preview_body=preview_body,
            verdict=verdict,
            page_reports=page_reports,
            refuse_duplicates=refuse_duplicates,
        )
        _check_domains(domain or [])
        interval = parse_interval(drip) if drip else None
        plan = _Plan(options, host, port, corpus or [], interval, domain or [])
    except ValueError as error:
        raise _exit(error, USAGE_ERROR) from None

    try:
        asyncio.run(_run(plan))
    except (PortUnavailable, CorpusError) as error:
        raise _exit(error, UNAVAILABLE) from None


async def _run(plan: _Plan) -> None:
    simulator = Simulator(plan.options)
    lines = _read_lines(plan)
    for domain in plan.domains or own_domains(lines):
        simulator.add_domain(domain, "Microsoft")

    stream = lines if plan.interval else []
    if not plan.interval:
        simulator.account.add(lines)
    stopping = asyncio.Event()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async with simulator.serve(plan.port, plan.host, stream=stream, interval=plan.interval) as url:
        typer.echo(_describe(plan, url, len(lines)))
        await stopping.wait()


def _read_lines(plan: _Plan) -> list[Line]:
    """Read the corpora; what keeps arriving is by default the demo."""
    if plan.interval and not plan.corpora:
        return [parse_line(line) for line in demo_corpus(plan.options.seed)]
    return [line for path in plan.corpora for line in read_corpus(path)]


def _describe(plan: _Plan, url: str, records: int) -> str:
    rate = plan.options.rate
    limit = f"{rate.quota} requests in {rate.seconds:g} s" if rate else "no limit"
    mail = (
        f"{records} records, one every {plan.interval.total_seconds():g} s"
        if plan.interval
        else f"{records} records"
    )

    return (
        f"The Email Security simulator is at {url} "
        f"({mail}; {limit}; faults: {str(plan.options.faults) or 'none'}).\n"
        f"Its controls are at {url.partition('/client')[0]}/_sim/ (ledger, requests, state). "
        "Press Ctrl-C to stop."
    )


def _check_domains(names: Iterable[str]) -> None:
    for name in names:
        if (problem := field_checks.domain(name)) is not None:
            raise ValueError(f"--domain {name[:80]!r} {problem}")


def _parse_tokens(values: Iterable[str]) -> dict[str, TokenScope]:
    tokens = {}
    for value in values:
        token, _, scope = value.partition(":")
        if not token or scope not in ("", *TokenScope):
            raise ValueError(
                f"invalid token {value[:40]!r}; expected TOKEN, TOKEN:read or TOKEN:none"
            )
        tokens[token] = TokenScope(scope or TokenScope.WRITE)

    return tokens


def _exit(error: Exception, code: int) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(code)
