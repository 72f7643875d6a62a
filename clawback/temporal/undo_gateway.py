"""Typed calls on undo: find what can be undone, start it, follow it.

The undo runs in a workflow: once it is started, it does not depend on the caller.
"""

import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from clawback.actions.outcomes import GONE
from clawback.cases.timing import CaseTiming
from clawback.cases.undo_judgement import UndoHold, UndoNote, merge_holds
from clawback.cases.undo_plan import UndoBasis, UndoPlan, UndoScope, plan_undo
from clawback.model.identity import Actor
from clawback.model.orders import SignedOrder, Verb
from clawback.model.payload import Payload
from clawback.model.size import split_by_size
from clawback.model.texts import bounded
from clawback.temporal import names
from clawback.temporal.case_entries import CaseEntry, list_entries, read_entries
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_history import HistoryUnreadable, read_case_history
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.data_converter import index_keys
from clawback.temporal.fan_out import Answers, call_each, gather_limited
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import await_result, query_workflow

MOST_HISTORIES = 100
"""Histories that the plan for many cases reads; 2,000 took ten seconds."""


class NothingKnown(LookupError):
    """What should be undone is the id of nothing: no such case or rule, no case has the message."""


class CaseRun(Payload):
    """One case as it was found: its id, the run, and the first run of its chain."""

    case: str
    run: str
    first_run: str


class CaseUndoRequest(Payload):
    """One case to undo, and how much of it."""

    case: CaseRun
    scope: UndoScope


class UndoneAction(Payload):
    """What became of taking back one kind of action, by its name (`undone_as`)."""

    action: str
    done: int = 0
    failed: int = 0
    gone: int = 0


class UndoSummary(Payload):
    """What an undo did, counted.

    `done` and `failed` count messages, blocks, policies and reclassifications, `gone` messages that
    no longer exist; `actions` has the same for each kind of action. `under_way` counts cases that
    another undo is working on, `refused` those whose undo no second person agreed to.
    """

    cases: int = 0
    done: int = 0
    failed: int = 0
    gone: int = 0
    under_way: int = 0
    refused: int = 0
    actions: tuple[UndoneAction, ...] = ()

    @classmethod
    def of(cls, outcomes: Iterable[tuple[str, str]]) -> "UndoSummary":
        """Count the outcomes of one case, each with the name of its action."""
        actions = _add_actions(_count_outcome(action, outcome) for action, outcome in outcomes)
        counts = {name: sum(getattr(one, name) for one in actions) for name in _COUNTS}
        return cls(cases=1, actions=actions, **counts)

    def plus(self, other: "UndoSummary") -> "UndoSummary":
        """Add two summaries."""
        return UndoSummary.total((self, other))

    @classmethod
    def total(cls, summaries: Iterable["UndoSummary"]) -> "UndoSummary":
        """Add summaries, of cases or of pages."""
        every = list(summaries)
        names = cls.model_fields.keys() - {"actions"}
        return cls(
            actions=_add_actions(action for one in every for action in one.actions),
            **{name: sum(getattr(one, name) for one in every) for name in names},
        )


_COUNTS: Final = ("done", "failed", "gone")
_FAILURES: Final = ("failed", "unknown")


def _count_outcome(action: str, outcome: str) -> UndoneAction:
    name = "gone" if outcome == GONE else "failed" if outcome.startswith(_FAILURES) else "done"
    return UndoneAction(action=action).model_copy(update={name: 1})


def _add_actions(counted: Iterable[UndoneAction]) -> tuple[UndoneAction, ...]:
    """Add up what was counted, by action, in the order in which actions come first."""
    sums: dict[str, dict[str, int]] = {}
    for one in counted:
        known = sums.setdefault(one.action, dict.fromkeys(_COUNTS, 0))
        for name in _COUNTS:
            known[name] += getattr(one, name)
    return tuple(UndoneAction(action=action, **counts) for action, counts in sums.items())


