"""What the server's index knows of cases: one line per case, and the filters of a list.

No address and no id is in the index. A case publishes keyed hashes of what it touches
(`clawback.cases.touches`) and keeps a summary in its memo (`clawback.cases.summary`), so no list
has to ask a case.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from clawback.cases import CasePlan, CaseState, Match
from clawback.cases.summary import CaseSummary
from clawback.cases.touches import Mark, TouchedKind, Touches, touch_hash, touched_values
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime
from clawback.temporal import names

_ABNORMAL_ENDS = frozenset(
    {
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)
_OPEN_STATES = tuple(state for state in CaseState if not state.is_final and not state.is_refused)
"""A case does not publish that it closed: the server knows when its workflow completed."""


class CaseLine(Payload):
    """One case in a list.

    `ended` is set if the case did not end by itself: terminated, canceled, failed, timed_out.
    `summary` is None if it is `unreadable`, which says why.
    """

    id: str
    run: str
    rule: str
    state: str
    mode: str
    opened_at: UtcDatetime
    closed_at: UtcDatetime | None = None
    ended: str | None = None
    summary: CaseSummary | None = None
    unreadable: str | None = None

    @property
    def shown_state(self) -> str:
        """The state to show to people."""
        return self.ended or self.state

    @property
    def is_at_rest(self) -> bool:
        """Whether the summary is true now: the case waits, or ended by itself."""
        return self.ended is None and self.state != CaseState.RESPONDING

    def lasted(self, now: datetime) -> float:
        """Seconds from opening to close, or to `now` while the case is open."""
        return ((self.closed_at or now) - self.opened_at).total_seconds()

    def as_json(self) -> dict[str, Any]:
        """Return the line as JSON data, without the undo basis, which `undo --dry-run` shows."""
        return self.model_dump(mode="json", exclude={"summary": {"undo"}})


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to list; every criterion that is given must hold.

    `sender` and `mailbox` are addresses, `message` an investigate id or a Message-ID. Each of the
    three holds if one message of the case fits it. `case` is an id, with the further parts of
    that case. `changed` are cases of which undo could take something back.
    """

    state: str | None = None
    rule: str | None = None
    mode: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    open_since: datetime | None = None
    sender: str | None = None
    message: str | None = None
    mailbox: str | None = None
    id_prefix: str | None = None
    case: str | None = None
    changed: bool = False

    @property
    def touches(self) -> tuple[tuple[TouchedKind, str], ...]:
        """What a case must touch, by kind."""
        wanted = (
            (TouchedKind.SENDER, self.sender),
            (TouchedKind.MESSAGE, self.message),
            (TouchedKind.MAILBOX, self.mailbox),
        )
        return tuple((kind, value) for kind, value in wanted if value)

    def query(self, keys: Sequence[bytes]) -> str:
        """Build the visibility query; `keys` are those of the hashes in the index.

        It also finds cases that may fit because they touch more than the index holds.
        """
        return " AND ".join(self._clauses(keys))

    def holds_for(self, targets: Sequence[Target]) -> bool:
        """Whether messages of a case fit sender, message and mailbox."""
        touched = {one for target in targets for one in touched_values(target)}
        return all((kind, kind.fold(value)) in touched for kind, value in self.touches)

    def _clauses(self, keys: Sequence[bytes]) -> Iterator[str]:
        # Lists have one line per campaign; what is searched for may be in any of its parts.
        kinds = f"'{names.CASE}'"
        kinds += f", '{names.CASE_PART}'" if self.changed or self.touches else ""
        yield f"WorkflowType IN ({kinds}) AND ExecutionStatus != 'ContinuedAsNew'"
        if self.state:
            yield _state_clause(self.state)
        for clause, value in (
            (f"{names.RULE_ATTRIBUTE} = {{}}", self.rule),
            (f"{names.MODE_ATTRIBUTE} = {{}}", self.mode),
            ("StartTime >= {}", self.since),
            ("StartTime <= {}", self.until),
            ("(ExecutionStatus = 'Running' OR CloseTime >= {})", self.open_since),
            ("WorkflowId STARTS_WITH {}", self.id_prefix),
        ):
            if value:
                yield clause.format(_quote(value))
        if self.case:
            parts = f"WorkflowId STARTS_WITH {_quote(f'{self.case}/')}"
            yield f"(WorkflowId = {_quote(self.case)} OR {parts})"
        if self.changed:
            yield _CHANGED
        for kind, wanted in self.touches:
            yield _touch_clause([touch_hash(key, kind, wanted) for key in keys])


