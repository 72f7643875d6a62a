"""What a case publishes of itself: state and keyed hashes in the index, a summary in its memo.

An upsert is a billed action, so few are made: nothing is published that has not changed, the end of
a case is not (the server knows it), and a case that goes on for long publishes less.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from clawback.cases import Case, CaseStart, CaseState
    from clawback.cases.summary import StoredSummary, summarize
    from clawback.cases.touches import Mark, Touches
    from clawback.temporal import names

STATE = SearchAttributeKey.for_keyword(names.STATE_ATTRIBUTE)
TOUCHES = SearchAttributeKey.for_keyword_list(names.TOUCHES_ATTRIBUTE)

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
        self._touches = Touches(bytes.fromhex(start.index_key), self._published)
        self._summary: StoredSummary | None = None
        self._upserts = 0
        self.is_behind = False

    def publish_index(self, case: Case, *, is_due: bool = False) -> None:
        """Publish state and hashes if they have changed; if it `is_due`, routine too."""
        self._touches.add(case.messages)
        current = case.campaign_state
        state: str | None = current.value
        if current is CaseState.CLOSED or (self._is_routine(current) and not is_due):
            self.is_behind = current is not CaseState.CLOSED and state != self._state
            state = self._state
        values = self._touches.values
        if (state, values) == (self._state, self._published):
            return

        updates: list[SearchAttributeUpdate[Any]]
        updates = [STATE.value_set(state)] if state and state != self._state else []
        if values != self._published:
            updates.append(TOUCHES.value_set(values))

        workflow.upsert_search_attributes(updates)
        self._state, self._published = state, values
        self._upserts += 1

    def publish_rest(self, case: Case, *, is_due: bool = False) -> None:
        """Publish everything: the case waits or ends, so its summary is true for a while.

        Beyond the limit, routine and small growth are published only if it `is_due`.
        """
        self.is_behind = False
        if case.has_changed:
            self._touches.mark(Mark.ACTED)
        if self._is_over_limit:
            self._touches.mark(Mark.TRUNCATED)

        self.publish_index(case, is_due=is_due)

        proposal = case.proposal() if case.state is CaseState.HELD else None
        summary = summarize(self._start.plan, self._start.timing, case.snapshot(), proposal)
        if self._is_over_limit:
            summary = summary.without_undo()
            # Doubling bounds the upserts of a long case by the logarithm of its size.
            if self._summary is not None and not is_due and not _is_news(summary, self._summary):
                self.is_behind = self.is_behind or summary != self._summary
                return

        if summary != self._summary:
            workflow.upsert_memo({names.SUMMARY_MEMO: summary})
            self._summary = summary

    @property
    def _is_over_limit(self) -> bool:
        return self._upserts >= MOST_UPSERTS

    def _is_routine(self, state: CaseState) -> bool:
        """Whether a state need not be published at once, beyond the limit."""
        return self._is_over_limit and state in _ROUTINE and self._state in set(_ROUTINE)


def _is_news(summary: StoredSummary, shown: StoredSummary) -> bool:
    """Whether a case that goes on for long has become another one, or twice as large."""
    return summary.campaign != shown.campaign or summary.messages >= 2 * shown.messages
