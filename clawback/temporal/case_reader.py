"""Reads cases: lists from the server's index, and what a case answers to a query."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.service import RPCError

from clawback.cases import (
    CaseStart,
    CaseState,
    KnownMatches,
    Match,
    Proposal,
    ProposalChange,
)
from clawback.cases.campaign import (
    campaign_state,
    find_shown,
    merge_changes,
    merge_parts,
    merge_proposals,
)
from clawback.cases.proposal_log import PastProposal
from clawback.cases.summary import CaseSummary
from clawback.model.size import split_by_size
from clawback.temporal import names
from clawback.temporal.case_entries import CaseEntry, CaseLine, list_entries
from clawback.temporal.case_history import HistoryUnreadable, read_case_history
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.case_sender import CaseSender
from clawback.temporal.fan_out import UNANSWERED, Answers, call_each, gather_limited
from clawback.temporal.workflow_calls import QueryFailed, query_workflow

ANSWER_TIMEOUT = timedelta(seconds=30)
"""How long a person waits for a part of a case: it may have to be replayed first."""
_ALL_CASES = CaseFilter()
T = TypeVar("T")


@dataclass(frozen=True)
class CaseReading:
    """A case as people see it, and the parts of it that did not answer, with the reason.

    `summaries` are those of further parts, where `case` does not have them.
    """

    case: CaseStart
    unanswered: Mapping[str, str] = field(default_factory=dict)
    summaries: tuple[CaseSummary, ...] = ()


class CaseReader(CaseSender):
    """Reads cases over one Temporal client, and sends matches to them."""

    async def count(self, state: CaseState | None = None) -> int:
        """Count the open cases, all or those in one state. The index may lag by a second."""
        query = f"WorkflowType = '{names.CASE}' AND ExecutionStatus = 'Running'"
        if state is not None:
            query += f" AND {names.STATE_ATTRIBUTE} = '{state}'"
        return (await self.client.count_workflows(query)).count

    async def find(self, wanted: CaseFilter = _ALL_CASES, limit: int = 100) -> list[CaseLine]:
        """List cases, open and closed, the newest first.

        The server returns open cases before closed ones, so beyond `limit` the closed ones are
        missing first. No case is asked: a case that cannot be read is in the list and says so.

        Raises:
            RPCError: the server does not answer.

        """
        found: list[CaseLine] = []
        async for line in self._find(wanted, limit):
            found.append(line)
            if len(found) >= limit:
                break

        found.sort(key=lambda line: line.opened_at, reverse=True)
        return await gather_limited(self._add_parts, found)

    async def find_held(self, wanted: CaseFilter, limit: int) -> list[CaseLine]:
        """List what a filter finds and is held, the oldest first: cases, and parts of campaigns.

        Each has its own digest, and counts its own messages only.

        Raises:
            RPCError: the server does not answer.

        """
        wanted = replace(wanted, state=CaseState.HELD, parts=True)
        found: list[CaseLine] = []
        async for line in self._find(wanted, limit):
            found.append(line)
            if len(found) >= limit:
                break
        return sorted(found, key=lambda line: line.opened_at)

    async def find_held_first(self, wanted: CaseFilter, limit: int) -> list[CaseLine]:
        """List cases as `find` does, but those that wait for approval before all others."""
        if wanted.state is not None:
            return await self.find(wanted, limit)

        held = await self.find(replace(wanted, state=CaseState.HELD), limit)
        known = {line.run for line in held}
        others = [line for line in await self.find(wanted, limit) if line.run not in known]
        return [*held, *others][:limit]

    async def read(self, case_id: str) -> CaseReading:
        """Read the plan and the snapshot of a case, open or closed, with all parts that answer.

        Raises:
            NoSuchWorkflow: there is no such case.
            QueryFailed: no part of it can answer.
            RPCError: the server or the workers do not answer.

        """
        first = await call_each(self._status, [case_id])
        if head := first.given.get(case_id):
            numbers = sorted(head.snapshot.parts) if head.snapshot else []
            ids = [names.part_id(case_id, number) for number in numbers]
        else:
            # Only the case knows its parts, but the index knows them too.
            ids = [one.id for one in await self.find_parts(case_id)]

        parts = await call_each(self._status, ids)
        answers = Answers({**first.given, **parts.given}, {**first.errors, **parts.errors})
        answers.require_any()
        foremost, *others = answers.given.values()
        return CaseReading(merge_parts(foremost, others), answers.unanswered)

    async def outline(self, case_id: str) -> CaseReading:
        """Read a case, and of further parts only their summaries, which no worker is needed for.

        Raises what `read` raises.
        """
        try:
            head = await self._status(case_id)
        except UNANSWERED:
            return await self.read(case_id)
        if head.snapshot is None or head.snapshot.campaign is None or not head.snapshot.parts:
            return CaseReading(head)

        counted = await self._summarize_parts(case_id, head.snapshot.campaign.id)
        ids = (names.part_id(case_id, number) for number in sorted(head.snapshot.parts))
        others = await call_each(self._status, [id_ for id_ in ids if id_ not in counted])
        case = merge_parts(head, list(others.given.values()))
        state = campaign_state(head.snapshot.state, head.snapshot.parts.values())
        snapshot = case.snapshot and case.snapshot.model_copy(update={"state": state})
        return CaseReading(
            case.model_copy(update={"snapshot": snapshot}),
            others.unanswered,
            tuple(counted.values()),
        )

    async def read_run(self, case_id: str, run: str) -> CaseReading:
        """Read an earlier campaign of a case by its run; further parts of it are left out.

        Raises what `read` raises.
        """
        return CaseReading(await self._query(case_id, names.STATUS, CaseStart, run=run))

    async def read_part(self, case_id: str, number: int) -> CaseStart:
        """Read one part of a campaign; 1 is the case itself.

        Raises:
            NoSuchWorkflow: there is no such part.
            QueryFailed: it cannot answer.
            RPCError: the server or the workers do not answer.

        """
        return await self._status(names.part_id(case_id, number))

    async def status(self, case_id: str) -> CaseStart:
        """Read a case as `read` does, and leave out what does not answer."""
        return (await self.read(case_id)).case

    async def drop_known(self, case_id: str, matches: Sequence[Match]) -> list[Match]:
        """Leave out matches that the last run of a case has, open or closed.

        `signal_matches` alone would open a closed case anew. A case that does not answer is taken
        to have none.
        """
        known: set[str] = set()
        asked: dict[int, Sequence[str]] = {1: [match.key for match in matches]}
        # A part names only parts of higher numbers, so this ends.
        while asked:
            number, keys = asked.popitem()
            for batch in split_by_size(keys):
                found = await self._find_known(names.part_id(case_id, number), batch)
                known.update(found.keys)
                for part, others in found.others.items():
                    asked[part] = (*asked.get(part, ()), *others)

        return [match for match in matches if match.key not in known]

    async def _find_known(self, workflow_id: str, keys: Sequence[str]) -> KnownMatches:
        try:
            return await self._query(workflow_id, names.KNOWN, KnownMatches, [keys])
        except UNANSWERED:
            return KnownMatches()

    async def proposals(self, case_id: str) -> Answers[Proposal]:
        """Read what each held part of a case would do; of a case that is not held, its own.

        Raises:
            NoSuchWorkflow: there is no such case.
            QueryFailed: no part of it can answer.
            RPCError: the server or the workers do not answer.

        """
        held = await self._held_parts(case_id)
        answers = await call_each(lambda part: self._query(part, names.PROPOSAL, Proposal), held)
        answers.require_any()
        return answers

    async def proposal(self, case_id: str) -> Proposal:
        """Read what an open case would do on approval, and the digest of exactly that.

        It covers the parts that answer; raises what `proposals` raises.
        """
        return merge_proposals(list((await self.proposals(case_id)).given.values()))

    async def proposal_change(self, case_id: str, digest: str) -> ProposalChange:
        """Read how what an open case would do differs from what was shown under a digest.

        It covers the held parts that answer; raises what `proposals` raises.
        """
        held = await self._held_parts(case_id)
        if len(held) == 1:
            return await self._query(held[0], names.PROPOSAL_CHANGE, ProposalChange, [digest])

        past = await call_each(
            lambda part: self._query(part, names.PAST_PROPOSALS, list[PastProposal]), held
        )
        past.require_any()
        found = find_shown(past.given, digest)
        at, shown = found or (None, {})
        changes = await call_each(
            lambda part: self._query(
                part, names.PROPOSAL_CHANGE, ProposalChange, [shown.get(part, "")]
            ),
            list(past.given),
        )
        changes.require_any()
        if at is None:
            current = merge_proposals([one.current for one in changes.given.values()])
            return ProposalChange(since=digest, current=current)
        return merge_changes(digest, at, changes.given)

    async def _status(self, workflow_id: str) -> CaseStart:
        return await self._query(workflow_id, names.STATUS, CaseStart)

    async def _query(
        self,
        workflow_id: str,
        query: str,
        result_type: type[T],
        args: Sequence[Any] = (),
        *,
        run: str | None = None,
    ) -> T:
        handle = self.client.get_workflow_handle(workflow_id, run_id=run)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds()):
                return await query_workflow(handle, query, result_type, args)
        except TimeoutError as error:
            seconds = ANSWER_TIMEOUT.total_seconds()
            raise QueryFailed(f"{workflow_id} did not answer within {seconds:g} s") from error

    async def _held_parts(self, case_id: str) -> list[str]:
        try:
            head = (await self._status(case_id)).snapshot
        except (QueryFailed, RPCError):
            parts = await self.find_parts(case_id)
            # The case itself stays in: it may be held, and its error is reported.
            return [case_id, *(one.id for one in parts if one.state == CaseState.HELD)]
        if head is None:
            return [case_id]
        held = [number for number, state in head.parts.items() if state is CaseState.HELD]
        held += [1] if head.state is CaseState.HELD or not held else []
        return [names.part_id(case_id, number) for number in sorted(held)]

    async def find_parts(self, case_id: str) -> list[CaseLine]:
        """Find the further parts of a case in the index, each once, by its newest run."""
        query = (
            f"WorkflowType = '{names.CASE_PART}' AND ExecutionStatus != 'ContinuedAsNew' "
            f"AND WorkflowId STARTS_WITH {names.quote_value(f'{case_id}/')}"
        )
        found = [one.read_line() async for one in list_entries(self.client, query)]
        found.sort(key=lambda line: line.opened_at)
        return list({line.id: line for line in found}.values())

    async def _add_parts(self, line: CaseLine) -> CaseLine:
        """Count the messages of the whole campaign in the line of its case."""
        summary = line.summary
        if summary is None or not summary.campaign or names.is_part(line.id):
            return line
        parts = await self._summarize_parts(line.id, summary.campaign)
        return line.model_copy(update={"summary": summary.plus(parts.values())})

    async def _summarize_parts(self, case_id: str, campaign: str) -> dict[str, CaseSummary]:
        """Read the summaries of the further parts of a campaign, by their ids."""
        found = {line.id: line.summary for line in await self.find_parts(case_id)}
        # An earlier campaign of the same case had the same ids.
        return {
            id_: one for id_, one in found.items() if one is not None and one.campaign == campaign
        }

    async def _find(self, wanted: CaseFilter, limit: int) -> AsyncIterator[CaseLine]:
        query = wanted.query(self.index_keys)
        async for entry in list_entries(self.client, query, limit):
            if not wanted.touches or not entry.is_truncated:
                yield entry.read_line()
            elif (line := await self._look_into(entry, wanted)) is not None:
                yield line

    async def _look_into(self, entry: CaseEntry, wanted: CaseFilter) -> CaseLine | None:
        """Decide by the history whether a case fits that touches more than the index holds."""
        line = entry.read_line()
        try:
            record = await read_case_history(self.client, line.id, line.run)
        except (HistoryUnreadable, RPCError) as error:
            return line.model_copy(update={"unreadable": str(error)})
        return line if wanted.holds_for(tuple(record.targets.values())) else None