_CHANGED = (
    f"({names.TOUCHES_ATTRIBUTE} = '{Mark.ACTED}' "
    f"OR {names.STATE_ATTRIBUTE} = '{CaseState.RESPONDING}' "
    "OR ExecutionStatus IN ('Terminated', 'Canceled', 'Failed', 'TimedOut'))"
)
"""A case marks itself when it comes to rest; one that still acts, or was ended, may have changed
something that it has not marked yet."""


async def read_case_line(execution: WorkflowExecution) -> CaseLine:
    """Read a line from an entry of the index. A memo that cannot be read is reported in it."""
    attributes = execution.typed_search_attributes

    def read(key: str) -> str:
        return attributes.get(SearchAttributeKey.for_keyword(key)) or ""

    status, state = execution.status, read(names.STATE_ATTRIBUTE)
    is_completed = status is WorkflowExecutionStatus.COMPLETED
    summary, unreadable = await _read_summary(execution)
    return CaseLine(
        id=execution.id,
        run=execution.run_id,
        rule=read(names.RULE_ATTRIBUTE),
        state=CaseState.CLOSED if is_completed and state in _OPEN_STATES else state,
        mode=read(names.MODE_ATTRIBUTE),
        opened_at=execution.start_time.astimezone(UTC),
        closed_at=execution.close_time,
        ended=status.name.lower() if status is not None and status in _ABNORMAL_ENDS else None,
        summary=summary,
        unreadable=unreadable,
    )


def is_truncated(execution: WorkflowExecution) -> bool:
    """Whether a case touches more than the index holds."""
    key = SearchAttributeKey.for_keyword_list(names.TOUCHES_ATTRIBUTE)
    return Mark.TRUNCATED in (execution.typed_search_attributes.get(key) or ())


def case_attributes(
    plan: CasePlan, matches: Sequence[Match] = (), key: bytes = b""
) -> TypedSearchAttributes:
    """Build the search attributes that a case starts with; its first matches are in them."""
    values = {
        names.RULE_ATTRIBUTE: plan.rule,
        names.STATE_ATTRIBUTE: CaseState.RESPONDING.value,
        names.MODE_ATTRIBUTE: plan.mode.value,
    }
    touches = Touches(key)
    touches.add(target for match in matches for target in match.targets)
    pairs = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        for name, value in values.items()
    ]
    listed = SearchAttributeKey.for_keyword_list(names.TOUCHES_ATTRIBUTE)
    return TypedSearchAttributes([*pairs, SearchAttributePair(listed, touches.values)])


async def _read_summary(execution: WorkflowExecution) -> tuple[CaseSummary | None, str | None]:
    try:
        summary = await execution.memo_value(names.SUMMARY_MEMO, None, type_hint=CaseSummary)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one memo, the list goes on
        return None, f"its summary cannot be read: {type(error).__name__}"
    return summary, None if summary is not None else "it has no summary"


def _quote(value: str | datetime) -> str:
    return names.quote_value(value if isinstance(value, str) else f"{value:%FT%TZ}")


def _state_clause(state: str) -> str:
    attribute, wanted = names.STATE_ATTRIBUTE, names.quote_value(state)
    if state == CaseState.CLOSED:
        opens = ", ".join(names.quote_value(one) for one in _OPEN_STATES)
        return f"(ExecutionStatus = 'Completed' AND {attribute} IN ({opens}))"
    if state in _OPEN_STATES:
        return f"{attribute} = {wanted} AND ExecutionStatus != 'Completed'"
    return f"{attribute} = {wanted}"


def _touch_clause(hashes: Sequence[str]) -> str:
    values = ", ".join(names.quote_value(one) for one in (*hashes, Mark.TRUNCATED))
    return f"{names.TOUCHES_ATTRIBUTE} IN ({values})"
