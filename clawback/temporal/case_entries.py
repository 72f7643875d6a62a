"""Reads cases from the server's index: page by page, and of each case only what is asked for.

The SDK's own list decodes every attribute of every workflow twice, which takes longer than all the
rest of a list of cases.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payload as RawPayload
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)
from temporalio.client import Client
from temporalio.converter import DataConverter

from clawback.cases import CaseState
from clawback.cases.summary import CaseSummary, StoredSummary
from clawback.cases.touches import Mark
from clawback.cases.undo_plan import UndoBasis
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime, parse_time
from clawback.temporal import names
from clawback.temporal.case_index import OPEN_STATES

LARGEST_PAGE = 1000
"""The server gives no larger pages."""
LEAN_PAGE = 200
"""For whoever keeps little of each entry: two pages of the largest size take 15 MiB."""
_ABNORMAL_ENDS: Mapping[int, str] = {
    Status.WORKFLOW_EXECUTION_STATUS_TERMINATED: "terminated",
    Status.WORKFLOW_EXECUTION_STATUS_CANCELED: "canceled",
    Status.WORKFLOW_EXECUTION_STATUS_FAILED: "failed",
    Status.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: "timed_out",
}
S = TypeVar("S", bound=CaseSummary)


class CaseLine(Payload):
    """One case in a list.

    `changed_at` is when people saw something change last, other than that it closed. `ended` is set
    if the case did not end by itself: terminated, canceled, failed, timed_out.
    `summary` is None if it is `unreadable`, which says why.
    """

    id: str
    run: str
    rule: str
    state: str
    mode: str
    opened_at: UtcDatetime
    changed_at: UtcDatetime | None = None
    closed_at: UtcDatetime | None = None
    ended: str | None = None
    summary: CaseSummary | None = None
    unreadable: str | None = None

    @property
    def shown_state(self) -> str:
        """The state to show to people."""
        return self.ended or self.state

    def lasted(self, now: datetime) -> float:
        """Seconds from opening to close, or to `now` while the case is open."""
        return ((self.closed_at or now) - self.opened_at).total_seconds()

    def as_json(self) -> dict[str, Any]:
        """Return the line as JSON data."""
        return self.model_dump(mode="json")


class CaseEntry:
    """One case as the index has it.

    `memo` is the payload of its summary, decrypted; or the error of that; or None if there is none.
    """

    def __init__(
        self,
        info: WorkflowExecutionInfo,
        converter: DataConverter,
        memo: RawPayload | Exception | None,
    ) -> None:
        self._info, self._converter, self._memo = info, converter, memo
        self.id = info.execution.workflow_id
        self.run = info.execution.run_id

    @property
    def is_open(self) -> bool:
        """Whether the workflow of the case has not ended."""
        return not self._info.HasField("close_time")

    @property
    def ended(self) -> str | None:
        """How the workflow ended, if the case did not end by itself."""
        return _ABNORMAL_ENDS.get(self._info.status)

    @property
    def is_truncated(self) -> bool:
        """Whether the case touches more than the index holds."""
        return Mark.TRUNCATED in (self._read_attribute(names.TOUCHES_ATTRIBUTE) or ())

    def read_line(self) -> CaseLine:
        """Decode the line. A memo that cannot be read is reported in it."""
        summary, unreadable = self._read_summary(CaseSummary)
        closed_at = None if self.is_open else self._info.close_time.ToDatetime(UTC)

        return CaseLine(
            id=self.id,
            run=self.run,
            rule=self._read_keyword(names.RULE_ATTRIBUTE),
            state=self._state,
            mode=self._read_keyword(names.MODE_ATTRIBUTE),
            opened_at=self._opened_at,
            changed_at=parse_time(self._read_attribute(names.CHANGED_ATTRIBUTE)),
            closed_at=closed_at,
            ended=self.ended,
            summary=summary,
            unreadable=unreadable,
        )

    def read_undo_basis(self) -> UndoBasis | None:
        """Decode what the case changed; None if only its history says that.

        The summary is true while the case waits, and after it ended by itself.
        """
        if self.ended is not None or self._state == CaseState.RESPONDING:
            return None

        summary, _ = self._read_summary(StoredSummary)
        if summary is None or not summary.has_whole_undo:
            return None
        return summary.undo or UndoBasis(case=self.id, uid="", rule=summary.rule)

    @property
    def _opened_at(self) -> datetime:
        # The start time of the server is that of the newest run.
        started = self._info.start_time.ToDatetime(UTC)
        return parse_time(self._read_attribute(names.OPENED_ATTRIBUTE)) or started

    @property
    def _state(self) -> str:
        state = self._read_keyword(names.STATE_ATTRIBUTE)
        # A case does not publish that it closed: the server knows when its workflow completed.
        is_completed = self._info.status == Status.WORKFLOW_EXECUTION_STATUS_COMPLETED
        return CaseState.CLOSED if is_completed and state in OPEN_STATES else state

    def _read_attribute(self, name: str) -> Any:
        payload = self._info.search_attributes.indexed_fields.get(name)
        try:
            return None if payload is None else json.loads(payload.data)
        except ValueError:
            return None

    def _read_keyword(self, name: str) -> str:
        value = self._read_attribute(name)
        return value if isinstance(value, str) else ""

    def _read_summary(self, kind: type[S]) -> tuple[S | None, str | None]:
        if self._memo is None:
            return None, "it has no summary"
        if isinstance(self._memo, Exception):
            return None, _describe(self._memo)

        try:
            return self._converter.payload_converter.from_payload(self._memo, kind), None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one memo, the list goes on
            return None, _describe(error)


async def list_entries(
    client: Client, query: str, expected: int | None = None, page_size: int = LARGEST_PAGE
) -> AsyncIterator[CaseEntry]:
    """List the cases that a visibility query finds, in the order of the server.

    The next page is under way while one is decoded, unless `expected` cases have been found. A page
    has at most `page_size` of them.

    Raises:
        RPCError: the server does not answer.

    """
    size = min(expected or page_size, page_size)
    page, seen = await _fetch(client, query, size, b""), 0
    while True:
        seen += len(page.executions)
        token = page.next_page_token
        is_wanted = bool(token) and (expected is None or seen < expected)
        ahead = asyncio.ensure_future(_fetch(client, query, size, token)) if is_wanted else None
        try:
            for entry in await read_entries(client.data_converter, page.executions):
                yield entry
            if not token:
                return
            page = await (ahead or _fetch(client, query, size, token))
        finally:
            if ahead is not None:
                ahead.cancel()


async def read_entries(
    converter: DataConverter, infos: Iterable[WorkflowExecutionInfo]
) -> list[CaseEntry]:
    """Read entries of the index; their memos go through the codec together."""
    found = list(infos)
    memos = [info.memo.fields.get(names.SUMMARY_MEMO) for info in found]
    decoded = iter(await _decode_each(converter, [memo for memo in memos if memo is not None]))
    return [
        CaseEntry(info, converter, next(decoded) if memo is not None else None)
        for info, memo in zip(found, memos, strict=True)
    ]


async def _decode_each(
    converter: DataConverter, payloads: Sequence[RawPayload]
) -> Sequence[RawPayload | Exception]:
    codec = converter.payload_codec
    if codec is None:
        return payloads

    try:
        return await codec.decode(payloads)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are read
        if len(payloads) == 1:
            return [error]

    return [one for payload in payloads for one in await _decode_each(converter, [payload])]


async def _fetch(
    client: Client, query: str, size: int, token: bytes
) -> ListWorkflowExecutionsResponse:
    request = ListWorkflowExecutionsRequest(
        namespace=client.namespace, query=query, page_size=size, next_page_token=token
    )
    return await client.workflow_service.list_workflow_executions(request, retry=True)


def _describe(error: Exception) -> str:
    return f"its summary cannot be read: {type(error).__name__}"
