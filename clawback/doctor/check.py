"""What a check finds, and how checks are kept apart.

One that fails, or takes too long, costs its own row and no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 12.0
"""Seconds that one check may take."""
_LONGEST = 300


class CheckStatus(StrEnum):
    """How a matter stands."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was looked at, how it stands, what was found there, and what to do about it."""

    check: str
    verdict: CheckStatus
    found: str
    remedy: str | None = None


Check = Callable[[], Awaitable[Iterable[Finding]]]


def ok(check: str, found: str, remedy: str | None = None) -> Finding:
    """Build a finding that nobody needs to do anything about."""
    return Finding(check, CheckStatus.OK, found, remedy)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Build a finding that somebody should know of."""
    return Finding(check, CheckStatus.WARNING, found, remedy)


def problem(check: str, found: str, remedy: str) -> Finding:
    """Build a finding that keeps clawback from doing its work."""
    return Finding(check, CheckStatus.PROBLEM, found, remedy)


def told(check: str, sentence: str, verdict: CheckStatus = CheckStatus.PROBLEM) -> Finding:
    """Build a finding from a sentence of the form “what is wrong; what to do”."""
    found, _, remedy = sentence.partition("; ")
    return Finding(check, verdict, found, remedy or None)


async def look(name: str, check: Check) -> list[Finding]:
    """Run one check; whatever happens inside it becomes a finding."""
    try:
        async with asyncio.timeout(PATIENCE):
            return list(await check())
    except TimeoutError:
        return [
            problem(
                name,
                f"no answer within {PATIENCE:.0f} s",
                "look at the network and at the load of this machine",
            )
        ]
    except Exception as error:  # noqa: BLE001 - one broken check must not keep the others from being made
        return [
            problem(
                name,
                f"the check failed: {_words(error)}",
                "see what it says; if it tells nothing, it is a defect of clawback",
            )
        ]


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
