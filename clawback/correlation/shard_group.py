"""One group of a shard: its entries, where it stands, and how many bytes it takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from clawback.cases.plan import Match
from clawback.correlation.payloads import CorrelationDefinition, Delivery, GroupState
from clawback.correlation.shard_entry import ShardEntry
from clawback.correlation.sliding_window import CorrelationType, find_window
from clawback.model.size import payload_size

OPEN_LIFETIME = timedelta(days=8)
"""How long a shard remembers that a group has an open case: longer than a case may be held."""
_OVERHEAD = 250
"""Bytes of a group in a snapshot, besides its texts and entries; rounded up."""


def kept_bytes(most_bytes: int) -> int:
    """The bytes of entries that a group keeps for certain if all may take at most so many.

    A quarter is freed at once, so that the next match does not cost another sort.
    """
    return most_bytes * 3 // 4


EntryKey = tuple[str, str]
"""The event and the rule that it matched."""


class GroupPhase(StrEnum):
    """Where a group stands."""

    COUNTING = "counting"
    OPENING = "opening"
    """Satisfied; its case has not been opened yet."""
    OPEN = "open"


@dataclass(slots=True)
class ShardGroup:
    """The matches of one rule and group that wait for a window, or for their case.

    `active_at` is when the last of them arrived. `reasons` say why the first event matched.
    """

    definition: CorrelationDefinition
    group: dict[str, str | None]
    active_at: datetime
    phase: GroupPhase = GroupPhase.COUNTING
    window: str = ""
    reasons: tuple[str, ...] = ()
    failing_since: datetime | None = None
    retry_at: datetime | None = None
    entries: dict[EntryKey, ShardEntry] = field(default_factory=dict)
    _sizes: dict[EntryKey, int] = field(default_factory=dict)
    _entry_bytes: int = 0

    @property
    def size(self) -> int:
        """Bytes of the group in a snapshot."""
        return self.base_size + self._entry_bytes

    @property
    def base_size(self) -> int:
        """Bytes of the group in a snapshot without its entries."""
        return payload_size((self.group, self.reasons, self.window)) + _OVERHEAD

    @property
    def is_waiting(self) -> bool:
        """Whether it has matches for its case."""
        return self.phase is not GroupPhase.COUNTING and bool(self.entries)

    @property
    def ends_at(self) -> datetime:
        """When nothing is left to remember if no match arrives."""
        is_marker = self.phase is GroupPhase.OPEN and not self.entries
        return self.active_at + (OPEN_LIFETIME if is_marker else self.definition.lifetime)

    def is_over(self, now: datetime) -> bool:
        """Whether nothing is left to remember."""
        return not self.entries and (self.phase is not GroupPhase.OPEN or self.ends_at <= now)

    def add(self, matches: Sequence[Match], now: datetime) -> None:
        """Add matches; those that the group has already are ignored."""
        for match in matches:
            self.active_at = max(self.active_at, match.seen_at, now)
            self.reasons = self.reasons or match.reasons
            self._add_entry(ShardEntry.of(match))

    def trim(self, most_bytes: int) -> int:
        """Drop entries if all take too many bytes; return how many were dropped.

        The oldest go first, but where values or rules are counted only after those that count as
        others do: one campaign, however large, never pushes out the others of its sender.
        """
        dropped = 0
        if self._entry_bytes > most_bytes:
            for key in self._least_needed_first():
                self._remove(key)
                dropped += 1
                if self._entry_bytes <= kept_bytes(most_bytes):
                    break
        return dropped

    def expire(self, now: datetime) -> None:
        """Forget what arrived so long ago that no window can contain it with a later arrival."""
        if self.phase is GroupPhase.COUNTING:
            counted = {(entry.key, entry.rule) for entry in self.counted(now)}
            for key in [key for key in self.entries if key not in counted]:
                self._remove(key)

    def counted(self, now: datetime) -> list[ShardEntry]:
        """The entries that a window can still contain together with a later arrival."""
        arrived_before = now - self.definition.lifetime
        return [entry for entry in self.entries.values() if entry.seen_at > arrived_before]

    def evaluate(self) -> None:
        """Let the case open if a window satisfies the correlation."""
        if self.phase is not GroupPhase.COUNTING:
            return
        entries = [entry.window_entry for entry in self.entries.values()]
        window = find_window(self.definition.window, entries)
        if window is not None:
            self.phase = GroupPhase.OPENING
            span = f" from {window[0].at:%FT%TZ} to {window[-1].at:%FT%TZ}" if window else ""
            self.window = f"{len(window)} events{span}"

    def count_anew(self, now: datetime) -> None:
        """Count what the case did not take before it closed."""
        self.phase, self.window = GroupPhase.COUNTING, ""
        self.failing_since = self.retry_at = None
        self.expire(now)
        self.evaluate()

    # ---- deliveries

    def delivery(self, key: str, most_bytes: int) -> Delivery:
        """The oldest entries that fit, at least one, for the case."""
        entries = [self.entries[one] for one in self._first_within(most_bytes)]
        reasons = [self.reasons, *(() for _ in entries[1:])]
        return Delivery(
            key=key,
            definition=self.definition,
            group=self.group,
            opens=self.phase is GroupPhase.OPENING,
            window=self.window,
            matches=tuple(entry.match(why) for entry, why in zip(entries, reasons, strict=True)),
        )

    def end_delivery(self, delivery: Delivery) -> None:
        """Forget what the case has now."""
        self.phase, self.reasons = GroupPhase.OPEN, ()
        self.failing_since = self.retry_at = None
        for match in delivery.matches:
            self._remove((match.key, match.rule))

    # ---- snapshots

    @classmethod
    def from_state(cls, state: GroupState, definition: CorrelationDefinition) -> "ShardGroup":
        """Restore a group from a snapshot."""
        group = cls(
            definition=definition,
            group=dict(state.group),
            active_at=state.active_at,
            phase=GroupPhase(state.phase),
            window=state.window,
            reasons=state.reasons,
            failing_since=state.failing_since,
            retry_at=state.retry_at,
        )
        for row in state.entries:
            group._add_entry(ShardEntry.from_row(row))
        return group

    def state(self) -> GroupState:
        """The group in a snapshot."""
        return GroupState(
            definition=self.definition.digest,
            group=self.group,
            phase=self.phase,
            active_at=self.active_at,
            window=self.window,
            reasons=self.reasons,
            failing_since=self.failing_since,
            retry_at=self.retry_at,
            entries=tuple(entry.row for entry in self.entries.values()),
        )

    # ---- entries

    def _add_entry(self, entry: ShardEntry) -> None:
        key = (entry.key, entry.rule)
        if key not in self.entries:
            self.entries[key] = entry
            self._sizes[key] = entry.size
            self._entry_bytes += self._sizes[key]

    def _remove(self, key: EntryKey) -> None:
        if self.entries.pop(key, None) is not None:
            self._entry_bytes -= self._sizes.pop(key)

    def _oldest_first(self) -> list[EntryKey]:
        return sorted(self.entries, key=lambda key: (self.entries[key].at, key))

    def _least_needed_first(self) -> list[EntryKey]:
        """What neither begins nor ends the entries that count as the same comes first."""
        ordered = self._oldest_first()
        counted = [(key, self._counts_as(self.entries[key])) for key in ordered]
        latest = {what: key for key, what in counted}
        earliest = {what: key for key, what in reversed(counted)}
        return sorted(ordered, key={*latest.values(), *earliest.values()}.__contains__)

    def _counts_as(self, entry: ShardEntry) -> object:
        match self.definition.window.type:
            case CorrelationType.VALUE_COUNT:
                return entry.values
            case CorrelationType.TEMPORAL | CorrelationType.TEMPORAL_ORDERED:
                return entry.rule
            case _:
                return entry.key

    def _first_within(self, most_bytes: int) -> Iterator[EntryKey]:
        left = most_bytes
        for number, key in enumerate(self._oldest_first()):
            left -= self._sizes[key]
            if number and left < 0:
                return
            yield key
