"""How far the sightings of one group have come towards their correlation, and what is missing. Whether it fires is not decided here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawback.cases.windows import Sighting, Watch, WatchType, first_window, resolved
from clawback.durations import format_duration


@dataclass(frozen=True, slots=True)
class Standing:
    """The window that satisfies a correlation, or the one that comes closest: what it has `seen` of what is `wanted`."""

    fires: bool
    seen: int
    wanted: int
    missing: str
    window: tuple[Sighting, ...]

    def __str__(self) -> str:
        span = f" from {self.window[0].at:%F %T} to {self.window[-1].at:%F %T}" if self.window else ""
        return f"{self.seen} of {self.wanted} seen{span}" + (f"; missing: {self.missing}" if self.missing else "")


def standing_of(watch: Watch, sightings: Sequence[Sighting]) -> Standing:
    """Say where a group stands; of windows that come equally close, the earliest."""
    sightings = resolved(watch, sightings)
    watch = watch.model_copy(update={"inner": {}})
    wanted = len(watch.rules) if watch.type in {WatchType.TEMPORAL, WatchType.TEMPORAL_ORDERED} else watch.at_least
    if (fired := first_window(watch, sightings)) is not None:
        return Standing(fires=True, seen=len(_counted(watch, fired)), wanted=wanted, missing="", window=fired)
    window = max(_windows(watch, sightings), key=lambda one: len(_counted(watch, one)), default=())
    counted = _counted(watch, window)
    return Standing(fires=False, seen=len(counted), wanted=wanted, missing=_missing(watch, counted), window=window)


def word_watch(watch: Watch, value: str | None = None) -> str:
    """Say in a few words what a correlation waits for; `value` is the field that a `value_count` counts."""
    within = f"within {format_duration(watch.timespan)}"
    rules = [f"{name} ({word_watch(watch.inner[name])})" if name in watch.inner else name for name in watch.rules]
    match watch.type:
        case WatchType.EVENT_COUNT:
            return f"{watch.at_least} or more events of {', '.join(rules)} {within}"
        case WatchType.VALUE_COUNT:
            return f"{watch.at_least} or more values of {value or 'a field'} in events of {', '.join(rules)} {within}"
        case WatchType.TEMPORAL:
            return f"{' and '.join(rules)}, in any order, {within}"
        case WatchType.TEMPORAL_ORDERED:
            return f"{' then '.join(rules)} {within}"


def _windows(watch: Watch, sightings: Sequence[Sighting]) -> Iterator[tuple[Sighting, ...]]:
    ordered = sorted(sightings, key=lambda sighting: (sighting.at, sighting.key))
    start = 0
    for end, newest in enumerate(ordered):
        while newest.at - ordered[start].at > watch.timespan:
            start += 1
        yield tuple(ordered[start : end + 1])


def _counted(watch: Watch, window: Sequence[Sighting]) -> list[str]:
    """Give what of a window counts: event keys, values, or the rules that were seen (in their order where that matters)."""
    match watch.type:
        case WatchType.EVENT_COUNT:
            return list(dict.fromkeys(sighting.key for sighting in window))
        case WatchType.VALUE_COUNT:
            return list(dict.fromkeys(sighting.value for sighting in window if sighting.value is not None))
        case WatchType.TEMPORAL:
            seen = {sighting.rule for sighting in window}
            return [rule for rule in watch.rules if rule in seen]
        case WatchType.TEMPORAL_ORDERED:
            following = iter([sighting.rule for sighting in window])
            return [rule for rule in watch.rules if any(rule == other for other in following)]


def _missing(watch: Watch, counted: Sequence[str]) -> str:
    match watch.type:
        case WatchType.EVENT_COUNT | WatchType.VALUE_COUNT:
            left = watch.at_least - len(counted)
            what = "event" if watch.type is WatchType.EVENT_COUNT else "value"
            return f"{left} more {what}{'' if left == 1 else 's'}"
        case WatchType.TEMPORAL:
            return ", ".join(rule for rule in watch.rules if rule not in counted)
        case WatchType.TEMPORAL_ORDERED:
            after = f" after {counted[-1]}" if counted else ""
            return ", then ".join(watch.rules[len(counted) :]) + after
