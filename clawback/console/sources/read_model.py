"""What lists read: the summaries of all cases in memory, renewed every two seconds.

It is a cache of the server's index. It decides nothing, and says how old it is.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.cases.summary import CaseSummary, DecisionNote
from clawback.console.changes import Changes
from clawback.console.sources.overlays import Overlays
from clawback.model.level import Level
from clawback.model.loggable import LoggableText
from clawback.telemetry.supervisor import BackgroundTask, Supervisor
from clawback.temporal import names
from clawback.temporal.case_entries import LEAN_PAGE, CaseLine, list_entries
from clawback.temporal.case_index import CHANGES_OVERLAP, CaseFilter

REFRESH: Final = timedelta(seconds=2)
MOST_CASES: Final = 20_000
"""Cases that are kept; the oldest closed ones go first."""
LIST_TOPIC: Final = "list"

log = structlog.get_logger("clawback")
_OPEN: Final = frozenset({CaseState.HELD, CaseState.RESPONDING, CaseState.SETTLED})


@dataclass(frozen=True, slots=True)
class ListedCase:
    """One campaign under one rule, as lists show it.

    `outcomes` has action, outcome and how often; `clauses` are those of the summary, with blanks
    between.
    """

    id: str
    run: str
    rule: str
    state: str
    mode: str
    opened_at: datetime
    closed_at: datetime | None
    level: str = ""
    subject: str = ""
    sender: str = ""
    sender_name: str = ""
    authentication: str = ""
    senders: int = 0
    messages: int = 0
    mailboxes: int = 0
    hold_cause: HoldCause | None = None
    hold_reason: str = ""
    deadline: datetime | None = None
    digest: str = ""
    proposes: tuple[str, ...] = ()
    arrived_while_held: int = 0
    approvals: int = 0
    needs: int = 0
    assignee: str = ""
    assignee_id: str = ""
    comments: int = 0
    decision: DecisionNote | None = None
    undone: DecisionNote | None = None
    changed: int = 0
    outcomes: tuple[tuple[str, str, int], ...] = ()
    campaign: str = ""
    clauses: str = ""
    unreadable: str = ""

    @classmethod
    def of(cls, line: CaseLine) -> "ListedCase":
        """Keep what lists show of a line."""
        summary = line.summary or CaseSummary(rule=line.rule)
        return cls(
            id=line.id,
            run=line.run,
            rule=intern(line.rule),
            state=intern(line.shown_state),
            mode=intern(line.mode),
            opened_at=line.opened_at,
            closed_at=line.closed_at,
            level=intern(summary.level),
            subject=summary.subject,
            sender_name=summary.sender_name,
            authentication=intern(summary.authentication),
            sender=summary.sender or "",
            senders=summary.senders,
            messages=summary.messages,
            mailboxes=summary.mailboxes,
            hold_cause=summary.hold_cause,
            hold_reason=summary.hold_reason,
            deadline=summary.deadline,
            digest=summary.digest,
            proposes=tuple(map(intern, summary.proposes)),
            arrived_while_held=summary.arrived_while_held,
            approvals=summary.approvals,
            needs=summary.needs,
            assignee=summary.assignee,
            assignee_id=summary.assignee_id,
            comments=summary.comments,
            decision=summary.decision,
            undone=summary.undone,
            changed=summary.changed,
            outcomes=tuple(
                (intern(one.action), intern(outcome), count)
                for one in summary.outcomes
                for outcome, count in one.outcomes.items()
            ),
            campaign=summary.campaign,
            # Cases of a rule share them: one text for all.
            clauses=intern(" ".join(summary.clauses)),
            unreadable=line.unreadable or "",
        )

    @property
    def text(self) -> str:
        """What a search looks through. Kept, it would take a quarter of all memory of the list."""
        return f"{self.subject} {self.sender} {self.sender_name} {self.id}".casefold()

    @property
    def key(self) -> tuple[str, datetime]:
        """What stays the same over the runs of one campaign, and differs for the next one."""
        return self.id, self.opened_at

    @property
    def hash(self) -> str:
        """The hash of the group: the last part of the id."""
        return self.id.rpartition("/")[2]

    @property
    def short_id(self) -> str:
        """The id as people read and type it."""
        return names.short_id(self.id)

    @property
    def path(self) -> str:
        """The path of its page, for this campaign and not for a later one of the same group."""
        return f"/cases/{self.rule}/{self.hash}?run={self.run[:8]}"

    @property
    def is_open(self) -> bool:
        """Whether something may still happen by itself or by a decision."""
        return self.closed_at is None and self.state in _OPEN

    @property
    def level_rank(self) -> int:
        """The rank of its level; 0 if it has none."""
        return Level(self.level).rank if self.level in set(Level) else 0


@dataclass(frozen=True)
class CaseTotals:
    """How many cases there are, by state and in all, and under which rules."""

    by_state: Mapping[str, int]
    open: int
    all: int
    rules: tuple[str, ...]

    @classmethod
    def of(cls, cases: Iterable[ListedCase]) -> "CaseTotals":
        """Count cases."""
        every = list(cases)
        return cls(
            by_state=Counter(case.state for case in every),
            open=sum(case.is_open for case in every),
            all=len(every),
            rules=tuple(sorted({case.rule for case in every})),
        )

    @property
    def held(self) -> int:
        """How many cases wait for people."""
        return self.by_state.get(CaseState.HELD, 0)


@dataclass
class ReadModel:
    """All cases of the installation, by campaign.

    `read_at` is when the server was last asked with success, `problem` what went wrong since.
    """

    client: Client
    index_keys: Callable[[], tuple[bytes, ...]]
    changes: Changes
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    read_at: datetime | None = None
    problem: str = ""
    _cases: dict[tuple[str, datetime], ListedCase] = field(default_factory=dict)
    _parts: dict[str, dict[str, int]] = field(default_factory=dict)
    _totals: CaseTotals | None = None

    def __post_init__(self) -> None:
        self._overlays = Overlays(self.now)

    @property
    def cases(self) -> Iterable[ListedCase]:
        """All cases, in no order."""
        return self._cases.values()

    @property
    def totals(self) -> CaseTotals:
        """The totals, counted once after each change: every page shows some of them."""
        if self._totals is None:
            self._totals = CaseTotals.of(self.cases)
        return self._totals

    def find(self, case_id: str, run: str = "") -> ListedCase | None:
        """Find a campaign by its case and the first digits of its run; else the newest one."""
        found = [case for case in self.cases if case.id == case_id and case.run.startswith(run)]
        return max(found, key=lambda case: case.opened_at, default=None)

    def find_by_hash(self, digits: str) -> list[ListedCase]:
        """Find the newest campaign of each case whose hash starts with digits."""
        newest: dict[str, ListedCase] = {}
        for case in self.cases:
            if case.hash.startswith(digits):
                known = newest.get(case.id)
                if known is None or known.opened_at < case.opened_at:
                    newest[case.id] = case
        return list(newest.values())

    def messages_of(self, case: ListedCase) -> int:
        """Count the messages of a campaign with all its parts."""
        parts = self._parts.get(case.campaign, {}) if case.campaign else {}
        return case.messages + sum(parts.values())

    @property
    def age(self) -> timedelta | None:
        """How long ago the server was read; None if never."""
        return None if self.read_at is None else self.now() - self.read_at

    @asynccontextmanager
    async def running(self, tasks: Supervisor) -> AsyncIterator[None]:
        """Read everything, then what changed, until the block is left."""
        async with tasks.running(BackgroundTask.CASES, self._keep_reading):
            yield

    async def refresh(self) -> None:
        """Read what has changed since the last time; everything at first.

        Raises:
            RPCError: the server does not answer.

        """
        asked_at = self.now()
        since = None if self.read_at is None else self.read_at - CHANGES_OVERLAP
        wanted = CaseFilter(changed_since=since, parts=True)
        seen: dict[tuple[str, datetime], ListedCase] = {}
        query = wanted.query(self.index_keys())
        async for entry in list_entries(self.client, query, page_size=LEAN_PAGE):
            case = self._overlays.apply(ListedCase.of(entry.read_line()))
            seen[case.key] = case
            if len(seen) >= MOST_CASES:
                break
        self._take(seen)
        self.read_at, self.problem = asked_at, ""

    def overlay(self, case: ListedCase) -> None:
        """Show what a person has just decided, before the index says so, for a minute at most."""
        if (before := self._cases.get(case.key)) is not None:
            self._overlays.put(before, case)
        self._take({case.key: case})

    def _take(self, seen: Mapping[tuple[str, datetime], ListedCase]) -> None:
        for case in seen.values():
            if names.is_part(case.id):
                self._parts.setdefault(case.campaign, {})[case.id] = case.messages

        cases = [case for case in seen.values() if not names.is_part(case.id)]
        changed = [case for case in cases if self._cases.get(case.key) != case]
        self._cases.update({case.key: case for case in changed})
        self._drop_oldest()
        if changed:
            self._totals = None
            self.changes.announce(LIST_TOPIC)
        for case in changed:
            self.changes.announce(case.id)

    def _drop_oldest(self) -> None:
        too_many = len(self._cases) - MOST_CASES
        if too_many > 0:
            by_age = sorted(self.cases, key=lambda case: (case.is_open, case.opened_at))
            for case in by_age[:too_many]:
                del self._cases[case.key]
                self._parts.pop(case.campaign, None)

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self.refresh()
            except RPCError as error:
                self._note_problem(f"the Temporal server does not answer: {error.status.name}")
            except Exception as error:  # noqa: BLE001 - whatever is wrong, the next read may be good
                log.warning("console.read_failed", error_type=type(error).__name__)
                self._note_problem(f"cases cannot be read: {type(error).__name__}")
            await asyncio.sleep(REFRESH.total_seconds())

    def _note_problem(self, problem: str) -> None:
        if not self.problem:
            log.warning("console.index_unreadable", problem=LoggableText(problem))
        self.problem = problem
