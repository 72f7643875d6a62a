"""Decoys at the default settings, and how long they keep what matters in the inbox.

2,000 campaigns of forged senders set off a rule of level medium. A critical campaign to a protected
person arrives while they are worked through, and another one once every decoy is settled or held.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

from bench.contenders import moment
from bench.report import environment_info, wide_console, write_json
from bench.stage import RULES, Responder, clawback, eventually
from clawback.cases import CaseState
from clawback.simulator.synthetic import CAMPAIGN, SPACING, corpus_line, digest

_RULE = """\
title: Decoys
name: junk_decoys
id: 2c1d7d0e-52d1-4b7a-8f0e-0a4f7f3a9d21
status: stable
level: medium
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  selection: {final_disposition: SPAM, subject: Your parcel is waiting}
  condition: selection
response:
  mode: enforce
  actions:
    - move: {destination: JunkEmail}
tests:
  - name: a decoy
    event: {final_disposition: SPAM, subject: Your parcel is waiting}
    expect: match
  - name: other mail
    event: {final_disposition: SPAM, subject: Your parcel has arrived}
    expect: no match
"""
_EXECUTIVE = "ceo@corp.example"
_DECOY = replace(CAMPAIGN, disposition="SPAM", subject="Your parcel is waiting", reason=None)
_PATIENCE = 600.0


@contextmanager
def rules_with_decoys() -> Iterator[Path]:
    """Copy the shipped rules; add a rule of level medium, and a protected person."""
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        rules = Path(folder) / "rules"
        shutil.copytree(RULES, rules)
        (rules / "junk_decoys.yml").write_text(_RULE, encoding="utf-8")
        people = rules / "lists" / "protected_people.yml"
        people.write_text(f"values: [{_EXECUTIVE}]\n", encoding="utf-8")
        yield rules


def decoys(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Generate campaigns of one message each, from senders that anybody can forge."""
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    first = datetime.now(UTC) - SPACING * count
    for number in range(count):
        draft = replace(_DECOY, sender=f"info@parcel{number:05d}.test", authentication="fail")
        recipients = [f"user{number:05d}@corp.example"]
        yield corpus_line(draft, recipients, first + SPACING * number, random, digest(random))


async def _seconds_to_move(responder: Responder, seed: int) -> float:
    """Let a critical campaign to the protected person arrive; wait until it is moved."""
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    draft = replace(CAMPAIGN, sender=f"accounts@real{seed}.test")
    mail = corpus_line(draft, [_EXECUTIVE], datetime.now(UTC), random, digest(random))
    at = await responder.witness.inject([mail], stamp=True)

    async def moved() -> datetime | None:
        rows = await responder.witness.changes()
        found = (moment(one) for one in rows if one["id"] == mail["message"]["id"])
        return next(found, None)

    return round((await eventually(moved, _PATIENCE) - at).total_seconds(), 1)


async def measure(campaigns: int, interval: timedelta, rate: str, seed: int) -> dict[str, Any]:
    """Run one attack; return its figures."""
    with rules_with_decoys() as rules:
        async with clawback(rate, interval, guard="on", rules=rules) as responder:
            cases = responder.cases
            await responder.witness.inject(decoys(campaigns, seed), stamp=True)
            during = await _seconds_to_move(responder, seed + 1)

            async def is_over() -> bool | None:
                decided = await cases.count(CaseState.SETTLED) + await cases.count(CaseState.HELD)
                return True if decided >= campaigns + 1 else None

            await eventually(is_over, every=1.0)
            return {
                "decoys": campaigns,
                "held": await cases.count(CaseState.HELD),
                "settled": await cases.count(CaseState.SETTLED),
                "two_polls_seconds": 2 * interval.total_seconds(),
                "moved_while_decoys_arrive_seconds": during,
                "moved_after_decoys_seconds": await _seconds_to_move(responder, seed + 2),
            }


async def attack(
    *,
    campaigns: Annotated[int, typer.Option(help="How many decoys come at once.", min=1)] = 2000,
    interval: Annotated[int, typer.Option(help="Seconds between two polls.", min=1)] = 5,
    rate: Annotated[str, typer.Option(help="Rate limit of the API.")] = "1200/300",
    seed: Annotated[int, typer.Option(help="Seed of the mail.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure how long decoys delay what matters, with the guard at its defaults."""
    figures = await measure(campaigns, timedelta(seconds=interval), rate, seed)
    console = wide_console()
    for name, value in figures.items():
        console.print(f"{name.replace('_', ' '):36} {value}")
    write_json({**environment_info(), **figures}, json)
