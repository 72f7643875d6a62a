"""Decides when a worker is unhealthy: a source has had no complete poll for too long.

Refused rules do not count: the previous set keeps running, and a restart would fix nothing.
`clawback_rules_refused` reports them.
"""

from collections.abc import Mapping
from datetime import timedelta

from clawback.model.durations import format_duration
from clawback.telemetry import metrics

_MIN_AGE = timedelta(minutes=2)
_INTERVALS = 10


def max_poll_age(interval: timedelta) -> timedelta:
    """Return how old the last complete poll of a source may become, given its poll interval."""
    return max(_MIN_AGE, _INTERVALS * interval)


def poll_ages() -> dict[str, timedelta]:
    """Read the age of the last complete poll of each source that this process has polled."""
    samples = (sample for family in metrics.POLL_LAG.collect() for sample in family.samples)
    return {sample.labels["source"]: timedelta(seconds=sample.value) for sample in samples}


def overdue_sources(
    ages: Mapping[str, timedelta], uptime: timedelta, max_ages: Mapping[str, timedelta]
) -> dict[str, timedelta]:
    """Return the sources whose last complete poll is older than allowed, with its age.

    A source that this process has not polled yet counts from the start of the process, so that a
    new process has as much time as any other.
    """
    known = {source: ages.get(source, uptime) for source in max_ages}
    return {source: age for source, age in known.items() if age > max_ages[source]}


def describe_overdue(overdue: Mapping[str, timedelta]) -> str | None:
    """Describe overdue sources in one sentence; None if there are none."""
    if not overdue:
        return None

    sources = " and ".join(
        f"{source} for {format_duration(timedelta(seconds=int(age.total_seconds())))}"
        for source, age in overdue.items()
    )
    return f"no complete poll of {sources}; see `clawback poll status` and the log"