class UndoRequest(Payload):
    """A page of cases to undo, and what earlier runs of the workflow have done.

    `order` is that of whoever undoes it, about exactly this scope, these cases and `pages`: how
    many there are of the whole undo. `timing` says how long it waits for a second person, and
    `told_after` which channels hear of the result.
    """

    scope: UndoScope
    cases: tuple[CaseRun, ...]
    order: SignedOrder | None = None
    pages: int = 1
    timing: CaseTiming = CaseTiming()
    done: UndoSummary = UndoSummary()
    total: int = 0
    changes: int = 0
    told_after: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Identifies the scope, the cases of a page, and how many pages there are."""
        content = self.model_dump_json(include={"scope", "cases", "pages"})
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


class UndoProgress(Payload):
    """How far an undo is: cases in total, cases left, and what was done so far.

    `changes` is how much there is to take back, once that is known. `hold` is set while it waits
    for a second person. `running` has the first undos of cases that have begun and not ended.
    """

    total: int
    left: int
    undone: UndoSummary
    changes: int = 0
    hold: UndoHold | None = None
    running: tuple[str, ...] = ()

    @classmethod
    def total_of(cls, pages: Iterable["UndoProgress"]) -> "UndoProgress":
        """Add the progress of pages."""
        every = list(pages)
        holds = [one.hold for one in every if one.hold is not None]
        return cls(
            total=sum(one.total for one in every),
            left=sum(one.left for one in every),
            undone=UndoSummary.total(one.undone for one in every),
            changes=sum(one.changes for one in every),
            hold=merge_holds(holds) if holds else None,
        )


@dataclass(frozen=True)
class UndoCandidate:
    """A case of which something can be undone, its undo plan, and what it changed at all."""

    case: CaseRun
    plan: UndoPlan
    is_open: bool
    basis: UndoBasis


@dataclass(frozen=True)
class UnreadableCase:
    """A case that cannot be read, and why: nobody knows what it changed."""

    case: str
    run: str
    why: str


@dataclass(frozen=True)
class UnreadCase:
    """A case whose history the plan leaves out; it has at most so many messages.

    `counted_as` is the same for all parts of one campaign, as in a plan.
    """

    entry: CaseEntry
    messages: int
    counted_as: str

    @classmethod
    def of(cls, entry: CaseEntry) -> "UnreadCase":
        """Count what the summary of a case tells, if it can be read."""
        summary = entry.read_line().summary
        messages, campaign = (summary.messages, summary.campaign) if summary else (0, "")
        return cls(entry, messages, campaign or entry.run)


Found = UndoCandidate | UnreadableCase | UnreadCase


@dataclass(frozen=True)
class FoundUndo:
    """What can be undone, the cases that cannot be read, and those that were not read yet."""

    candidates: tuple[UndoCandidate, ...]
    unreadable: tuple[UnreadableCase, ...]
    unread: tuple[UnreadCase, ...] = ()

    @property
    def cases(self) -> int:
        """How many cases this is to people: all parts of a campaign are one."""
        counted = {one.plan.counted_as for one in self.candidates}
        return len(counted | {one.counted_as for one in self.unread})

    @property
    def parts(self) -> int:
        """How many there are of `cases` if each part counts."""
        return len(self.candidates) + len(self.unread)

    @classmethod
    def of(cls, found: Iterable[Found]) -> "FoundUndo":
        """Sort what was found: each case once, as it was read last."""
        every = list(found)
        candidates = {one.case: one for one in every if isinstance(one, UndoCandidate)}
        unreadable = {one.run: one for one in every if isinstance(one, UnreadableCase)}
        unread = {one.entry.run: one for one in every if isinstance(one, UnreadCase)}
        return cls(
            tuple(sorted(candidates.values(), key=lambda one: (one.case.case, one.case.run))),
            tuple(unreadable.values()),
            tuple(unread.values()),
        )

    def plus(self, rest: "FoundUndo") -> "FoundUndo":
        """Add what the unread cases came to."""
        return FoundUndo.of(
            (*self.candidates, *self.unreadable, *rest.candidates, *rest.unreadable)
        )


@dataclass(frozen=True)
class UndoSource:
    """What a case changed; `is_in_flight` as in `CaseRecord`."""

    basis: UndoBasis
    is_in_flight: bool


class UndoGateway:
    """Typed access to undo over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def _index_keys(self) -> tuple[bytes, ...]:
        return index_keys(self.client.data_converter.payload_codec, self.client.namespace)

    async def find(
        self, scope: UndoScope, *, case: str | None = None, rule: str | None = None
    ) -> FoundUndo:
        """Find every case of which something in `scope` can be undone, by id, by rule, or all.

        No case is asked and no worker is needed. Cases that cannot be read are reported beside. Of
        many cases, or parts, at most `MOST_HISTORIES` histories are read; `read_rest` reads the
        others.

        Raises:
            NothingKnown: there is no such case or rule, or no case has the message.
            RPCError: the server does not answer.

        """
        wanted = _filters(scope, case, rule)
        # Only its history says whether a large case has a message.
        most = MOST_HISTORIES if scope.messages is None else None
        found: list[Found] = []
        for one in wanted:
            query = replace(one, changed=True).query(self._index_keys)
            found += await self._read_all(list_entries(self.client, query), scope, most)

        if not found and (what := _describe_named(scope, case, rule)) is not None:
            await self._require_known(wanted, what)

        return FoundUndo.of(found)

    async def read_rest(self, found: FoundUndo, scope: UndoScope) -> FoundUndo:
        """Read the histories that `find` left out, and add them to what it found."""
        rest = await self._read_histories((one.entry for one in found.unread), scope)
        return found.plus(FoundUndo.of(rest))

    async def start(
        self,
        scope: UndoScope,
        cases: Iterable[CaseRun],
        timing: CaseTiming | None = None,
        *,
        note: UndoNote | None = None,
        key: str | None = None,
    ) -> tuple[str, ...]:
        """Start to undo cases; return the ids of the workflows that do it.

        Usually one. Of some thousand cases each takes a page, which is bounded in bytes. `note` is
        what lists say of it. The same `key` of the same person is the same undo, which starts once.
        """
        scope = scope.model_copy(update={"reason": bounded(scope.reason)})
        pages = list(split_by_size(cases)) or [()]
        number = _number_of(scope.actor, key)
        note = note or UndoNote(by=scope.actor.label, cases=sum(map(len, pages)))
        noted = note.model_copy(update={"reason": scope.reason, "pages": len(pages)})
        ids = [f"{names.UNDO}/{number}/{page}" for page in range(1, len(pages) + 1)]
        for id_, page in zip(ids, pages, strict=True):
            request = UndoRequest(
                scope=scope, cases=page, pages=len(pages), timing=timing or CaseTiming()
            )
            order = sign_order(
                self.client,
                Verb.UNDO,
                id_,
                scope.actor,
                reason=scope.reason,
                content=request.digest,
            )
            with suppress(WorkflowAlreadyStartedError):
                await self.client.start_workflow(
                    names.UNDO,
                    request.model_copy(update={"order": order}),
                    id=id_,
                    task_queue=names.WORKFLOW_QUEUE,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    memo={names.UNDO_MEMO: noted},
                    static_summary=f"undoes {len(page)} cases",
                )
        return tuple(ids)

    async def progress(self, ids: Sequence[str]) -> Answers[UndoProgress]:
        """Read how far each page of an undo is, with what cases that are being undone have done."""

        async def progress_of(id_: str) -> UndoProgress:
            handle = self.client.get_workflow_handle(id_)
            return await query_workflow(handle, names.STATUS, UndoProgress)

        async def add_running(id_: str) -> UndoProgress:
            page = await progress_of(id_)
            running = await call_each(self._done_of_case, page.running)
            undone = UndoSummary.total((page.undone, *running.given.values()))
            # They count as cases when they have ended.
            undone = undone.model_copy(update={"cases": page.undone.cases})
            return page.model_copy(update={"undone": undone})

        return await call_each(add_running, ids)

    async def _done_of_case(self, id_: str) -> UndoSummary:
        handle = self.client.get_workflow_handle(id_)
        return await query_workflow(handle, names.STATUS, UndoSummary)

    async def result(self, ids: Sequence[str]) -> Answers[UndoSummary]:
        """Wait until every page of an undo has ended. One that failed does not end the others."""

        async def result_of(id_: str) -> UndoSummary:
            handle = self.client.get_workflow_handle(id_, result_type=UndoSummary)
            return await await_result(handle)

        return await call_each(result_of, ids)

    async def result_of_case(self, case_uid: str) -> UndoSummary | None:
        """Read what the undo of a case did; None if there was none or it has not ended."""
        handle = self.client.get_workflow_handle(
            names.case_undo_id(case_uid), result_type=UndoSummary
        )
        try:
            described = await handle.describe()
            if described.status is not WorkflowExecutionStatus.COMPLETED:
                return None
            summary: UndoSummary = await handle.result()
        except RPCError:
            return None

        return summary

    async def _require_known(self, wanted: Iterable[CaseFilter], what: str) -> None:
        """Raise NothingKnown if what somebody named does not exist, changed or not."""
        for one in wanted:
            if await CaseGateway(self.client).find(one, limit=1):
                return
        raise NothingKnown(f"there is no {what}; `clawback case list` has all that are kept")

    async def _read_all(
        self, entries: AsyncIterator[CaseEntry], scope: UndoScope, most: int | None
    ) -> list[Found]:
        found: list[Found] = []
        behind: list[CaseEntry] = []
        async for entry in entries:
            if (basis := entry.read_undo_basis()) is None:
                behind.append(entry)
            elif (candidate := _candidate(entry, basis, scope)) is not None:
                found.append(candidate)

        # The parts of a campaign in their order: what is read of it then is of one time.
        behind.sort(key=lambda entry: names.case_and_part(entry.id))
        most = len(behind) if most is None else most
        found += await self._read_histories(behind[:most], scope)
        return [*found, *(UnreadCase.of(entry) for entry in behind[most:])]

    async def _read_histories(self, entries: Iterable[CaseEntry], scope: UndoScope) -> list[Found]:

        async def read(entry: CaseEntry) -> Found | None:
            return await self._read_history(entry, scope)

        found = await gather_limited(read, entries)
        return [one for one in found if one is not None]

    async def _read_history(self, entry: CaseEntry, scope: UndoScope) -> Found | None:
        try:
            record = await read_case_history(self.client, entry.id, entry.run)
        except (HistoryUnreadable, RPCError) as error:
            return UnreadableCase(entry.id, entry.run, str(error))
        return _candidate(entry, record.basis, scope)


