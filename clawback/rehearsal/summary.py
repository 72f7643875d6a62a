"""Summarizes the result of a rehearsal, as text or as JSON. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from clawback.model.texts import plural
from clawback.rehearsal.disturbances import ServerKill, WorkerFreeze, WorkerKill
from clawback.rehearsal.runner import RehearsalResult

_MAX_PROBLEMS = 10


def to_json(result: RehearsalResult) -> dict[str, Any]:
    """Return what a program may want to compare between two rehearsals."""
    counts, judgement = result.counts, result.judgement
    outcomes = {
        f"{action} {outcome}": count for (action, outcome), count in sorted(result.outcomes.items())
    }
    requests_per_moved = round(counts["requests"] / result.moved, 4) if result.moved else None
    delay = result.counters.get("clawback_api_rate_limit_delay_seconds_total", 0.0)

    return {
        "good": result.is_good,
        "drained": result.is_complete,
        "audit_intact": result.is_audit_intact,
        "lost": judgement.lost,
        "twice": judgement.twice,
        "unexpected": judgement.unexpected,
        "waits_for": result.progress.waits_for,
        "seconds": round(result.progress.seconds, 1),
        "longest_pause": round(result.progress.longest_pause, 1),
        "events": result.expectation.events,
        "matched": result.expectation.matched,
        "outcomes": outcomes,
        "moved": result.moved,
        "effects": counts["by_operation"],
        "cases": result.cases,
        "requests": counts["requests"],
        "requests_per_moved": requests_per_moved,
        "requests_by_endpoint": counts["by_endpoint"],
        "requests_by_status": counts["by_status"],
        "faults": counts["by_fault"],
        "retries": int(result.counters.get("clawback_activity_retries_total", 0.0)),
        "paced_seconds": round(delay, 1),
        "kills": result.progress.disturbances[WorkerKill.name],
        "server_kills": result.progress.disturbances[ServerKill.name],
        "freezes": result.progress.disturbances[WorkerFreeze.name],
        "temporal_actions": result.temporal_actions,
    }


def format_text(result: RehearsalResult) -> Iterator[str]:
    """Yield the lines of a summary, problems last."""
    data = to_json(result)
    yield f"events     {data['events']:,} in the corpus"
    yield from _format_table("matched", data["matched"])
    yield from _format_table("outcomes", data["outcomes"])
    yield f"effects    {_format_counts(data['effects']) or 'none'}"
    yield f"cases      {_format_counts(data['cases']) or 'none open'}"
    per_moved = f", {data['requests_per_moved']:.4f} per message moved" if result.moved else ""
    yield (
        f"requests   {data['requests']:,}{per_moved}; "
        f"waited {data['paced_seconds']} s for the rate limit"
    )
    yield from _format_table("", data["requests_by_endpoint"])
    yield f"           by status: {_format_counts(data['requests_by_status'])}"
    disturbances = [plural(count, one) for one, count in result.progress.disturbances.items()]
    yield (
        f"faults     {_format_counts(data['faults']) or 'none'}; "
        f"{', '.join(disturbances) or 'no kills'}; "
        f"activity retries: {data['retries']}"
    )

    if result.temporal_actions is not None:
        yield f"Temporal   {result.temporal_actions:,} actions"

    yield (
        f"time       {data['seconds']} s from the start of the workers to their last effect; "
        f"the longest pause was {data['longest_pause']} s"
    )
    yield from _format_problems(result)


def _format_problems(result: RehearsalResult) -> Iterator[str]:
    if not result.is_complete:
        waits_for = result.progress.waits_for
        yield "INCOMPLETE the timeout expired before everything was done" + (
            f"; waiting for {waits_for}" if waits_for else ""
        )

    if not result.is_audit_intact:
        yield "BROKEN     the hash chain of the audit"

    judgement = result.judgement
    for name, problems in (
        ("LOST", judgement.lost),
        ("TWICE", judgement.twice),
        ("UNEXPECTED", judgement.unexpected),
    ):
        for problem in problems[:_MAX_PROBLEMS]:
            yield f"{name:10} {problem}"
        if len(problems) > _MAX_PROBLEMS:
            yield f"{name:10} and {len(problems) - _MAX_PROBLEMS:,} more"

    if result.is_good:
        yield "good       no message lost, repeated or changed by mistake"


def _format_table(title: str, counts: dict[str, int]) -> Iterator[str]:
    for number, (name, count) in enumerate(sorted(counts.items())):
        yield f"{'' if number else title:10} {count:>7,}  {name}"


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
