"""What the server's index knows of cases: their search attributes, and the filters of a list.

No address and no id is in the index. A case publishes keyed hashes of what it touches
(`clawback.cases.touches`) and keeps a summary in its memo (`clawback.cases.summary`), so no list
has to ask a case. `clawback.temporal.case_entries` reads it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from clawback.cases import CasePlan, CaseState, Match
from clawback.cases.touches import Mark, TouchedKind, Touches, touch_hash, touched_values
from clawback.model.messages import Target
from clawback.temporal import names

OPEN_STATES = tuple(state for state in CaseState if not state.is_final and not state.is_refused)
"""What a case publishes last before it closes, which only the server knows."""

CHANGES_OVERLAP: Final = timedelta(seconds=10)
"""How much earlier than it asked last somebody must ask who asks for changes again and again.

The index lags by about a second, and a change soon after another one is not marked: that would be
one more billed action.
"""


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to list; every criterion that is given must hold.

    `since` and `until` are about when a case opened, not about its newest run; `open_since` finds
    those that were open then or later. `sender` and `mailbox` are addresses, `message` an
    investigate id or a Message-ID. Each of the three holds if one message of the case fits it.
    `case` is an id, with the further parts of that case; `hash_prefix` has the first digits of the
    hash in it. `parts` also lists further parts of campaigns, each in a line of its own. `changed`
    are cases of which undo could take something back. `changed_since` finds those of which people
    see something else since then, also that they closed; `held_until_before` those that expire
    before a time if nobody decides.
    """

    state: str | None = None
    rule: str | None = None
    mode: str | None = None
    level: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    open_since: datetime | None = None
    changed_since: datetime | None = None
    held_until_before: datetime | None = None
    sender: str | None = None
    message: str | None = None
    mailbox: str | None = None
    id_prefix: str | None = None
    hash_prefix: str | None = None
    case: str | None = None
    changed: bool = False
    parts: bool = False

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
        kinds += f", '{names.CASE_PART}'" if self.parts or self.changed or self.touches else ""
        yield f"WorkflowType IN ({kinds}) AND ExecutionStatus != 'ContinuedAsNew'"
        if self.state:
            yield _state_clause(self.state)
        for clause, value in (
            (f"{names.RULE_ATTRIBUTE} = {{}}", self.rule),
            (f"{names.MODE_ATTRIBUTE} = {{}}", self.mode),
            (f"{names.LEVEL_ATTRIBUTE} = {{}}", self.level),
            (f"{names.OPENED_ATTRIBUTE} >= {{}}", self.since),
            (f"{names.OPENED_ATTRIBUTE} <= {{}}", self.until),
            ("(ExecutionStatus = 'Running' OR CloseTime >= {})", self.open_since),
            (f"({names.CHANGED_ATTRIBUTE} >= {{0}} OR CloseTime >= {{0}})", self.changed_since),
            (f"{names.HELD_UNTIL_ATTRIBUTE} < {{}}", self.held_until_before),
            ("WorkflowId STARTS_WITH {}", self.id_prefix),
            (f"{names.HASH_ATTRIBUTE} STARTS_WITH {{}}", self.hash_prefix),
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


def case_attributes(
    plan: CasePlan, opened_at: datetime, matches: Sequence[Match] = (), key: bytes = b""
) -> TypedSearchAttributes:
    """Build the search attributes that a case starts with; its first matches are in them."""
    values = {
        names.RULE_ATTRIBUTE: plan.rule,
        names.STATE_ATTRIBUTE: CaseState.RESPONDING.value,
        names.MODE_ATTRIBUTE: plan.mode.value,
        names.LEVEL_ATTRIBUTE: plan.level.value,
        names.HASH_ATTRIBUTE: plan.case_id.rpartition("/")[2],
    }
    touches = Touches(key)
    touches.add(target for match in matches for target in match.targets)
    pairs = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        for name, value in values.items()
    ]
    listed = SearchAttributePair(
        SearchAttributeKey.for_keyword_list(names.TOUCHES_ATTRIBUTE), touches.values
    )
    times = [
        SearchAttributePair(SearchAttributeKey.for_datetime(name), opened_at)
        for name in (names.OPENED_ATTRIBUTE, names.CHANGED_ATTRIBUTE)
    ]
    return TypedSearchAttributes([*pairs, listed, *times])


def _quote(value: str | datetime) -> str:
    return names.quote_value(value if isinstance(value, str) else f"{value:%FT%TZ}")


def _state_clause(state: str) -> str:
    attribute, wanted = names.STATE_ATTRIBUTE, names.quote_value(state)
    if state == CaseState.CLOSED:
        opens = ", ".join(names.quote_value(one) for one in OPEN_STATES)
        return f"(ExecutionStatus = 'Completed' AND {attribute} IN ({opens}))"
    if state in OPEN_STATES:
        return f"{attribute} = {wanted} AND ExecutionStatus != 'Completed'"
    return f"{attribute} = {wanted}"


def _touch_clause(hashes: Sequence[str]) -> str:
    values = ", ".join(names.quote_value(one) for one in (*hashes, Mark.TRUNCATED))
    return f"{names.TOUCHES_ATTRIBUTE} IN ({values})"
