"""A wrong verdict on thousands of good messages.

Measures how many mailboxes are touched before the cases are held, and what the undo costs.
"""

import asyncio
import json as json_
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from bench.report import environment_info, wide_console, write_json
from bench.stage import Responder, clawback, eventually
from clawback.cases import CaseState
from clawback.model.identity import OURSELVES
from clawback.simulator import outbreak
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.undo_decisions import UndoDecisions
from clawback.temporal.undo_gateway import UndoGateway, UndoSummary

_DECIDED = {CaseState.HELD, CaseState.SETTLED}
_WAIT = 3600.0


async def measure_containment(
    responder: Responder, mail: list[dict[str, Any]], campaigns: int
) -> dict[str, Any]:
    """Give the messages the verdict, and wait until every case is held or settled.

    The result says what was touched until then, and how long it took.
    """
    began = await responder.witness.inject(mail, stamp=True)
    states = await eventually(lambda: _states(responder, campaigns), every=1.0)
    changes = await responder.witness.changes()
    moves = [row for row in changes if row["operation"] == "move"]
    last = max((row["at"] for row in moves), default="")
    return {
        "mailboxes_touched": len({row["id"] for row in moves}),
        "senders_blocked": sum(row["operation"] == "create" for row in changes),
        "cases_held": states[CaseState.HELD],
        "cases_settled": states[CaseState.SETTLED],
        "last_move_at": last,
        "began_at": began.isoformat(),
        "requests": (await responder.witness.counts())["requests"],
    }


async def _states(responder: Responder, campaigns: int) -> Counter[str] | None:
    states = Counter(
        [
            line.state
            for line in await responder.cases.find(
                CaseFilter(rule="quarantine_bec"), limit=2 * campaigns
            )
        ]
    )
    return states if states.total() == campaigns and set(states) <= _DECIDED else None


async def measure_undo(responder: Responder) -> dict[str, Any]:
    """Run `clawback undo --since 1h` as a user would; measure what returned, time and requests.

    A second person agrees at once, because Cloudflare still calls the messages malicious.
    """
    before, began = (await responder.witness.counts())["requests"], monotonic()
    command = [
        sys.executable,
        "-c",
        "from clawback.cli import main; main()",
        "undo",
        "--since",
        "1h",
        "--yes",
        "--json",
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(responder),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), _WAIT)
    answer = await _agree(responder, json_.loads(said))
    changes = await responder.witness.changes()
    out = {
        row["id"] for row in changes if row["operation"] == "move" and row["destination"] != "Inbox"
    }
    back = Counter(
        row["id"] for row in changes if row["operation"] == "move" and row["destination"] == "Inbox"
    )
    return {
        "undo_seconds": round(monotonic() - began, 1),
        "undo_requests": (await responder.witness.counts())["requests"] - before,
        "returned_once": sum(times == 1 for times in back.values()),
        "not_returned": len(out - set(back)),
        "blocks_removed": sum(row["operation"] == "delete" for row in changes),
        "answer": answer,
    }


async def _agree(responder: Responder, answer: dict[str, Any]) -> dict[str, Any]:
    """Approve an undo that is held, and wait for its result."""
    if "held" not in answer:
        return answer

    client, undo = responder.cases.client, str(answer["undo"])
    digest = answer["held"]["assessment"]["digest"]
    await UndoDecisions(client).approve(undo, OURSELVES, digest)
    pages = await asyncio.wait_for(UndoGateway(client).result([f"{undo}/1"]), _WAIT)
    return UndoSummary.total(pages.require_all()).model_dump(mode="json")


def _environment(responder: Responder) -> Mapping[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_"))
    }
    return {**clean, **responder.server.environment}


def newsletters(campaigns: int, copies: int) -> Iterator[dict[str, Any]]:
    """Good mail of many senders that suddenly has the verdict `MALICIOUS-BEC`."""
    for number in range(campaigns):
        yield from outbreak(
            copies,
            number,
            disposition="MALICIOUS-BEC",
            sender=f"news{number}@partner{number}.example",
        )


async def poisoned(
    *,
    messages: Annotated[
        int, typer.Option(help="How many good messages get the verdict.", min=1)
    ] = 5000,
    campaigns: Annotated[int, typer.Option(help="How many senders they come from.", min=1)] = 250,
    interval: Annotated[
        int, typer.Option(help="Seconds between two polls of clawback.", min=1)
    ] = 5,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure how far a wrong verdict gets before it is held, and what taking it back costs."""
    copies = max(messages // campaigns, 1)
    typer.echo(
        f"{campaigns * copies:,} good messages of {campaigns} senders turn MALICIOUS-BEC", err=True
    )
    async with clawback("1200/300", timedelta(seconds=interval), guard="on") as responder:
        figures = await measure_containment(
            responder, list(newsletters(campaigns, copies)), campaigns
        )
        typer.echo("held; undoing", err=True)
        figures |= await measure_undo(responder)
    console = wide_console()
    for name, value in figures.items():
        console.print(f"{name.replace('_', ' '):20} {value}")
    write_json(
        {
            **environment_info(),
            "messages": campaigns * copies,
            "campaigns": campaigns,
            "interval_seconds": interval,
            **figures,
        },
        json,
    )
