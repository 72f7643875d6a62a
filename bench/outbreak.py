"""A synthetic outbreak: one campaign in thousands of mailboxes.

Compares clawback with a script, and with one workflow per message.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from bench.contenders import Plan, Round, run_bare, run_clawback, run_script
from bench.report import CLAWBACK, Results, document, medians, table, wide_console, write_json
from clawback.simulator import parse_rate

LOOP, BULK, BARE = "script, one move per message", "script, 1,000 per move", "bare workflows"
Contender = Callable[[Plan], Awaitable[Round]]


async def compare(plan: Plan, rounds: int, *, loop: bool) -> Results:
    """Run clawback and the bulk script in turns; then, once each, the slow contenders.

    Those are the bare workflows and the script with one move per message.
    """
    often: dict[str, Contender] = {
        CLAWBACK: run_clawback,
        BULK: lambda plan: run_script(plan, "bulk"),
    }
    once: dict[str, Contender] = {BARE: run_bare} | (
        {LOOP: lambda plan: run_script(plan, "one")} if loop else {}
    )
    turns = [*often.items()] * rounds + [*once.items()]
    results: dict[str, list[Round]] = {name: [] for name in [*often, *once]}
    for name, contender in turns:
        say(f"{name}" + (f" ({_expected(plan)})" if name == LOOP else ""))
        one = await contender(plan)
        say(f"  {one.seconds:.1f} s, CPU {one.own.cpu:.1f} s")
        results[name].append(one)
    return results


def say(words: str) -> None:
    """Print progress to stderr."""
    typer.echo(words, err=True)


def notes(results: Results, plan: Plan) -> list[str]:
    """What a reader must know to compare the figures fairly."""
    own = results[CLAWBACK]
    waited = [one.detail["seconds_until_read"] for one in own]
    per_move = (medians(own)["requests"] or 0) / plan.messages
    size = f"{plan.messages:,} messages of one campaign; rate limit {plan.rate_limit}"
    interval = f"{plan.interval.total_seconds():g} s"
    until_poll = f"{min(waited):.1f} to {max(waited):.1f} s until its next poll (every {interval})"
    return [
        f"{size}; ratios to clawback in brackets.",
        f"The figures are medians of {len(own)} rounds; bare workflows and the loop ran once.",
        "The time of clawback starts when the messages can be found; of a script, when it starts.",
        f"The time of clawback includes {until_poll}.",
        f"clawback made {per_move:.4f} requests per moved message, including polls.",
        "It also requested a reclassification, blocked the sender and recorded every decision.",
        "The server columns are those of the Temporal server. Bare workflows call no API.",
    ]


def _expected(plan: Plan) -> str:
    rate = parse_rate(plan.rate_limit)
    blocks = plan.messages // rate.quota if rate else 0
    return (
        f"about {blocks * rate.seconds / 60:.0f} minutes, nearly all of them blocked"
        if rate and blocks
        else "no block expected"
    )


async def outbreak(  # noqa: PLR0913 - the options of a command
    *,
    messages: Annotated[
        int, typer.Option(help="How many mailboxes the campaign reaches.", min=1)
    ] = 5000,
    rounds: Annotated[
        int,
        typer.Option(help="Rounds of clawback and of the bulk script; the others run once.", min=1),
    ] = 3,
    loop: Annotated[
        bool,
        typer.Option(help="Also run the script with one move per message: 20 minutes for 5,000."),
    ] = True,
    rate_limit: Annotated[
        str, typer.Option(help="Rate limit of the API: N/SECONDS or off.")
    ] = "1200/300",
    interval: Annotated[
        int, typer.Option(help="Seconds between two polls of clawback.", min=1)
    ] = 5,
    seed: Annotated[
        int, typer.Option(help="Seed of the moment at which the outbreak arrives.")
    ] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Compare clawback with a script and with bare workflows."""
    plan = Plan(messages, rate_limit, timedelta(seconds=interval), Random(seed))  # noqa: S311 - reproducible on purpose
    results = await compare(plan, rounds, loop=loop)
    console = wide_console()
    console.print(table(results))
    for note in notes(results, plan):
        console.print(f"· {note}")
    about = {
        "messages": messages,
        "rate_limit": rate_limit,
        "interval_seconds": interval,
        "seed": seed,
    }
    write_json(document(results, about), json)
