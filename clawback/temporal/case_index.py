"""What the server's index knows of cases: one line per case, and the filters of a list.

Addresses and message ids are in no index. A filter on them holds against the case's own snapshot.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from clawback.cases import CasePlan, CaseSnapshot, CaseState
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


class CaseLine(Payload):
    """One case in a list.

    `ended` is set if the case did not end by itself: terminated, canceled, failed, timed_out.
    """

    id: str
    run: str
    rule: str
    state: str
    mode: str
    opened_at: UtcDatetime
    closed_at: UtcDatetime | None = None
    ended: str | None = None

    @property
    def shown_state(self) -> str:
        """The state to show to people."""
        return self.ended or self.state

    def lasted(self, now: datetime) -> float:
        """Seconds from opening to close, or to `now` while the case is open."""
        return ((self.closed_at or now) - self.opened_at).total_seconds()


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to list; every criterion that is given must hold.

    `sender` is an address or its hash (see `sender_hash`), `message` an investigate id or a
    Message-ID, `mailbox` an address.
    """

    state: str | None = None
    rule: str | None = None
    mode: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    sender: str | None = None
    message: str | None = None
    mailbox: str | None = None
    id_prefix: str | None = None

    @property
    def needs_snapshots(self) -> bool:
        """Whether the index alone cannot answer."""
        return any((self.sender, self.message, self.mailbox))

    @property
    def query(self) -> str:
        """The part that the index can answer, as a visibility query."""
        clauses = [f"WorkflowType = '{names.CASE}' AND ExecutionStatus != 'ContinuedAsNew'"]
        for attribute, value in (
            (names.STATE_ATTRIBUTE, self.state),
            (names.RULE_ATTRIBUTE, self.rule),
            (names.MODE_ATTRIBUTE, self.mode),
        ):
            clauses += [f"{attribute} = {names.quote_value(value)}"] if value else []

        clauses += [f"StartTime >= '{self.since:%FT%TZ}'"] if self.since else []
        clauses += [f"StartTime <= '{self.until:%FT%TZ}'"] if self.until else []
        if self.id_prefix:
            clauses.append(f"WorkflowId STARTS_WITH {names.quote_value(self.id_prefix)}")
        return " AND ".join(clauses)

    def holds_for(self, snapshot: CaseSnapshot | None) -> bool:
        """Whether one message of a case fits sender, message and mailbox together."""
        return snapshot is not None and any(map(self._fits, snapshot.targets.values()))

    def _fits(self, target: Target) -> bool:
        return (
            (self.sender is None or self.sender.casefold() in _sender_keys(target.sender))
            and (self.message is None or self.message in (target.id, target.message_id))
            and (
                self.mailbox is None or self.mailbox.casefold() == (target.mailbox or "").casefold()
            )
        )


def sender_hash(address: str) -> str:
    """Hash an address for use in a filter: 16 hex digits of SHA-256, case-insensitive."""
    return hashlib.sha256(address.casefold().encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_case_line(execution: WorkflowExecution) -> CaseLine:
    """Read a line from an entry of the index."""
    attributes = execution.typed_search_attributes

    def read(key: str) -> str:
        return attributes.get(SearchAttributeKey.for_keyword(key)) or ""

    status = execution.status
    return CaseLine(
        id=execution.id,
        run=execution.run_id,
        rule=read(names.RULE_ATTRIBUTE),
        state=read(names.STATE_ATTRIBUTE),
        mode=read(names.MODE_ATTRIBUTE),
        opened_at=execution.start_time.astimezone(UTC),
        closed_at=execution.close_time,
        ended=status.name.lower() if status is not None and status in _ABNORMAL_ENDS else None,
    )


def case_attributes(plan: CasePlan) -> TypedSearchAttributes:
    """Build the search attributes that a case starts with."""
    state = CaseState.WATCHING if plan.correlation else CaseState.RESPONDING
    values = {
        names.RULE_ATTRIBUTE: plan.rule,
        names.STATE_ATTRIBUTE: state.value,
        names.MODE_ATTRIBUTE: plan.mode.value,
    }
    pairs = [
        SearchAttributePair(SearchAttributeKey.for_keyword(key), value)
        for key, value in values.items()
    ]
    return TypedSearchAttributes(pairs)


def _sender_keys(address: str | None) -> tuple[str, ...]:
    return (address.casefold(), sender_hash(address)) if address else ()
