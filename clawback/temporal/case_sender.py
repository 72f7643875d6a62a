"""Sends matches to cases, and those of a large campaign directly to its parts."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NoReturn

from cachetools import LRUCache
from pydantic_core import PydanticSerializationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from clawback.cases import (
    CasePlan,
    CaseStart,
    CaseTiming,
    ForwardMatches,
    Match,
    MatchSize,
    Placement,
)
from clawback.cases.part_index import has_index
from clawback.cases.summary import summarize_start
from clawback.model.size import PLAN_LIMIT, payload_size, split_by_size
from clawback.telemetry.tracing import current_trace_id
from clawback.temporal import names
from clawback.temporal.case_index import case_attributes
from clawback.temporal.data_converter import index_keys
from clawback.temporal.fan_out import CONCURRENT_SIGNALS, UNANSWERED, gather_limited
from clawback.temporal.workflow_calls import update_workflow

REFUSALS = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,  # too large, or a run that takes no more signals
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Answers that are about one case; anything else is about the server."""
ASK_FROM: Final = 256 * 1024
"""Bytes that this process has sent to a case before it asks where the next matches go."""
PLACE_TIMEOUT: Final = timedelta(seconds=45)
"""How long a case may take to say where matches go; then it gets them itself.

Longer than a workflow task may take: a case that is slow must not get more to do.
"""
PART_TASK_TIMEOUT: Final = timedelta(seconds=30)
"""How long a workflow task of a large campaign may take.

Its replay reads hundreds of messages, and on a busy machine that takes longer than the ten seconds
that other workflows have. A task that times out is replayed again, and so for ever. If a worker is
killed in such a task, others wait for so long before they take it.
"""
_MOST_CASES = 10_000
Signal = Callable[[Sequence[Match]], Awaitable[Any]]
"""Sends one batch of matches to one workflow."""
_PLACEMENT: Any = Placement | None


class CaseRefused(RuntimeError):
    """One case, or correlation shard, does not take matches now; others may."""


class PlanTooLarge(CaseRefused):
    """No case ever takes this plan. It does not fit into the payloads that carry it."""


def raise_refusal(recipient: str, error: RPCError | PydanticSerializationError) -> NoReturn:
    """Raise CaseRefused if an error is about one recipient, else the error itself."""
    if isinstance(error, RPCError):
        if error.status not in REFUSALS:
            raise error
        raise CaseRefused(f"{recipient}: {error.message}") from error
    raise CaseRefused(f"{recipient}: {error}") from error


