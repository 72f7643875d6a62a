"""What a rehearsal came to, for people and for programs. Pure: a result in, text or JSON out."""

from collections.abc import Iterator
from typing import Any

from clawback.rehearsal.runner import Result

_SHOWN = 10


def as_json(result: Result) -> dict[str, Any]:
    """Everything a program may want to compare between two rehearsals."""
    counts = result.counts
    return {
        "good": result.good,
        "drained": result.drained,
        "audit_intact": result.audit_intact,
        "lost": result.verdict.lost,
        "twice": result.verdict.twice,
        "unexpected": result.verdict.unexpected,
        "seconds": round(result.seconds, 1),
        "events": result.expectation.events,
        "matched": result.expectation.matched,
        "outcomes": {
            f"{action} {outcome}": count
            for (action, outcome), count in sorted(result.outcomes.items())
        },
        "moved": result.moved,
        "effects": counts["by_operation"],
        "cases": result.cases,
        "requests": counts["requests"],
        "requests_per_moved": round(counts["requests"] / result.moved, 4) if result.moved else None,
        "requests_by_endpoint": counts["by_endpoint"],
        "requests_by_status": counts["by_status"],
        "faults": counts["by_fault"],
        "retries": _counter(result, "activity_retries"),
        "paced_seconds": round(
            result.counters.get("clawback_api_rate_limit_delay_seconds_total", 0.0), 1
        ),
        "kills": result.kills,
        "temporal_actions": result.temporal_actions,
    }


def as_text(result: Result) -> Iterator[str]:
    """The same in lines, what is wrong last."""
    said = as_json(result)
    yield f"events     {said['events']:,} in the corpus"
    yield from _table("matched", said["matched"])
    yield from _table("outcomes", said["outcomes"])
    yield f"effects    {_listed(said['effects']) or 'none'}"
    yield f"cases      {_listed(said['cases']) or 'none open'}"
    per = f", {said['requests_per_moved']:.4f} for each message moved" if result.moved else ""
    yield f"requests   {said['requests']:,}{per}; waited {said['paced_seconds']} s for the rate limit"
    yield from _table("", said["requests_by_endpoint"])
    yield f"           by status: {_listed(said['requests_by_status'])}"
    yield f"trouble    faults: {_listed(said['faults']) or 'none'}; kills: {said['kills']}; retries: {said['retries']}"
    yield f"Temporal   {said['temporal_actions']:,} actions"
    yield f"time       {said['seconds']} s from the worker's start to the last thing it did"
    yield from _wrong(result)


def _wrong(result: Result) -> Iterator[str]:
    if not result.drained:
        yield "NOT DONE   the time was up before everything was"
    if not result.audit_intact:
        yield "BROKEN     the audit's chain"
    for name, problems in (
        ("LOST", result.verdict.lost),
        ("TWICE", result.verdict.twice),
        ("UNEXPECTED", result.verdict.unexpected),
    ):
        for problem in problems[:_SHOWN]:
            yield f"{name:10} {problem}"
        if len(problems) > _SHOWN:
            yield f"{name:10} and {len(problems) - _SHOWN:,} more"
    if result.good:
        yield "good       nothing was lost, nothing was done twice, nothing else was touched"


def _table(title: str, counts: dict[str, int]) -> Iterator[str]:
    for number, (name, count) in enumerate(sorted(counts.items())):
        yield f"{'' if number else title:10} {count:>7,}  {name}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


def _counter(result: Result, name: str) -> int:
    return int(result.counters.get(f"clawback_{name}_total", 0.0))
