"""`clawback doctor`: how this installation stands, matter by matter, and what to do about what is wrong."""

import asyncio
import sys
from collections import Counter
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, say, working
from clawback.doctor import CheckStatus, Finding, examine

_COLOURS = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.PROBLEM: "red"}
_WIDE = 200


def doctor(*, as_json: AsJson = False) -> int:
    """Look at settings, rules, Temporal, worker, audit, disk and Cloudflare, and say what to do.

    Exit code 1 if there is a problem.
    """
    with working("Looking"):
        findings = asyncio.run(examine())
    healthy = all(one.verdict is not CheckStatus.PROBLEM for one in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [asdict(one) for one in findings]})
    else:
        _show(findings)
        say(_summary(findings))
    return ExitCode.OK if healthy else ExitCode.NO


def _show(findings: list[Finding]) -> None:
    table = Table(
        "check", "", "found, and what to do", box=None, pad_edge=False, header_style="bold"
    )
    table.columns[2].overflow = "fold"
    for one in findings:
        said = Text(one.found)
        if one.remedy:
            said.append(
                f"\n→ {one.remedy}", style="bold" if one.verdict is not CheckStatus.OK else "dim"
            )
        table.add_row(one.check, Text(one.verdict, style=_COLOURS[one.verdict]), said)
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(table)


def _summary(findings: list[Finding]) -> str:
    counts = Counter(one.verdict for one in findings)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in CheckStatus)
