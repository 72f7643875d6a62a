"""What a case publishes of itself: state and keyed hashes in the index, a summary in its memo.

An upsert is a billed action, so few are made: nothing is published that has not changed, the end of
a case is not (the server knows it), and a case that goes on for long publishes less.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from clawback.cases import Case, CaseStart, CaseState
    from clawback.cases.summary import StoredSummary, summarize
    from clawback.cases.touches import Mark, Touches
    from clawback.temporal import names
    from clawback.temporal.case_index import CHANGES_OVERLAP

STATE = SearchAttributeKey.for_keyword(names.STATE_ATTRIBUTE)
TOUCHES = SearchAttributeKey.for_keyword_list(names.TOUCHES_ATTRIBUTE)
CHANGED = SearchAttributeKey.for_datetime(names.CHANGED_ATTRIBUTE)
HELD_UNTIL = SearchAttributeKey.for_datetime(names.HELD_UNTIL_ATTRIBUTE)

MOST_UPSERTS: Final = 20
"""Upserts of one run. After them lists look into the case, and only decisions are published."""
CATCH_UP_AFTER: Final = timedelta(minutes=1)
"""How long nothing happens to a case beyond that limit until it is published nevertheless."""
_ROUTINE = {CaseState.RESPONDING, CaseState.SETTLED}


class CasePublication:
    """Publishes a case; every message is in the index before anything is done to it."""

    def __init__(self, start: CaseStart) -> None:
        shown = workflow.info().typed_search_attributes
        self._start = start
        self._state = shown.get(STATE)
        self._published = tuple(shown.get(TOUCHES) or ())
        self._held_until = shown.get(HELD_UNTIL)
        self._changed_at = shown.get(CHANGED)
        self._touches = Touches(bytes.fromhex(start.index_key), self._published)
        self._summary: StoredSummary | None = None
        self._upserts = 0
        self.is_behind = False

    def publish_index(self, case: Case, *, is_due: bool = False) -> None:
        """Publish state and hashes if they have changed; if it `is_due`, routine too."""
        if updates := self._index_updates(case, is_due=is_due):
            self._upsert(updates)

    def publish_rest(self, case: Case, *, is_due: bool = False) -> None:
        """Publish everything: the case waits or ends, so its summary is true for a while.

        Beyond the limit, routine and small growth are published only if it `is_due`.
        """
        self.is_behind = False
        if case.has_changed:
            self._touches.mark(Mark.ACTED)
        if self._is_over_limit:
            self._touches.mark(Mark.TRUNCATED)

        updates = self._index_updates(case, is_due=is_due)
        summary, shown = self._summarize(case), self._summary
        # Doubling bounds the upserts of a long case by the logarithm of its size.
        if self._is_over_limit and shown is not None and not (is_due or _is_news(summary, shown)):
            self.is_behind = self.is_behind or summary != shown
            summary = shown

        is_changed = shown is None or summary.without_undo() != shown.without_undo()
        if updates or (is_changed and not self._has_just_changed):
            is_routine = shown is None or summary.by_people == shown.by_people
            self._upsert(updates, counts=bool(updates) or is_routine)
        if summary != shown:
            workflow.upsert_memo({names.SUMMARY_MEMO: summary})
            self._summary = summary

    def _index_updates(self, case: Case, *, is_due: bool) -> list[SearchAttributeUpdate[Any]]:
        self._touches.add(case.messages)
        current = case.campaign_state
        state: str | None = current.value
        if current is CaseState.CLOSED:
            # Only of a case that was refused does the server not know what it has become.
            state = case.closed_from.value if case.closed_from.is_refused else self._state
        elif self._is_routine(current) and not is_due:
            self.is_behind = state != self._state
            state = self._state
        values, held_until = self._touches.values, case.expires_at

        updates: list[SearchAttributeUpdate[Any]] = []
        if state and state != self._state:
            updates.append(STATE.value_set(state))
        if values != self._published:
            updates.append(TOUCHES.value_set(values))
        if held_until != self._held_until:
            updates.append(_until(held_until))
        self._state, self._published, self._held_until = state, values, held_until
        return updates

    def _upsert(self, updates: list[SearchAttributeUpdate[Any]], *, counts: bool = True) -> None:
        """Publish updates of the index, and that people see something else since now."""
        self._changed_at = workflow.now()
        workflow.upsert_search_attributes([*updates, CHANGED.value_set(self._changed_at)])
        self._upserts += counts

    @property
    def _has_just_changed(self) -> bool:
        """Whether the index says so already: who asks for changes asks a little further back."""
        at = self._changed_at
        return at is not None and workflow.now() - at < CHANGES_OVERLAP / 2

    def _summarize(self, case: Case) -> StoredSummary:
        proposal = case.propose(workflow.now())
        summary = summarize(self._start.plan, self._start.timing, case.snapshot(), proposal)
        return summary.without_undo() if self._is_over_limit else summary

    @property
    def _is_over_limit(self) -> bool:
        return self._upserts >= MOST_UPSERTS

    def _is_routine(self, state: CaseState) -> bool:
        """Whether a state need not be published at once, beyond the limit."""
        return self._is_over_limit and state in _ROUTINE and self._state in set(_ROUTINE)


def _until(time: datetime | None) -> SearchAttributeUpdate[datetime]:
    return HELD_UNTIL.value_unset() if time is None else HELD_UNTIL.value_set(time)


def _is_news(summary: StoredSummary, shown: StoredSummary) -> bool:
    """Whether a case that goes on for long has become another one, or twice as large."""
    is_other = summary.campaign != shown.campaign or summary.by_people != shown.by_people
    return is_other or summary.messages >= 2 * shown.messages
