"""The progress of a rehearsal: what changed, when it last changed, and counters over restarts."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_POLL_ENDPOINTS = ("GET /investigate", "GET /phishguard/reports", "GET /submissions")
_BACKGROUND = "GET /settings/"
"""Domains and policies are read in the background too, again and again while the API fails."""


class CounterSums:
    """Sums counters over restarts of processes, which start again at zero."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self._last: dict[tuple[str, str], float] = {}

    def update(self, process: str, values: Mapping[str, float]) -> None:
        """Add the current values of a process; empty if it did not answer."""
        for name, value in values.items():
            last = self._last.get((process, name), 0.0)
            increase = value - last if value >= last else value
            self.totals[name] = self.totals.get(name, 0.0) + increase
            self._last[process, name] = value


@dataclass
class Progress:
    """The progress of a rehearsal. Times are on the monotonic clock.

    `expected_records` is about how many audit records there will be. `waits_for` says what a
    rehearsal without progress waits for.
    """

    expected_changes: int = 0
    expected_records: int = 0
    changes: int = 0
    records: int = 0
    requests: int = 0
    phase: str = "starting"
    waits_for: str = ""
    disturbances: Counter[str] = field(default_factory=Counter)
    counters: CounterSums = field(default_factory=CounterSums)
    started_at: float = field(default_factory=time.monotonic)
    changed_at: float = field(default_factory=time.monotonic)
    longest_pause: float = 0.0
    _last: object = None

    @property
    def idle_seconds(self) -> float:
        """Seconds since something last happened."""
        return time.monotonic() - self.changed_at

    @property
    def seconds(self) -> float:
        """Seconds from the start of the workers to the last effect."""
        return self.changed_at - self.started_at

    @property
    def share(self) -> float:
        """The share of the expected audit records that were written, about."""
        return self.records / max(self.expected_records, 1)

    def restart(self) -> None:
        """Count time from now: the workers have started."""
        self.started_at = self.changed_at = time.monotonic()

    def note_activity(self) -> None:
        """Something happened."""
        self.longest_pause = max(self.longest_pause, self.idle_seconds)
        self.changed_at, self.waits_for = time.monotonic(), ""

    def note_disturbance(self, name: str) -> None:
        """Count a disturbance. What follows it is no sign of idleness."""
        self.disturbances[name] += 1
        self.note_activity()

    def update(self, counts: dict[str, Any], records: int) -> None:
        """Update from the counts of the simulator and the number of audit records.

        Polls do not count: they go on when nothing happens.
        """
        polls = sum(
            count
            for endpoint, count in counts["by_endpoint"].items()
            if endpoint in _POLL_ENDPOINTS or endpoint.startswith(_BACKGROUND)
        )
        self.changes, self.requests, self.records = counts["changes"], counts["requests"], records
        current = (self.changes, self.requests - polls, records)
        if current != self._last:
            self._last = current
            self.note_activity()
