"""Decides when the next request may be sent. Pure: no clock, no I/O.

Cloudflare counts all requests of a token or user together, whoever makes them (reference §3.1), and
blocks everything for five minutes once the limit is exceeded. So the server's own counter decides.
Each share leaves a reserve untouched: polling the largest, containment a smaller one, undo the
smallest. Above a third of the spendable rest nothing is delayed; below it, requests are spread over
the time to the reset; at zero, the caller learns how long to wait without sending a request. Until
the server reports a counter, 1,200 requests per 300 s are assumed.

All times are seconds of one monotonic clock, passed in by the caller.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from clawback.cloudflare.rate_limit_headers import WINDOW, Counter

QUOTA = 1_200
_SPREAD_BELOW = 1 / 3
_FIRST_BLOCK = timedelta(seconds=30)
_LONGEST_BLOCK = timedelta(seconds=300)


class Share(StrEnum):
    """The purpose of a request, least urgent first."""

    ENRICHING = "enriching"
    BACKFILLING = "backfilling"
    RECLASSIFYING = "reclassifying"
    POLLING = "polling"
    ACTING = "acting"
    APPROVED = "approved"
    UNDO = "undo"
    PEOPLE = "people"

    @property
    def rank(self) -> int:
        """The order in which waiting requests go: lowest first."""
        return -list(Share).index(self)


CONTAINMENT_SHARES = frozenset({Share.RECLASSIFYING, Share.ACTING, Share.APPROVED})
"""The shares that the kill switch stops."""

RESERVES: Mapping[Share, float] = {
    Share.ENRICHING: 0.60,
    Share.BACKFILLING: 0.55,
    Share.RECLASSIFYING: 0.50,
    Share.POLLING: 0.40,
    Share.ACTING: 0.25,
    Share.APPROVED: 0.20,
    Share.UNDO: 0.10,
    Share.PEOPLE: 0.0,
}
"""The part of the quota that each share leaves untouched.

