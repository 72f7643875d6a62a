"""`clawback doctor`: health checks of this installation, with remedies."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_table, print_text, show_progress
from clawback.doctor import CheckStatus, Finding, run_checks
from clawback.model.texts import plural

_COLUMNS = ("check", "status", "finding and remedy")
_STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.PROBLEM: "red",
    "→": "bold",
}


def doctor(*, as_json: AsJson = False) -> int:
    """Check the health of this installation and print remedies.

    It checks settings, rules, Temporal, worker, audit, disk and Cloudflare.

    Exit code 1 if there is a problem.
    """
    with show_progress("Checking"):
        findings = asyncio.run(run_checks())

    is_healthy = all(one.status is not CheckStatus.PROBLEM for one in findings)

    if as_json:
        print_json({"healthy": is_healthy, "findings": [asdict(one) for one in findings]})
    else:
        print_table(_COLUMNS, list(_rows(findings)), styles=_STYLES)
        counts = Counter(one.status for one in findings)
        print_text(", ".join(_count(counts[status], status) for status in CheckStatus))

    return ExitCode.OK if is_healthy else ExitCode.NO


def _count(number: int, status: CheckStatus) -> str:
    return f"{number} {status}" if status is CheckStatus.OK else plural(number, status)


def _rows(findings: list[Finding]) -> Iterator[Sequence[str]]:
    for one in findings:
        yield (one.check, one.status, one.found)
        if one.remedy:
            yield ("", "", f"→ {one.remedy}")
