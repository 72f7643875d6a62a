"""`clawback doctor`: health checks of this installation, with remedies."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_table, print_text, show_progress
from clawback.doctor import CheckStatus, Finding, run_checks
from clawback.doctor.check import problem
from clawback.doctor.delivery_checks import send_test
from clawback.model.texts import plural
from clawback.settings import SettingsError, load_settings

_COLUMNS = ("check", "status", "finding and remedy")
_STYLES = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.PROBLEM: "red",
    "→": "bold",
}


SendTest = Annotated[
    str | None,
    typer.Option(
        "--send-test",
        metavar="CHANNEL",
        help="Send a test message to this channel, and check nothing else.",
    ),
]


def doctor(*, send_test_to: SendTest = None, as_json: AsJson = False) -> int:
    """Check the health of this installation and print remedies.

    It checks settings, rules, Temporal, worker, channels, audit, disk and Cloudflare.

    Exit code 1 if there is a problem.
    """
    with show_progress("Checking"):
        findings = asyncio.run(run_checks() if send_test_to is None else _send(send_test_to))

    is_healthy = all(one.status is not CheckStatus.PROBLEM for one in findings)

    if as_json:
        print_json({"healthy": is_healthy, "findings": [asdict(one) for one in findings]})
    else:
        print_table(_COLUMNS, list(_rows(findings)), styles=_STYLES)
        counts = Counter(one.status for one in findings)
        print_text(", ".join(_count(counts[status], status) for status in CheckStatus))

    return ExitCode.OK if is_healthy else ExitCode.NO


async def _send(channel: str) -> list[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        return [problem("settings", str(error), "correct or unset it")]
    return [await send_test(settings.channels, channel)]


def _count(number: int, status: CheckStatus) -> str:
    return f"{number} {status}" if status is CheckStatus.OK else plural(number, status)


def _rows(findings: list[Finding]) -> Iterator[Sequence[str]]:
    for one in findings:
        yield (one.check, one.status, one.found)
        if one.remedy:
            yield ("", "", f"→ {one.remedy}")
