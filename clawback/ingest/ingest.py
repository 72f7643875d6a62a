"""Reads one page and returns its matches.

The same page may be read again at any time; then only what is left to do is done.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.cases import Match
from clawback.cloudflare import EmailSecurity, Page, Share, errors
from clawback.cloudflare.paging import OWN_CURSOR
from clawback.cloudflare.time_split import split_cursor
from clawback.ingest.enrichment import Enricher
from clawback.ingest.join import Joiner
from clawback.ingest.memory import IngestMemory, fingerprint
from clawback.ingest.result import IngestResult, Rejection
from clawback.ingest.split import split_match
from clawback.model.events import Event, EventKind, NotAnEvent, build_event, source_of
from clawback.model.mode import Mode
from clawback.model.polling import Lane, ReadPage
from clawback.model.time_ranges import TimeRange
from clawback.rules import RuleMatch, RuleSet
from clawback.rules.eligibility import (
    NO_TIME_TEXT,
    AgeLimit,
    Ineligibility,
    age_limit_in_force,
    cap_plan,
    find_ineligibilities,
)
from clawback.rules.engine.explanation import list_reasons
from clawback.rules.lint.clean_mail import rules_on_clean_mail

COMPLETION_TIMEOUT = timedelta(seconds=40)
"""How long the further requests of one page may take. The rest is done on the next reading."""
JOIN_PATIENCE = timedelta(minutes=2)
"""How long an event waits for its message to be indexed before rules see it without one."""
OWN_SUBMISSION = "ours"
_FEW_FAILURES = 10
_CONCURRENT_REQUESTS = 8


IsOurs = Callable[[Event], Awaitable[bool]]
"""Whether clawback itself made a submission. Raises `ApiError` if that cannot be told now."""


class EvaluationBroken(RuntimeError):
    """Every record of a page failed in the rules: our defect, so the cursor must not pass it."""


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
        polling, backfilling = api.on(Share.POLLING), api.on(Share.BACKFILLING)
        self._lanes = {lane: backfilling if lane is Lane.BACKFILL else polling for lane in Lane}
        self._rules = rules
        self._ceiling = ceiling
        self._age_limit = age_limit
        self._is_ours = is_ours
        self._joiner = Joiner(api)
        self._needs_clean_mail = ("", True)
        self.memory = IngestMemory()
        self._request_slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)
        self._enricher = Enricher(api.on(Share.ENRICHING), self._request_slots)

    async def read(self, request: ReadPage) -> IngestResult:
        """Read one page and decide what the page alone can decide.

        Events that need further requests are left in `incomplete`.

        Raises:
            clawback.cloudflare.errors.ApiError: the page could not be read.
            EvaluationBroken: evaluation failed for every record of the page.

        """
        result, began = IngestResult(read_to=request.read_to), time.monotonic()
        events = await self._read_events(request, result)
        result.fetched = timedelta(seconds=time.monotonic() - began)
        result.newest = max((event.at for event in events if event.is_dated), default=None)
        result.fresh = [event for event in events if self.memory.is_fresh(event)]

        failures = [
            await self._fails(self._decide(event, result), event, result) for event in events
        ]
        result.evaluated = timedelta(seconds=time.monotonic() - began) - result.fetched
        broken = sum(failures)
        # A bad record is rejected alone; if not one is decided, the rules are what is broken.
        if broken >= _FEW_FAILURES and broken == len(result.assessed):
            raise EvaluationBroken(f"all {broken} records failed: {result.rejected[-1].reason}")

        return result

    async def complete(
        self, page: IngestResult, within: timedelta = COMPLETION_TIMEOUT
    ) -> IngestResult:
        """Join, enrich and evaluate what a page left incomplete, as far as that is possible now.

        `within` is how long that may take, and at most `COMPLETION_TIMEOUT`.

        If anything is left, the result says why in `postponed`.
        """
        result, began = IngestResult(read_to=page.read_to), time.monotonic()
        work = (self._fails(self._complete(one, result), one, result) for one in page.incomplete)
        try:
            async with asyncio.timeout(min(within, COMPLETION_TIMEOUT).total_seconds()):
                await asyncio.gather(*work)
        except TimeoutError:
            result.postponed = errors.Unavailable("investigate", "not all could be read in time")

        result.evaluated = timedelta(seconds=time.monotonic() - began)
        return result

    # ---- reading

    async def _read_events(self, request: ReadPage, result: IngestResult) -> list[Event]:
        result.detections_only = self._reads_detections_only(request)
        page = await self._read_page(request, detections_only=result.detections_only)
        result.page, result.unseen = page.next, page.unseen
        result.rejected += [Rejection.of(item.raw, item.reason) for item in page.rejected]
        records = (item.record for item in page.items)
        events = self._build_events(records, request.source, result)
        result.records = len(events) + len(result.rejected)

        # In the server's order: only a page that was repeated as it was has the same digest.
        keys = "\0".join(event.key for event in events)
        result.digest = hashlib.sha256(keys.encode("utf-8", "replace")).hexdigest()[:16]
        if result.digest == request.former:
            result.page = _page_after_the_same(request, page)
            if result.page is None and page.is_full:
                result.unseen = (TimeRange(start=request.start, end=request.end),)

        return events

    def _reads_detections_only(self, request: ReadPage) -> bool:
        """Whether clean mail is left out: the choice of the first page, by the rules loaded now."""
        if request.source is not EventKind.MESSAGE:
            return False
        if request.detections_only is not None:
            return request.detections_only

        rules = self._rules()
        if self._needs_clean_mail[0] != rules.version:
            self._needs_clean_mail = (rules.version, bool(rules_on_clean_mail(rules)))

        return not self._needs_clean_mail[1]

    async def _read_page(self, request: ReadPage, *, detections_only: bool) -> Page[Any]:
        window: Any = {"start": request.start, "end": request.end, "per_page": request.page_size}
        if request.source is EventKind.MESSAGE:
            window["detections_only"] = detections_only
        return await _LIST_PAGE[request.source](self._lanes[request.lane], request.page, window)

    def _build_events(
        self, records: Iterable[Mapping[str, Any]], kind: EventKind, result: IngestResult
    ) -> list[Event]:
        events = []
        for record in records:
            try:
                event = build_event(kind, record, _now())
            except NotAnEvent as error:
                result.rejected.append(Rejection.of(record, str(error)))
                continue

            if not source_of(event).is_joined:
                self._joiner.remember(event, _now())

            events.append(event)

        return events

    # ---- deciding

    async def _fails(self, work: Awaitable[None], event: Event, result: IngestResult) -> bool:
        """Do the work of one event; say whether it failed by a defect, which rejects the event.

        What the API does not answer now is postponed.
        """
        try:
            await work
        except errors.ApiError as error:
            result.postponed = error
        except Exception as error:  # noqa: BLE001 - one record must never stop the others
            result.assessed.append((event.key, None))
            result.rejected.append(Rejection.of(event.as_read, f"{type(error).__name__}: {error}"))
            return True

        return False

    async def _decide(self, event: Event, result: IngestResult) -> None:
        """Decide an event by its record alone.

        Certain matches count at once, even if another rule needs more requests.
        """
        rules = self._rules()
        if self.memory.is_assessed(event, rules.version):
            return

        if source_of(event).is_joined:
            is_decided = not rules.may_match(event) or self._skip(event, result)
        else:
            is_decided = self._evaluate(event, result)

        if is_decided:
            self._assess(event, result)
        else:
            result.incomplete.append(event)

    async def _complete(self, event: Event, result: IngestResult) -> None:
        """Decide an event with whatever requests that takes."""
        known = await self._join(event) if source_of(event).is_joined else event
        if known is None:
            return

        if source_of(known).may_be_own(known) and await self._is_ours(known):
            result.skipped.append((event, OWN_SUBMISSION))
        else:
            known = await self._enrich(known)
            result.unjoined += [] if known.has_message else [known]
            self._evaluate(known, result)

        self._assess(event, result)

    async def _join(self, event: Event) -> Event | None:
        """Join a report or submission to its message; None while that may still be indexed."""
        async with self._request_slots:
            known = await self._joiner.join(event, _now())
        # One without a time is read anew with the time of each reading, and would wait for ever.
        is_patience_over = not event.is_dated or _now() - event.at >= JOIN_PATIENCE
        return known if known.has_message or is_patience_over else None

    async def _enrich(self, event: Event) -> Event:
        """Add what rules depend on."""
        if self._ineligibility(event) is not None:
            return event
        return await self._enricher.enrich(event, self._rules(), _now())

    def _assess(self, event: Event, result: IngestResult) -> None:
        result.assessed.append((event.key, fingerprint(event, self._rules().version)))

    def _evaluate(self, event: Event, result: IngestResult) -> bool:
        """Collect the certain matches; False if an enrichment would decide another rule."""
        if self._skip(event, result):
            return True
        evaluation = self._rules().evaluate(event)
        for found in evaluation.matches:
            self._collect(found, event, result)
        return not (evaluation.undecided and event.has_message)

    def _skip(self, event: Event, result: IngestResult) -> bool:
        if (reason := self._ineligibility(event)) is None:
            return False
        result.skipped.append((event, reason))
        if reason is Ineligibility.NO_TIME:
            self._report_undated(event, result)
        return True

    def _report_undated(self, event: Event, result: IngestResult) -> None:
        """Reject an event that rules may match: people must decide, for its age is unknown."""
        evaluation = self._rules().evaluate(event)
        matched = ", ".join(sorted({found.plan.rule for found in evaluation.matches}))
        if matched or evaluation.undecided or not event.has_message:
            reason = f"{NO_TIME_TEXT}; it {f'matches {matched}' if matched else 'may match a rule'}"
            result.rejected.append(Rejection.of(event.as_read, reason))

    def _ineligibility(self, event: Event) -> Ineligibility | None:
        safety = self._rules().safety
        limit = age_limit_in_force(self._age_limit, safety)
        return next(iter(find_ineligibilities(event, safety, limit, _now())), None)

    def _collect(self, found: RuleMatch, event: Event, result: IngestResult) -> None:
        case_id, condition = found.plan.case_id, found.plan.condition_version
        if self.memory.is_sent(case_id, event, found.rule, condition):
            return

        # The plans of one case are equal, and an outbreak puts a thousand of them on one page.
        is_first = case_id not in result.matches
        if is_first:
            plan = cap_plan(found.plan, self._rules().safety, self._ceiling)
            result.matches[case_id] = (plan, [])

        match = self._build_match(found, event, is_first=is_first)
        if _is_late(event, result.read_to):
            match = match.model_copy(update={"is_late": True})
        result.matches[case_id][1].extend(split_match(match, event.identity))

    def _build_match(self, found: RuleMatch, event: Event, *, is_first: bool) -> Match:
        reasons: tuple[str, ...] = ()
        if is_first:
            trees = self._rules().explain(found.rule.rpartition("/")[2], event)
            reasons = tuple(list_reasons(trees))

        return Match(
            key=event.key,
            identity=event.identity if event.version else "",
            at=event.at,
            seen_at=_now(),
            rule=found.rule,
            values=found.values,
            links=found.links,
            targets=self._rules().mark(event.targets),
            handled=event.handled,
            reasons=reasons,
            reporter=source_of(event).reporter(event) if found.plan.notifications else None,
            condition_version=found.plan.condition_version,
        )


def _is_late(event: Event, read_to: datetime | None) -> bool:
    """Whether an event could not be read yet when its time was read before, or may not have."""
    is_dated = source_of(event).has_change_time and event.is_dated
    return not is_dated or (read_to is not None and event.at < read_to)


def _page_after_the_same(request: ReadPage, page: Page[Any]) -> str | None:
    """Return what to read after a page that came twice: a server that ignores `page` repeats it.

    If it is full, the list is then read in parts of its time; else it has come to its end.
    """
    if page.next is None or page.next.startswith(OWN_CURSOR):
        return page.next
    return split_cursor(request.start, request.end) if page.is_full else None


async def _list_messages(api: EmailSecurity, page: str | None, window: Any) -> Page[Any]:
    return await api.messages(cursor=page, **window)


async def _list_reports(api: EmailSecurity, page: str | None, window: Any) -> Page[Any]:
    return await api.phishguard_reports(**_numbered(page), **window)


async def _list_submissions(api: EmailSecurity, page: str | None, window: Any) -> Page[Any]:
    return await api.submissions(**_numbered(page), **window)


def _numbered(page: str | None) -> dict[str, Any]:
    is_divided = page is not None and page.startswith(OWN_CURSOR)
    return {"cursor": page} if is_divided else {"page": int(page or 1)}


_LIST_PAGE: Mapping[EventKind, Callable[[EmailSecurity, str | None, Any], Awaitable[Page[Any]]]] = {
    EventKind.MESSAGE: _list_messages,
    EventKind.PHISHGUARD_REPORT: _list_reports,
    EventKind.SUBMISSION: _list_submissions,
}
"""Reads one page of a source in a time window."""


def _now() -> datetime:
    return datetime.now(UTC)