A quarter is kept for people. Polling leaves 15 % more for containment, and a backlog leaves as much
again for polling. Enrichment leaves some for a backlog: one page finds more than one detection.
Reclassifications, one request each, delay neither polling nor moves.
Approved actions, undo and requests from the command line may use some or all of what is kept for
people.
"""


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """What is known of the tightest counter, for `doctor` and metrics.

    Requests in flight are not deducted from `remaining`.
    """

    remaining: int
    quota: int
    resets_in: timedelta
    in_flight: int
    blocked_for: timedelta


class RateLimiter:
    """The rate limit of one token, shared by all calls of one client."""

    def __init__(self, reserves: Mapping[Share, float] = RESERVES) -> None:
        self._reserves = reserves
        self._counters: dict[str, Counter] = {}
        self._newest_reported = 0  # the newest request whose response reported counters
        self._newest_sent = 0
        self._in_flight: set[int] = set()
        self._sent_at: deque[float] = deque(maxlen=QUOTA)
        self._last_sent: dict[Share, float] = {}
        self._blocked_until = 0.0
        self._blocks = 0

    def delay(self, share: Share, now: float) -> float:
        """Return the seconds that a request of this share must wait; 0 means send it now."""
        if now < self._blocked_until:
            return self._blocked_until - now
        # The tightest of all counters decides.
        return max(self._counter_delay(counter, share, now) for counter in self._current(now))

    def headroom(self, share: Share, now: float) -> int:
        """Return how many requests of this share may be sent now, at the same moment.

        One where requests are spread over time, and 0 where the next one must wait.
        """
        if self.delay(share, now) > 0:
            return 0
        return min(self._counter_headroom(counter, share) for counter in self._current(now))

    def record_sent(self, share: Share, now: float) -> int:
        """Count a request as in flight; pass the returned number on with its outcome."""
        self._newest_sent += 1
        self._in_flight.add(self._newest_sent)
        self._last_sent[share] = now
        self._sent_at.append(now)
        return self._newest_sent

    def record_response(self, number: int, now: float, counters: Iterable[Counter] = ()) -> None:
        """Record a response and the counters that it reports.

        A late response does not overwrite the counters of a newer request.
        """
        self._blocks = 0
        self._settle(number, now, {counter.name: counter for counter in counters})

    def record_lost(self, number: int, now: float) -> None:
        """Record that a request ended without a response; the server may have counted it."""
        self._settle(number, now, {})

    def record_rejection(
        self,
        number: int,
        now: float,
        retry_after: timedelta | None,
        counters: Iterable[Counter] = (),
    ) -> timedelta:
        """Record a 429: nothing is sent until it is over. Return how long that is.

        Without `retry_after` or an empty counter: 30 s, doubling up to five minutes.
        """
        reported = {counter.name: counter for counter in counters}
        self._settle(number, now, reported)
        self._blocks += 1

        if retry_after is None:
            backoff = min(_FIRST_BLOCK * 2 ** min(self._blocks - 1, 8), _LONGEST_BLOCK)
            resets = [
                timedelta(seconds=counter.reset_at - now)
                for counter in reported.values()
                if counter.remaining == 0
            ]
            retry_after = max(resets, default=backoff)

        self._blocked_until = max(self._blocked_until, now + retry_after.total_seconds())
        return timedelta(seconds=self._blocked_until - now)

    def status(self, now: float) -> RateLimitStatus:
        """Return what is known to be left now."""
        tightest = min(self._current(now), key=lambda counter: counter.remaining / counter.quota)
        return RateLimitStatus(
            tightest.remaining,
            tightest.quota,
            resets_in=timedelta(seconds=tightest.reset_at - now),
            in_flight=len(self._in_flight),
            blocked_for=timedelta(seconds=max(self._blocked_until - now, 0.0)),
        )

    def _settle(self, number: int, now: float, reported: Mapping[str, Counter]) -> None:
        self._in_flight.discard(number)
        if reported and number > self._newest_reported:
            self._newest_reported = number
            self._counters = dict(reported)
        # Without a report, the request is deducted here; in flight it no longer is.
        elif not reported:
            current = [counter for counter in self._current(now) if counter.name in self._counters]
            self._counters = {
                counter.name: replace(counter, remaining=max(counter.remaining - 1, 0))
                for counter in current
            }

    def _current(self, now: float) -> list[Counter]:
        """Return the counters as they are now: full again after their reset.

        Without any, our own count of the last 300 s.
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
        while self._sent_at and self._sent_at[0] + WINDOW <= now:
            self._sent_at.popleft()
        reset_at = self._sent_at[0] + WINDOW if self._sent_at else now + WINDOW
        # Those in flight are deducted later, as for the server's counters.
        finished = max(len(self._sent_at) - len(self._in_flight), 0)
        return Counter("own", QUOTA, QUOTA - finished, reset_at)

    def _counter_delay(self, counter: Counter, share: Share, now: float) -> float:
        spendable, spread_below = self._spendable(counter, share)
        until_reset = counter.reset_at - now
        if spendable <= 0:
            return until_reset
        if spendable >= spread_below or share not in self._last_sent:
            return 0.0

        return max(self._last_sent[share] + until_reset / spendable - now, 0.0)

    def _counter_headroom(self, counter: Counter, share: Share) -> int:
        spendable, spread_below = self._spendable(counter, share)
        return max(int(spendable - spread_below), 1)

    def _spendable(self, counter: Counter, share: Share) -> tuple[int, float]:
        """Return what a share may still use, and below which rest it spreads its requests."""
        reserve = int(self._reserves[share] * counter.quota)
        # What is in flight counts as spent: its response will say so.
        spendable = counter.remaining - len(self._in_flight) - reserve
        return spendable, _SPREAD_BELOW * (counter.quota - reserve)
