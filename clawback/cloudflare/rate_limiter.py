"""Decides when the next request may go, so that polling starves neither containment nor people on the dashboard. Pure: no clock, no I/O.

Cloudflare counts the requests of a token or user together, whoever makes them (reference §3.1), and
blocks everything for five minutes once it is over. So the server's own counter is the budget. Each
share of the work keeps its hands off a reserve: polling leaves the most, acting less, undo least.
With plenty left nothing is delayed; the last third is spread over the time to the reset; when
nothing is left, the caller is told how long, without a request. Until the server says anything,
1,200 per 300 s are assumed.

All times are seconds of one monotonic clock that the caller brings along.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from clawback.cloudflare.rate_limit_headers import WINDOW, Counter

QUOTA = 1_200
_LOW = 1 / 3
_FIRST_BLOCK = timedelta(seconds=30)
_LONGEST_BLOCK = timedelta(seconds=300)


class Share(StrEnum):
    """On whose behalf a request is made, least urgent first."""

    ENRICHING = "enriching"
    POLLING = "polling"
    ACTING = "acting"
    APPROVED = "approved"
    UNDO = "undo"
    PEOPLE = "people"

    @property
    def rank(self) -> int:
        """Who goes first where requests wait for each other: the lowest."""
        return -list(Share).index(self)


ACTS = frozenset({Share.ACTING, Share.APPROVED})
"""What the kill switch stops."""

RESERVES: Mapping[Share, float] = {
    Share.ENRICHING: 0.55,
    Share.POLLING: 0.40,
    Share.ACTING: 0.25,
    Share.APPROVED: 0.20,
    Share.UNDO: 0.10,
    Share.PEOPLE: 0.0,
}
"""The part of the quota that each share leaves untouched.

A quarter is kept for people, polling leaves 15 % more for acting, and looking closer at undecided
messages leaves as much again for polling. What people have agreed to, what they take back and what
they ask for on the command line may use some or all of what is kept for them.
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is known to be left, for `doctor` and metrics.

    Of the tightest counter, requests in flight not deducted.
    """

    remaining: int
    quota: int
    resets_in: timedelta
    in_flight: int
    blocked_for: timedelta


class RateLimiter:
    """The budget of one token, shared by all calls of one client."""

    def __init__(self, reserves: Mapping[Share, float] = RESERVES) -> None:
        self._reserves = reserves
        self._counters: dict[str, Counter] = {}
        self._heard = 0  # the youngest request whose answer told the counters
        self._issued = 0
        self._in_flight: set[int] = set()
        self._sent: deque[float] = deque(maxlen=QUOTA)
        self._last: dict[Share, float] = {}
        self._blocked_until = 0.0
        self._blocks = 0

    def wait(self, share: Share, now: float) -> float:
        """Seconds that a request of this share should wait; 0 means that it may go now."""
        if now < self._blocked_until:
            return self._blocked_until - now
        return max(self._counter_wait(counter, share, now) for counter in self._current(now))

    def sent(self, share: Share, now: float) -> int:
        """Count a request as on its way; the number returned is given back with its outcome."""
        self._issued += 1
        self._in_flight.add(self._issued)
        self._last[share] = now
        self._sent.append(now)
        return self._issued

    def answered(self, ticket: int, now: float, counters: Iterable[Counter] = ()) -> None:
        """Take in what an answer said of the counters.

        An answer that came late does not overwrite a younger request's.
        """
        told = {counter.name: counter for counter in counters}
        self._blocks = 0
        self._settle(ticket, now, told)

    def lost(self, ticket: int, now: float) -> None:
        """Take in that a request ended without an answer.

        It may have been counted by the server.
        """
        self._settle(ticket, now, {})

    def refused(
        self,
        ticket: int,
        now: float,
        retry_after: timedelta | None,
        counters: Iterable[Counter] = (),
    ) -> timedelta:
        """Take in a 429: nobody sends before it is over.

        Gives how long; without a word of the server 30 s, doubling to five minutes.
        """
        told = {counter.name: counter for counter in counters}
        self._settle(ticket, now, told)
        self._blocks += 1
        emptied = [
            timedelta(seconds=counter.reset_at - now)
            for counter in told.values()
            if counter.remaining == 0
        ]
        guess = max(
            emptied, default=min(_FIRST_BLOCK * 2 ** min(self._blocks - 1, 8), _LONGEST_BLOCK)
        )
        delay = guess if retry_after is None else retry_after
        self._blocked_until = max(self._blocked_until, now + delay.total_seconds())
        return timedelta(seconds=self._blocked_until - now)

    def budget(self, now: float) -> Budget:
        """What is known to be left now."""
        tightest = min(self._current(now), key=lambda counter: counter.remaining / counter.quota)
        blocked = timedelta(seconds=max(self._blocked_until - now, 0.0))
        resets_in = timedelta(seconds=tightest.reset_at - now)
        return Budget(tightest.remaining, tightest.quota, resets_in, len(self._in_flight), blocked)

    def _settle(self, ticket: int, now: float, told: Mapping[str, Counter]) -> None:
        self._in_flight.discard(ticket)
        if told and ticket > self._heard:
            self._heard = ticket
            self._counters = dict(told)
        elif not told:
            current = [counter for counter in self._current(now) if counter.name in self._counters]
            self._counters = {
                counter.name: replace(counter, remaining=max(counter.remaining - 1, 0))
                for counter in current
            }

    def _current(self, now: float) -> list[Counter]:
        """The counters as they are now.

        Those past their reset are full again; without any, our own count of the last 300 s.
        """
        if not self._counters:
            return [self._own_count(now)]
        for name, counter in self._counters.items():
            if counter.reset_at <= now:
                self._counters[name] = replace(
                    counter, remaining=counter.quota, reset_at=now + counter.window
                )
        return list(self._counters.values())

    def _own_count(self, now: float) -> Counter:
        while self._sent and self._sent[0] + WINDOW <= now:
            self._sent.popleft()
        reset_at = self._sent[0] + WINDOW if self._sent else now + WINDOW
        answered = max(len(self._sent) - len(self._in_flight), 0)
        return Counter("own", QUOTA, QUOTA - answered, reset_at)

    def _counter_wait(self, counter: Counter, share: Share, now: float) -> float:
        reserve = int(self._reserves[share] * counter.quota)
        spendable = counter.remaining - len(self._in_flight) - reserve
        left = counter.reset_at - now
        if spendable <= 0:
            return left
        if spendable >= _LOW * (counter.quota - reserve) or share not in self._last:
            return 0.0
        return max(self._last[share] + left / spendable - now, 0.0)