class CaseSender:
    """Sends matches over one Temporal client. Safe to repeat: a case drops matches that it has."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._sent: LRUCache[str, int] = LRUCache(_MOST_CASES)

    @property
    def index_keys(self) -> tuple[bytes, ...]:
        """The keys of the hashes in the index, the current one first."""
        return index_keys(self.client.data_converter.payload_codec, self.client.namespace)

    async def signal_matches(
        self,
        plan: CasePlan,
        matches: Sequence[Match],
        timing: CaseTiming,
        window: str | None = None,
    ) -> None:
        """Send matches to a case and start the case if it is not open.

        `window` describes the correlation window that opens it. Safe to repeat: a case drops
        matches that it has.

        Raises:
            CaseRefused: this case does not take them now.
            RPCError: the server does not answer.

        """
        require_small(plan)
        start = CaseStart(plan=plan, timing=timing, window=window)
        try:
            await self._send(plan.case_id, 1, matches, partial(self._signal, start))
        except (RPCError, PydanticSerializationError) as error:
            raise_refusal(plan.case_id, error)

    async def join_matches(self, case_id: str, matches: Sequence[Match]) -> bool:
        """Send matches to a case; False if it is not open.

        Safe to repeat: a case drops matches that it has.

        Raises:
            CaseRefused: this case does not take them now.
            RPCError: the server does not answer.

        """
        handle = self.client.get_workflow_handle(case_id)
        try:
            await self._send(case_id, 1, matches, partial(handle.signal, names.MATCHED))
        except (RPCError, PydanticSerializationError) as error:
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise_refusal(case_id, error)
        return True

    async def signal_part(self, request: ForwardMatches) -> None:
        """Send matches to a further part of a campaign and start the part if it is not open."""
        start = CaseStart(
            plan=request.plan,
            timing=request.timing,
            part=request.part,
            campaign=request.campaign,
        )
        await self._signal(start, request.matches)

    async def _send(
        self, workflow_id: str, part: int, matches: Sequence[Match], signal: Signal
    ) -> None:
        """Send matches to a part of a campaign; if it is full, to the parts that it names."""
        if self._sent.get(workflow_id, 0) < ASK_FROM:
            await self._signal_all(workflow_id, matches, signal)
            return

        begin = 0
        for sizes in split_by_size(map(MatchSize.of, matches)):
            some = matches[begin : begin + len(sizes)]
            begin += len(sizes)
            if (placement := await self._place(workflow_id, sizes)) is None:
                await self._signal_all(workflow_id, some, signal)
                continue

            placed = _group(placement, some)
            # A match that this part has comes again: it may say more than the first time.
            await self._signal_all(workflow_id, placed.pop(part, ()), signal)
            await gather_limited(
                partial(self._send_to_part, placement), placed.items(), CONCURRENT_SIGNALS
            )

    async def _send_to_part(
        self, placement: Placement, placed: tuple[int, Sequence[Match]]
    ) -> None:
        part, matches = placed
        workflow_id = names.part_id(placement.plan.case_id, part)
        start = CaseStart(
            plan=placement.plan, timing=placement.timing, part=part, campaign=placement.campaign
        )
        signal = partial(self._signal, start)
        if has_index(part):
            await self._send(workflow_id, part, matches, signal)
        else:
            await self._signal_all(workflow_id, matches, signal)

    async def _signal_all(self, workflow_id: str, matches: Sequence[Match], signal: Signal) -> None:
        for batch in split_by_size(matches):
            await signal(batch)
            self._sent[workflow_id] = self._sent.get(workflow_id, 0) + payload_size(batch)

    async def _place(self, workflow_id: str, sizes: Sequence[MatchSize]) -> Placement | None:
        """Ask a part which parts take matches; None: send them to itself, and it passes them on."""
        handle = self.client.get_workflow_handle(workflow_id)
        try:
            placement: Placement | None = await update_workflow(
                handle, names.PLACE, [sizes], _PLACEMENT, PLACE_TIMEOUT
            )
        except UNANSWERED:
            return None
        return placement

    async def _signal(self, start: CaseStart, batch: Sequence[Match]) -> None:
        plan, key = start.plan, self.index_keys[0]
        await self.client.start_workflow(
            names.CASE if start.part == 1 else names.CASE_PART,
            start.model_copy(update={"index_key": key.hex(), "trace_id": current_trace_id()}),
            id=names.part_id(plan.case_id, start.part),
            task_queue=names.WORKFLOW_QUEUE,
            start_signal=names.MATCHED,
            start_signal_args=[batch],
            search_attributes=case_attributes(plan, datetime.now(UTC), batch, key),
            memo={names.SUMMARY_MEMO: summarize_start(start, batch)},
            static_summary=f"{plan.title or plan.rule} ({plan.mode})",
            task_timeout=PART_TASK_TIMEOUT if start.part > 1 else None,
        )


def _group(placement: Placement, matches: Sequence[Match]) -> dict[int, list[Match]]:
    part_of = {key: part for part, keys in placement.parts.items() for key in keys}
    placed: dict[int, list[Match]] = {}
    for match in matches:
        placed.setdefault(part_of[match.key], []).append(match)
    return placed


def require_small(plan: CasePlan) -> None:
    """Raise PlanTooLarge if a plan is too large for the payloads that carry it."""
    try:
        size = payload_size(plan)
    except PydanticSerializationError as error:
        raise CaseRefused(f"{plan.case_id}: {error}") from error
    if size > PLAN_LIMIT:
        raise PlanTooLarge(
            f"the plan of the rule {plan.rule} takes {size:,} bytes, more than {PLAN_LIMIT:,}: "
            "shorten its response, or group by shorter values"
        )
