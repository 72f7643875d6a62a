"""One shard of the correlation windows as a pure state machine: matches in, deliveries out.

It has no clock and no I/O. A group is counted until a window of it satisfies its correlation. Then
all that is remembered of it goes to its case, and so does all that follows, until the case says
that it has closed; from then on the group is counted anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clawback.correlation.payloads import (
    CorrelationDefinition,
    CountedWindow,
    Delivery,
    DeliveryResult,
    GroupMatches,
    MatchBatch,
    ShardSnapshot,
    ShardStatus,
)
from clawback.correlation.progress import measure_progress
from clawback.correlation.shard_entry import USUAL_BYTES, ShardEntry
from clawback.correlation.shard_group import GroupPhase, ShardGroup, kept_bytes
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.record_ids import RecordIds
from clawback.model.texts import bounded

MOST_BYTES = 700 * 1024
"""What a shard remembers at most: a third of Temporal's payload limit."""
GROUP_SHARE = 4
"""A group that counts takes at most a quarter of a shard, so that it never pushes out the rest."""
MOST_COUNTED = kept_bytes(MOST_BYTES // GROUP_SHARE) // USUAL_BYTES
"""The matches that a group can always count, whatever else came before them.

A correlation that needs more may never open a case.
"""
MOST_WAITING_BYTES = 8 * 1024 * 1024
"""What a shard holds in memory at most while matches arrive faster than cases take them."""
MOST_DELIVERY_BYTES = 400 * 1024
"""Bytes of entries in one delivery; as matches they take about twice as many.

Deliveries follow one another, so their size limits how fast a large campaign reaches its case.
"""
RETRY_PAUSE = timedelta(minutes=1)
"""Wait before a delivery that the server refused is tried again."""
DELIVERY_PATIENCE = timedelta(hours=24)
"""After this, a delivery that the server refuses is dropped."""
RULE_PATIENCE = timedelta(minutes=10)
"""After this, a delivery is dropped whose rule is gone or changed on the worker that is asked.

While rules are rolled out, one worker may count for a rule that another has not loaded yet.
"""
_SHARD_FULL = "the shard is full"


@dataclass(slots=True)
class _Loss:
    """Matches of one rule that were dropped for one cause; `case` is None if of several groups."""

    case: str | None
    at: datetime
    matches: int = 0


class Shard:
    """The groups of one shard. They are kept in the order of their last activity."""

    def __init__(
        self, snapshot: ShardSnapshot, uid: str = "", most_bytes: int = MOST_BYTES
    ) -> None:
        self._most_bytes = most_bytes
        self._groups: dict[str, ShardGroup] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._run = snapshot.runs
        self._ids = RecordIds(uid, self._run)
        self._records = list(snapshot.pending_records)
        self._losses: dict[tuple[str, str], _Loss] = {}
        self._definitions = dict(snapshot.definitions)

        for state in snapshot.groups:
            group = ShardGroup.from_state(state, snapshot.definitions[state.definition])
            self._keep(_key_of(group.definition, group.group), group)

    # ---- inputs

    def take(self, batch: MatchBatch, now: datetime) -> None:
        """Take the matches of a page: count them, or keep them for the case that is open."""
        # Thousands of groups share few definitions, and each batch brings its own copies.
        definitions = {
            digest: self._shared(digest, one) for digest, one in batch.definitions.items()
        }
        for found in batch.groups:
            definition = definitions.get(found.definition)
            if definition is None:
                self.reject("matches without a definition of their correlation", now)
            else:
                self._take_group(found, definition, now)
        self._bound(now)

    def reject(self, why: str, now: datetime) -> None:
        """Record matches that could not be read."""
        self._note(RecordKind.EVENT_REJECTED, now, detail=bounded(why))

    def end_delivery(self, delivery: Delivery, result: DeliveryResult, now: datetime) -> None:
        """Note what became of a delivery."""
        group = self._groups.get(delivery.key)
        if group is None:
            return

        if result is DeliveryResult.DELIVERED:
            group.end_delivery(delivery)
        elif result is DeliveryResult.CASE_CLOSED:
            group.count_anew(now)
        elif not _is_out_of_patience(group, result, now):
            group.failing_since = group.failing_since or now
            group.retry_at = now + RETRY_PAUSE
        else:
            self._drop(delivery.key, str(result), now)
            return
        self._settle(delivery.key, group, now)

    def expire(self, now: datetime) -> None:
        """Forget what can no longer become part of a window, and cases that have long closed."""
        for key, group in list(self._groups.items()):
            group.expire(now)
            self._settle(key, group, now)

    # ---- outputs

    def due(self, now: datetime, most_bytes: int = MOST_DELIVERY_BYTES) -> tuple[Delivery, ...]:
        """The deliveries to make now, together of at most so many bytes (but at least one)."""
        found = list[Delivery]()
        left = most_bytes
        for key, group in self._waiting():
            if left <= 0:
                break
            if group.retry_at is None or group.retry_at <= now:
                found.append(group.delivery(key, left))
                left -= self._sizes[key]
        return tuple(found)

    def wake_at(self) -> datetime | None:
        """When there is something to do if nothing arrives; None if nothing is remembered.

        Either a delivery is repeated, or everything has expired. What expires before is forgotten
        when its group or the bound is touched, so that it needs no timer.
        """
        retries = [group.retry_at for _, group in self._waiting() if group.retry_at is not None]
        ends = [group.ends_at for group in self._groups.values()]
        return min(retries, default=max(ends, default=None))

    @property
    def size(self) -> int:
        """Bytes of what the shard remembers."""
        return self._size

    @property
    def is_portable(self) -> bool:
        """Whether a snapshot is within its bytes; not while much waits for its case."""
        return self._size <= self._most_bytes

    def status(self) -> ShardStatus:
        """How full the shard is, and what waits for its case."""
        return ShardStatus(
            groups=len(self._groups),
            matches=sum(len(group.entries) for group in self._groups.values()),
            bytes=self._size,
            waiting=sum(len(group.entries) for _, group in self._waiting()),
        )

    def take_records(self) -> tuple[AuditRecord, ...]:
        """Hand over the records made since the last call."""
        self._record_losses()
        records, self._records = tuple(self._records), []
        return records

    def windows(
        self, now: datetime, rule: str | None = None, limit: int = 50
    ) -> tuple[CountedWindow, ...]:
        """What is being counted, the closest to its threshold first.

        What has expired is left out, even if it has not been forgotten yet.
        """
        counted = [
            _describe(group, entries)
            for group in self._groups.values()
            if group.phase is GroupPhase.COUNTING and rule in {None, group.definition.rule}
            if (entries := group.counted(now))
        ]
        return tuple(sorted(counted, key=lambda one: (one.wanted - one.seen, one.case))[:limit])

    def snapshot(self) -> ShardSnapshot:
        """All the shard knows, for its next run."""
        self._record_losses()
        states = tuple(group.state() for group in self._groups.values())
        definitions = {one.definition.digest: one.definition for one in self._groups.values()}
        return ShardSnapshot(
            definitions=definitions,
            groups=states,
            runs=self._run + 1,
            pending_records=tuple(self._records),
        )

    # ---- groups

    def _shared(self, digest: str, definition: CorrelationDefinition) -> CorrelationDefinition:
        """Return the definition that groups hold already, if it is the same."""
        if self._definitions.get(digest) != definition:
            self._definitions[digest] = definition
        return self._definitions[digest]

    def _take_group(
        self, found: GroupMatches, definition: CorrelationDefinition, now: datetime
    ) -> None:
        key = _key_of(definition, found.group)
        group = self._groups.pop(key, None) or ShardGroup(definition, dict(found.group), now)
        group.definition = definition
        group.expire(now)
        group.add(found.matches, now)
        group.evaluate()
        if group.phase is GroupPhase.COUNTING:
            self._trim(group, self._most_bytes // GROUP_SHARE, "the group is full", now)
        self._settle(key, group, now)

    def _settle(self, key: str, group: ShardGroup, now: datetime) -> None:
        """Keep a changed group, or forget it if it is over."""
        if group.is_over(now):
            self._forget(key)
        else:
            self._keep(key, group)

    def _keep(self, key: str, group: ShardGroup) -> None:
        size = group.size
        self._groups[key] = group
        self._size += size - self._sizes.get(key, 0)
        self._sizes[key] = size

    def _forget(self, key: str) -> None:
        self._groups.pop(key, None)
        self._size -= self._sizes.pop(key, 0)

    def _waiting(self) -> Iterator[tuple[str, ShardGroup]]:
        return ((key, group) for key, group in self._groups.items() if group.is_waiting)

    # ---- the bound

    def shrink(self, now: datetime) -> None:
        """Drop what a snapshot has no room for: groups quiet longest first, satisfied ones last."""
        self._drop_quietest(self._most_bytes, now)

    def _bound(self, now: datetime) -> None:
        """Drop the groups that were quiet longest until the rest fits.

        Matches that wait for their case do not count: they leave with the next deliveries. An
        eighth is freed at once, so that the next page does not cost another search.
        """
        if self.is_portable:
            return
        self.expire(now)
        waiting = sum(self._sizes[key] for key, _ in self._waiting())
        self._drop_quietest(min(self._most_bytes * 7 // 8 + waiting, MOST_WAITING_BYTES), now)

    def _drop_quietest(self, most_bytes: int, now: datetime) -> None:
        for key in sorted(self._groups, key=lambda key: self._groups[key].is_waiting):
            if self._size <= most_bytes:
                return
            group, others = self._groups[key], self._size - self._sizes[key]
            if group.is_waiting and others < most_bytes:
                # Of a group that alone is too large, what fits is kept.
                self._trim(group, most_bytes - others - group.base_size, _SHARD_FULL, now)
                self._settle(key, group, now)
            else:
                self._drop(key, _SHARD_FULL, now)

    def _drop(self, key: str, why: str, now: datetime) -> None:
        group = self._groups[key]
        if group.entries:
            self._note_dropped(group, len(group.entries), why, now)
        self._forget(key)

    def _trim(self, group: ShardGroup, most_bytes: int, why: str, now: datetime) -> None:
        if dropped := group.trim(most_bytes):
            self._note_dropped(group, dropped, why, now)

    # ---- records

    def _note_dropped(self, group: ShardGroup, count: int, why: str, now: datetime) -> None:
        case = group.definition.case_id(group.group)
        loss = self._losses.setdefault((group.definition.rule, why), _Loss(case, now))
        loss.matches += count
        loss.at = now
        if loss.case != case:
            loss.case = None

    def _record_losses(self) -> None:
        """Make one record per rule and cause: a flood may push out a group with each match."""
        for (rule, why), loss in self._losses.items():
            groups = "" if loss.case else " of several groups"
            fields = {"case": loss.case} if loss.case else {}
            detail = f"{loss.matches} matches{groups}: {why}"
            self._note(RecordKind.MATCHES_DROPPED, loss.at, rule=rule, detail=detail, **fields)
        self._losses = {}

    def _note(self, kind: RecordKind, now: datetime, **fields: str) -> None:
        record = AuditRecord(id="", at=now, kind=kind, **fields)
        self._records.append(self._ids.identify(record))


def _is_out_of_patience(group: ShardGroup, result: DeliveryResult, now: datetime) -> bool:
    patience = DELIVERY_PATIENCE if result is DeliveryResult.FAILED else RULE_PATIENCE
    return group.failing_since is not None and now - group.failing_since >= patience


def _key_of(definition: CorrelationDefinition, group: dict[str, str | None]) -> str:
    return f"{definition.case_id(group)}@{definition.digest}"


def _describe(group: ShardGroup, counted: Sequence[ShardEntry]) -> CountedWindow:
    entries = [entry.window_entry for entry in counted]
    progress = measure_progress(group.definition.window, entries)
    times = [entry.at for entry in entries]
    return CountedWindow(
        rule=group.definition.rule,
        case=group.definition.case_id(group.group),
        group=group.group,
        seen=progress.seen,
        wanted=progress.wanted,
        missing=progress.missing,
        events=len(entries),
        oldest=min(times),
        newest=max(times),
    )
