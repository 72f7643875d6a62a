"""How far the sightings of one group have come towards their correlation, and what is missing.

Whether it fires is not decided here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawback.correlation.sliding_window import (
    CorrelationType,
    CorrelationWindow,
    WindowEntry,
    find_window,
    resolve_inner,
)
from clawback.model.durations import format_duration


@dataclass(frozen=True, slots=True)
class Progress:
    """The window that satisfies a correlation, or the one that comes closest.

    What it has `seen` of what is `wanted`.
    """

    fires: bool
    seen: int
    wanted: int
    missing: str
    window: tuple[WindowEntry, ...]

    def __str__(self) -> str:
        span = (
            f" from {self.window[0].at:%F %T} to {self.window[-1].at:%F %T}" if self.window else ""
        )
        return f"{self.seen} of {self.wanted} seen{span}" + (
            f"; missing: {self.missing}" if self.missing else ""
        )


def measure_progress(watch: CorrelationWindow, sightings: Sequence[WindowEntry]) -> Progress:
    """Say where a group stands; of windows that come equally close, the earliest."""
    sightings = resolve_inner(watch, sightings)
    watch = watch.model_copy(update={"inner": {}})
    wanted = (
        len(watch.rules)
        if watch.type in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}
        else watch.at_least
    )
    if (fired := find_window(watch, sightings)) is not None:
        return Progress(
            fires=True, seen=len(_counted(watch, fired)), wanted=wanted, missing="", window=fired
        )
    window = max(_windows(watch, sightings), key=lambda one: len(_counted(watch, one)), default=())
    counted = _counted(watch, window)
    return Progress(
        fires=False,
        seen=len(counted),
        wanted=wanted,
        missing=_missing(watch, counted),
        window=window,
    )


def describe_correlation(watch: CorrelationWindow, value: str | None = None) -> str:
    """Say in a few words what a correlation waits for.

    `value` is the field that a `value_count` counts.
    """
    within = f"within {format_duration(watch.timespan)}"
    rules = [
        f"{name} ({describe_correlation(watch.inner[name])})" if name in watch.inner else name
        for name in watch.rules
    ]
    match watch.type:
        case CorrelationType.EVENT_COUNT:
            return f"{watch.at_least} or more events of {', '.join(rules)} {within}"
        case CorrelationType.VALUE_COUNT:
            return f"{watch.at_least} or more values of {value or 'a field'} in events of {', '.join(rules)} {within}"
        case CorrelationType.TEMPORAL:
            return f"{' and '.join(rules)}, in any order, {within}"
        case CorrelationType.TEMPORAL_ORDERED:
            return f"{' then '.join(rules)} {within}"


def _windows(
    watch: CorrelationWindow, sightings: Sequence[WindowEntry]
) -> Iterator[tuple[WindowEntry, ...]]:
    ordered = sorted(sightings, key=lambda sighting: (sighting.at, sighting.key))
    start = 0
    for end, newest in enumerate(ordered):
        while newest.at - ordered[start].at > watch.timespan:
            start += 1
        yield tuple(ordered[start : end + 1])


def _counted(watch: CorrelationWindow, window: Sequence[WindowEntry]) -> list[str]:
    """Give what of a window counts.

    Event keys, values, or the rules that were seen (in their order where that matters).
    """
    match watch.type:
        case CorrelationType.EVENT_COUNT:
            return list(dict.fromkeys(sighting.key for sighting in window))
        case CorrelationType.VALUE_COUNT:
            return list(
                dict.fromkeys(sighting.value for sighting in window if sighting.value is not None)
            )
        case CorrelationType.TEMPORAL:
            seen = {sighting.rule for sighting in window}
            return [rule for rule in watch.rules if rule in seen]
        case CorrelationType.TEMPORAL_ORDERED:
            following = iter([sighting.rule for sighting in window])
            return [rule for rule in watch.rules if any(rule == other for other in following)]


def _missing(watch: CorrelationWindow, counted: Sequence[str]) -> str:
    match watch.type:
        case CorrelationType.EVENT_COUNT | CorrelationType.VALUE_COUNT:
            left = watch.at_least - len(counted)
            what = "event" if watch.type is CorrelationType.EVENT_COUNT else "value"
            return f"{left} more {what}{'' if left == 1 else 's'}"
        case CorrelationType.TEMPORAL:
            return ", ".join(rule for rule in watch.rules if rule not in counted)
        case CorrelationType.TEMPORAL_ORDERED:
            after = f" after {counted[-1]}" if counted else ""
            return ", then ".join(watch.rules[len(counted) :]) + after