async def read_undo_basis(client: Client, described: WorkflowExecutionDescription) -> UndoSource:
    """Read what a case changed: from its summary if that is true and whole, else from its history.

    Raises:
        HistoryUnreadable: neither can be read.
        RPCError: the server does not answer.

    """
    (entry,) = await read_entries(client.data_converter, [described.raw_info])
    if (basis := entry.read_undo_basis()) is not None:
        return UndoSource(basis, is_in_flight=False)

    record = await read_case_history(client, entry.id, entry.run)
    return UndoSource(record.basis, record.is_in_flight)


def _candidate(entry: CaseEntry, basis: UndoBasis, scope: UndoScope) -> UndoCandidate | None:
    """Plan the undo of one case; None if there is nothing to undo."""
    plan = plan_undo(basis, scope)
    if not plan.size and not plan.irreversible:
        return None

    first_run = plan.uid.rpartition("/")[2]
    case = CaseRun(case=entry.id, run=entry.run, first_run=first_run)
    return UndoCandidate(case, plan, entry.is_open, basis)


def first_page_id(actor: Actor, key: str) -> str:
    """Return the id of the first page of the undo that a person starts under a key."""
    return f"{names.UNDO}/{_number_of(actor, key)}/1"


def _number_of(actor: Actor, key: str | None) -> str:
    """Return the number of an undo: a new one, or that of a key of one person."""
    if key is None:
        return uuid.uuid4().hex[:12]
    content = "\0".join((*actor.identity.person, key))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _filters(scope: UndoScope, case: str | None, rule: str | None) -> list[CaseFilter]:
    """One filter, or one for each message: a case may have only one of them."""
    common = CaseFilter(case=case, rule=rule, open_since=scope.since, until=scope.until)
    if scope.messages is None:
        return [common]
    return [replace(common, message=message) for message in scope.messages]


def _describe_named(scope: UndoScope, case: str | None, rule: str | None) -> str | None:
    """What somebody named, for an error; None if they only gave a time."""
    if case is not None:
        return case
    if rule is not None:
        return f"case of the rule {rule}"
    if scope.messages is not None:
        return f"case with the message {', '.join(scope.messages)}"

    return None
