"""One page in, matches out.

It may be asked for the same page again at any time, and then does only what is left to do.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cachetools import LRUCache

from clawback.cases import CasePlan, Match
from clawback.cloudflare import EmailSecurity, Page, Share, errors
from clawback.ingest.join import Joiner
from clawback.model.events import Event, EventKind, NotAnEvent, build_event, source_of
from clawback.model.mode import Mode
from clawback.model.polling import ReadPage
from clawback.model.texts import bounded
from clawback.rules import RuleMatch, RuleSet
from clawback.rules.eligibility import (
    AgeLimit,
    Ineligibility,
    age_limit_in_force,
    cap_plan,
    find_ineligibilities,
)
from clawback.rules.engine.explanation import list_reasons

PATIENCE = timedelta(seconds=40)
"""How long the further requests of one page may take.

What is left is done when the page is read again.
"""
JOIN_PATIENCE = timedelta(minutes=2)
"""How long a report or submission waits for its message to be indexed before rules see it without one."""
_LONGEST_RAW = 4000
_FEW = 10
_ASSESSED = 200_000
_DETECTIONS = 5_000
_FETCHES = 8


IsOurs = Callable[[Event], Awaitable[bool]]
"""Whether a submission is one that clawback made.

Raises `ApiError` where that cannot be told now.
"""


class EvaluationBroken(RuntimeError):
    """Every record of a page failed in the rules.

    A defect of ours, which must not let the cursor pass.
    """


@dataclass(frozen=True)
class Rejection:
    """A record that could not be understood.

    Its raw JSON (bounded), why, and a hash that is the same when it is read again.
    """

    raw: str
    reason: str
    digest: str

    @classmethod
    def of(cls, raw: object, reason: str) -> "Rejection":
        """Reject a record."""
        text = json.dumps(raw, ensure_ascii=False, default=str)
        return cls(
            bounded(text, _LONGEST_RAW),
            bounded(reason),
            hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16],
        )


@dataclass
class IngestResult:
    """What became of one page.

    Matches by case, what was met for the first time, what could not be understood.

    `open` are the events that need further requests (`Ingest.complete`); `postponed` is why some of
    those could not be decided yet: the window must be read again, which then does only what is left
    to do. `alone` are reports and submissions whose message is not found.
    """

    page: str | None = None
    digest: str | None = None
    records: int = 0
    fresh: list[Event] = field(default_factory=list)
    open: list[Event] = field(default_factory=list)
    skipped: list[tuple[Event, str]] = field(default_factory=list)
    alone: list[Event] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    matches: dict[str, tuple[CasePlan, list[Match]]] = field(default_factory=dict)
    postponed: errors.ApiError | None = None
    assessed: list[tuple[str, object]] = field(default_factory=list)
    newest: datetime | None = None

    @property
    def matched(self) -> int:
        """Matches, over all cases."""
        return sum(len(found) for _, found in self.matches.values())


class Ingest:
    """Reads pages and evaluates them against the rules that are loaded now."""

    def __init__(
        self,
        api: EmailSecurity,
        rules: Callable[[], RuleSet],
        *,
        ceiling: Mode,
        age_limit: AgeLimit,
        is_ours: IsOurs,
    ) -> None:
        self._api = api
        self._closer = api.on(Share.ENRICHING)
        self._rules = rules
        self._ceiling = ceiling
        self._age_limit = age_limit
        self._is_ours = is_ours
        self._joiner = Joiner(api)
        self._assessed: LRUCache[str, object] = LRUCache(_ASSESSED)
        self._met: LRUCache[str, None] = LRUCache(_ASSESSED)
        self._sent: LRUCache[tuple[str, str, str], None] = LRUCache(_ASSESSED)
        self._detections: LRUCache[str, Mapping[str, Any]] = LRUCache(_DETECTIONS)
        self._room = asyncio.Semaphore(_FETCHES)

    async def read(self, request: ReadPage) -> IngestResult:
        """Read one page and decide what can be decided by the page alone.

        What needs further requests is left in `open`.

        Raises:
            clawback.cloudflare.errors.ApiError: the page could not be read.
            EvaluationBroken: every record of the page breaks the rules' evaluation.

        """
        taken = IngestResult()
        events = await self._events(request, taken)
        taken.newest = max((event.at for event in events), default=None)
        taken.fresh = [event for event in events if event.key not in self._met]
        broken = sum(
            [await self._breaks(self._decide(event, taken), event, taken) for event in events]
        )
        if broken >= _FEW and broken == len(taken.assessed):
            raise EvaluationBroken(f"all {broken} records failed: {taken.rejected[-1].reason}")
        return self._without_known(taken)

    async def complete(self, former: IngestResult) -> IngestResult:
        """Decide what a page left open, as far as that is possible now: join, enrich, evaluate.

        What is not is `postponed`.
        """
        taken = IngestResult()
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                await asyncio.gather(
                    *(
                        self._breaks(self._complete(event, taken), event, taken)
                        for event in former.open
                    )
                )
        except TimeoutError:
            taken.postponed = errors.Unavailable(
                "investigate/{id}/detections", "not all could be read in time"
            )
        return self._without_known(taken)

    def _without_known(self, taken: IngestResult) -> IngestResult:
        taken.rejected = [
            rejection for rejection in taken.rejected if rejection.digest not in self._met
        ]
        return taken

    def mark_dispatched(self, taken: IngestResult) -> None:
        """Remember that the matches of a page have reached their cases.

        Only now need it not be done again.
        """
        for key, fingerprint in taken.assessed:
            self._assessed[key] = fingerprint
        for event in taken.fresh:
            self._met[event.key] = None
        for rejection in taken.rejected:
            self._met[rejection.digest] = None
        for case_id, (_, matches) in taken.matches.items():
            for match in matches:
                self._sent[case_id, match.key, match.rule] = None

    # ---- reading

    async def _events(self, request: ReadPage, taken: IngestResult) -> list[Event]:
        page = await self._page(request)
        taken.page = page.next
        taken.rejected += [Rejection.of(item.raw, item.reason) for item in page.rejected]
        events = self._built((item.record for item in page.items), request.source, taken)
        taken.records = len(events) + len(taken.rejected)
        taken.digest = hashlib.sha256(
            "\0".join(event.key for event in events).encode("utf-8", "replace")
        ).hexdigest()[:16]
        if (
            taken.digest == request.former
        ):  # a server that ignores `page` gives the same page for ever
            taken.page = None
        return events

    async def _page(self, request: ReadPage) -> Page[Any]:
        window: Any = {"start": request.start, "end": request.end, "per_page": request.page_size}
        return await _LIST_PAGE[request.source](self._api, request.page, window)

    def _built(
        self,
        records: Iterable[Mapping[str, Any]],
        kind: EventKind,
        taken: IngestResult,
    ) -> list[Event]:
        events = []
        for record in records:
            try:
                event = build_event(kind, record, _now())
            except NotAnEvent as error:
                taken.rejected.append(Rejection.of(record, str(error)))
                continue
            if not source_of(event).is_joined:
                self._joiner.remember(event, _now())
            events.append(event)
        return events

    # ---- evaluating

    async def _breaks(self, assessing: Awaitable[None], event: Event, taken: IngestResult) -> bool:
        """Assess one event, and say whether that broke.

        What cannot be asked now is postponed; a defect rejects that event alone.
        """
        try:
            await assessing
        except errors.ApiError as error:
            taken.postponed = error
        except Exception as error:  # noqa: BLE001 - one record must never stop the others
            taken.assessed.append((event.key, None))
            taken.rejected.append(Rejection.of(event.record, f"{type(error).__name__}: {error}"))
            return True
        return False

    async def _decide(self, event: Event, taken: IngestResult) -> None:
        """Decide an event by its record alone.

        Every match that is certain counts, even while another rule is open.
        """
        if self._assessed.get(event.key) == _fingerprint(event, self._rules().version):
            return
        if not source_of(event).is_joined:
            is_decided = self._evaluate(event, taken)
        else:
            is_decided = not self._rules().may_match(event) or self._is_skipped(event, taken)
        if is_decided:
            self._assess(event, taken)
        else:
            taken.open.append(event)

    async def _complete(self, event: Event, taken: IngestResult) -> None:
        """Decide an event with whatever requests that takes."""
        known = await self._joined(event) if source_of(event).is_joined else event
        if known is None:
            return
        if await self._is_own(known):
            taken.skipped.append((event, "ours"))
        else:
            if (
                self._ineligible(known) is None
                and known.targets
                and self._rules().evaluate(known).undecided
            ):
                known = known.with_detections(await self._detections_of(known.targets[0].id))
            taken.alone += [] if known.targets else [known]
            self._evaluate(known, taken)
        self._assess(event, taken)

    async def _joined(self, event: Event) -> Event | None:
        """Join a report or submission to its message; None while that may still come."""
        async with self._room:
            known = await self._joiner.join(event, _now())
        return known if known.targets or _now() - event.at >= JOIN_PATIENCE else None

    async def _is_own(self, event: Event) -> bool:
        """Whether rules must not see it, because it is what we submitted ourselves.

        What a user submits never is.
        """
        return source_of(event).may_be_own(event) and await self._is_ours(event)

    def _assess(self, event: Event, taken: IngestResult) -> None:
        taken.assessed.append((event.key, _fingerprint(event, self._rules().version)))

    def _evaluate(self, event: Event, taken: IngestResult) -> bool:
        """Collect the matches that are certain.

        False while a rule is open that knowing the detections would decide.
        """
        if self._is_skipped(event, taken):
            return True
        evaluation = self._rules().evaluate(event)
        for found in evaluation.matches:
            self._collect(found, event, taken)
        return not (evaluation.undecided and event.targets)

    def _is_skipped(self, event: Event, taken: IngestResult) -> bool:
        if (reason := self._ineligible(event)) is None:
            return False
        taken.skipped.append((event, reason))
        return True

    def _ineligible(self, event: Event) -> Ineligibility | None:
        safety = self._rules().safety
        limit = age_limit_in_force(self._age_limit, safety)
        return next(iter(find_ineligibilities(event, safety, limit, _now())), None)

    async def _detections_of(self, message: str) -> Mapping[str, Any]:
        known = self._detections.get(message)
        if known is None:
            async with self._room:
                known = await self._fetched(message)
            self._detections[message] = known
        return known

    async def _fetched(self, message: str) -> Mapping[str, Any]:
        try:
            return await self._closer.detections(message)
        except (errors.NotFound, errors.InvalidRequest):
            return {}

    def _collect(self, found: RuleMatch, event: Event, taken: IngestResult) -> None:
        case_id = found.plan.case_id
        if (case_id, event.key, found.rule) in self._sent:
            return
        is_first = case_id not in taken.matches
        # the plans of one case differ in nothing: an outbreak puts a thousand of them on one page
        if is_first:
            taken.matches[case_id] = (self._effective(found.plan), [])
        match = Match(
            key=event.key,
            identity=event.identity if event.version else "",
            at=event.at,
            seen_at=_now(),
            rule=found.rule,
            value=found.value,
            links=found.links,
            targets=event.targets,
            handled=event.handled,
            reasons=list_reasons(self._rules().explain(found.rule.rpartition("/")[2], event))
            if is_first
            else (),
            reporter=source_of(event).reporter(event) if found.plan.notifications else None,
        )
        taken.matches[case_id][1].append(match)

    def _effective(self, plan: CasePlan) -> CasePlan:
        return cap_plan(plan, self._rules().safety, self._ceiling)


async def _list_messages(api: EmailSecurity, page: str | None, window: Any) -> Page[Any]:
    return await api.messages(cursor=page, detections_only=False, **window)


async def _list_reports(api: EmailSecurity, page: str | None, window: Any) -> Page[Any]:
    return await api.phishguard_reports(page=int(page or 1), **window)


async def _list_submissions(api: EmailSecurity, page: str | None, window: Any) -> Page[Any]:
    return await api.submissions(page=int(page or 1), **window)


_LIST_PAGE: Mapping[EventKind, Callable[[EmailSecurity, str | None, Any], Awaitable[Page[Any]]]] = {
    EventKind.MESSAGE: _list_messages,
    EventKind.PHISHGUARD_REPORT: _list_reports,
    EventKind.SUBMISSION: _list_submissions,
}
"""Reads one page of a source in a time window."""


def _now() -> datetime:
    return datetime.now(UTC)


def _fingerprint(event: Event, version: str) -> object:
    """What of a record can change a decision later on.

    Its verdict, and what was done to it since.
    """
    record = event.record
    operations = record.get("post_delivery_operations")
    return (
        version,
        record.get("final_disposition"),
        record.get("disposition"),
        record.get("updated_at"),
        event.handled,
        len(operations) if isinstance(operations, list) else 0,
    )
