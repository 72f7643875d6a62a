"""Findings, and running one check in isolation: a check that fails or hangs costs only its row."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

TIMEOUT = 12.0
"""Seconds that one check may take."""

_MAX_TEXT = 300


class CheckStatus(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: the check, its status, what was found, and the remedy."""

    check: str
    status: CheckStatus
    found: str
    remedy: str | None = None


Check = Callable[[], Awaitable[Iterable[Finding]]]


def ok(check: str, found: str, remedy: str | None = None) -> Finding:
    """Build a finding that needs no action."""
    return Finding(check, CheckStatus.OK, found, remedy)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Build a finding that people should know about."""
    return Finding(check, CheckStatus.WARNING, found, remedy)


def problem(check: str, found: str, remedy: str) -> Finding:
    """Build a finding that keeps clawback from working."""
    return Finding(check, CheckStatus.PROBLEM, found, remedy)


def from_sentence(check: str, sentence: str, status: CheckStatus = CheckStatus.PROBLEM) -> Finding:
    """Build a finding from an error text of the form "what is wrong; what to do"."""
    found, _, remedy = sentence.partition("; ")
    return Finding(check, status, found, remedy or None)


async def run_check(name: str, check: Check, timeout: float = TIMEOUT) -> list[Finding]:  # noqa: ASYNC109 - the text names it
    """Run one check; an exception or a timeout becomes a finding."""
    try:
        async with asyncio.timeout(timeout):
            return list(await check())
    except TimeoutError:
        remedy = "check the network and the load of this machine"
        return [problem(name, f"no answer within {timeout:.0f} s", remedy)]
    except Exception as error:  # noqa: BLE001 - one broken check must not stop the others
        text = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_TEXT]
        remedy = "if the message does not help, report a defect of clawback"
        return [problem(name, f"the check failed: {text}", remedy)]
