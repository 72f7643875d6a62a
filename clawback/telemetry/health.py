"""When a worker counts as unwell: a source has not been read to its end for too long.

Pure but for reading its own gauges.

Rules that were refused are no reason: the former set runs on, and a restart would mend nothing.
`clawback_rules_refused` tells of them.
"""

from collections.abc import Mapping
from datetime import timedelta

from clawback.model.durations import format_duration
from clawback.telemetry import metrics

_LEAST = timedelta(minutes=2)
_INTERVALS = 10


def poll_patience(interval: timedelta) -> timedelta:
    """Say how old the last complete poll of a source may become.

    `interval` is the wait between two polls.
    """
    return max(_LEAST, _INTERVALS * interval)


def poll_ages() -> dict[str, timedelta]:
    """Read the age of the last complete poll of each source that this process has read to its end."""
    samples = (sample for family in metrics.POLL_LAG.collect() for sample in family.samples)
    return {sample.labels["source"]: timedelta(seconds=sample.value) for sample in samples}


def overdue(
    ages: Mapping[str, timedelta], up_for: timedelta, patience: Mapping[str, timedelta]
) -> dict[str, timedelta]:
    """Give the sources whose last complete poll is older than their `patience`, with its age.

    A source that this process has not read yet counts from its start, so that a fresh process has
    as long as any other.
    """
    known = {source: ages.get(source, up_for) for source in patience}
    return {source: age for source, age in known.items() if age > patience[source]}


def complaint(late: Mapping[str, timedelta]) -> str | None:
    """Say in one sentence which sources are late; None where none is."""
    if not late:
        return None
    said = " and ".join(
        f"{source} for {format_duration(timedelta(seconds=int(age.total_seconds())))}"
        for source, age in late.items()
    )
    return f"no complete poll of {said}; `clawback poll status` and the log say why"
