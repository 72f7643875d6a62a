"""Finding cases: what an index knows is asked of the index, what only a case knows is asked of each case."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from clawback.cases import CaseSnapshot, CaseStart, CaseState
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime
from clawback.temporal import names

_AT_ONCE = 12


class CaseLine(Payload):
    """One case in a list.

    `ended` is how it ended if not by itself: terminated, canceled, failed.
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
        """The state as people should read it."""
        return self.ended or self.state

    def lasted(self, now: datetime) -> float:
        """Seconds since it was opened, until it was closed."""
        return ((self.closed_at or now) - self.opened_at).total_seconds()


@dataclass(frozen=True)
class CaseFilter:
    """Which cases: all that is given must hold.

    `sender` is an address or its hash, `message` an investigate id or a Message-ID.
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
    def asks_each(self) -> bool:
        """Whether the index cannot tell: addresses and message ids are in no index."""
        return any((self.sender, self.message, self.mailbox))

    @property
    def query(self) -> str:
        """What the index is asked, newest first."""
        clauses = [f"WorkflowType = '{names.CASE}' AND ExecutionStatus != 'ContinuedAsNew'"]
        clauses += [f"{names.STATE_ATTRIBUTE} = {names.quoted(self.state)}"] if self.state else []
        clauses += [f"{names.RULE_ATTRIBUTE} = {names.quoted(self.rule)}"] if self.rule else []
        clauses += [f"{names.MODE_ATTRIBUTE} = {names.quoted(self.mode)}"] if self.mode else []
        clauses += [f"StartTime >= '{self.since:%FT%TZ}'"] if self.since else []
        clauses += [f"StartTime <= '{self.until:%FT%TZ}'"] if self.until else []
        clauses += (
            [f"WorkflowId STARTS_WITH {names.quoted(self.id_prefix)}"] if self.id_prefix else []
        )
        return " AND ".join(clauses)

    def holds_for(self, memory: CaseSnapshot | None) -> bool:
        """Whether a case is about such a message."""
        return memory is not None and any(
            self._is_about(target) for target in memory.targets.values()
        )

    def _is_about(self, target: Target) -> bool:
        return (
            (self.sender is None or self.sender.casefold() in _names_of(target.sender))
            and (self.message is None or self.message in (target.id, target.message_id))
            and (
                self.mailbox is None or self.mailbox.casefold() == (target.mailbox or "").casefold()
            )
        )


def sender_hash(address: str) -> str:
    """Hash an address as lists of cases may be asked for it.

    16 hex digits of SHA-256, whatever the case of its letters.
    """
    return hashlib.sha256(address.casefold().encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _names_of(address: str | None) -> tuple[str, ...]:
    return (address.casefold(), sender_hash(address)) if address else ()


class CaseLists:
    """Lists cases over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def find(self, wanted: CaseFilter, limit: int) -> list[CaseLine]:
        """Give cases that are wanted, the newest first.

        Of too many, open ones and those that were closed last.

        Without addresses or message ids no worker needs to run.

        Raises:
            RPCError: the server, or a case that must be asked, does not answer.

        """
        if wanted.asks_each:
            found = [line async for line in self._asked(wanted, limit)]
        else:
            found = [
                case_line(execution)
                async for execution in self.client.list_workflows(wanted.query, limit=limit)
            ]
        return sorted(found, key=lambda line: line.opened_at, reverse=True)[:limit]

    async def attention_first(self, wanted: CaseFilter, limit: int) -> list[CaseLine]:
        """Give the same, those that wait for people before all others."""
        if wanted.state is not None or wanted.asks_each:
            return await self.find(wanted, limit)
        held = await self.find(replace(wanted, state=CaseState.HELD), limit)
        known = {line.run for line in held}
        return [*held, *(line for line in await self.find(wanted, limit) if line.run not in known)][
            :limit
        ]

    async def _asked(self, wanted: CaseFilter, limit: int) -> AsyncIterator[CaseLine]:
        found = 0
        batch: list[WorkflowExecution] = []
        async for execution in self.client.list_workflows(wanted.query):
            batch.append(execution)
            if len(batch) == _AT_ONCE:
                for line in await self._holding(batch, wanted):
                    yield line
                    found += 1
                batch = []
                if found >= limit:
                    return
        for line in await self._holding(batch, wanted):
            yield line

    async def _holding(
        self, executions: Sequence[WorkflowExecution], wanted: CaseFilter
    ) -> list[CaseLine]:
        memories = await asyncio.gather(*(self._memory(execution) for execution in executions))
        return [
            case_line(execution)
            for execution, memory in zip(executions, memories, strict=True)
            if wanted.holds_for(memory)
        ]

    async def _memory(self, execution: WorkflowExecution) -> CaseSnapshot | None:
        handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            start: CaseStart = await handle.query(names.STATUS, result_type=CaseStart)
        except RPCError as error:
            said = f"{execution.id} did not say what it is about; a worker must run"
            raise RPCError(said, error.status, error.raw_grpc_status) from error
        return start.memory


def case_line(execution: WorkflowExecution) -> CaseLine:
    """Read from the index what it knows of a case."""
    attributes = execution.typed_search_attributes

    def said(key: str) -> str:
        return attributes.get(SearchAttributeKey.for_keyword(key)) or ""

    odd: Any = execution.status if execution.status in _ODD_ENDS else None
    return CaseLine(
        id=execution.id,
        run=execution.run_id,
        rule=said(names.RULE_ATTRIBUTE),
        state=said(names.STATE_ATTRIBUTE),
        mode=said(names.MODE_ATTRIBUTE),
        opened_at=execution.start_time.astimezone(UTC),
        closed_at=execution.close_time,
        ended=odd.name.lower() if odd is not None else None,
    )


_ODD_ENDS = frozenset(
    {
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)
