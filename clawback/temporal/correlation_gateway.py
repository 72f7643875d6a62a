"""Typed calls on correlation shards: send matches, list what is being counted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic_core import PydanticSerializationError
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.cases import CasePlan, Match
from clawback.correlation.payloads import (
    CorrelationDefinition,
    CountedWindow,
    GroupMatches,
    MatchBatch,
    ShardSnapshot,
    ShardStatus,
)
from clawback.model.size import BATCH_LIMIT, payload_size, split_by_size
from clawback.temporal import names
from clawback.temporal.case_sender import CaseRefused, raise_refusal
from clawback.temporal.fan_out import CONCURRENT_SIGNALS, Answers, call_each, gather_limited
from clawback.temporal.workflow_calls import query_workflow

T = TypeVar("T")


@dataclass(frozen=True)
class CountedWindows:
    """What is being counted, and why shards are missing in it, by their id."""

    found: tuple[CountedWindow, ...]
    unanswered: Mapping[str, str]


class CorrelationGateway:
    """Typed access to correlation shards over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send_matches(
        self, found: Iterable[tuple[CasePlan, Sequence[Match]]], linger: timedelta
    ) -> dict[str, CaseRefused]:
        """Send the matches of a page: one signal per shard, which starts the shard.

        Return the shards that did not take them. Safe to repeat: a shard drops matches that it has.

        Raises:
            RPCError: the server does not answer.

        """
        refusals = dict[str, CaseRefused]()

        async def send(signal: tuple[str, MatchBatch]) -> None:
            shard, batch = signal
            try:
                await self._signal(shard, batch)
            except CaseRefused as error:
                refusals[shard] = error

        batches = build_batches(found, linger)
        signals = [(shard, one) for shard, some in batches.items() for one in some]
        await gather_limited(send, signals, CONCURRENT_SIGNALS)
        return refusals

    async def windows(self, rule: str | None = None, limit: int = 50) -> CountedWindows:
        """What is being counted now, the closest to its threshold first.

        Raises:
            QueryFailed: no shard can answer.
            RPCError: no worker answers for any shard.

        """
        asked = [datetime.now(UTC), rule, limit]
        answers = await self._query_all(names.WINDOWS, list[CountedWindow], asked)
        answers.require_any()
        found = [one for some in answers.given.values() for one in some]
        found.sort(key=lambda one: (one.wanted - one.seen, one.case))
        return CountedWindows(tuple(found[:limit]), answers.unanswered)

    async def statuses(self) -> list[ShardStatus]:
        """How full each open shard is, and how many matches wait for their case.

        Raises:
            QueryFailed: a shard cannot answer.
            RPCError: no worker answers for a shard.

        """
        return (await self._query_all(names.STATUS, ShardStatus)).require_all()

    async def _signal(self, shard: str, batch: MatchBatch) -> None:
        try:
            await self._client.start_workflow(
                names.CORRELATION,
                ShardSnapshot(),
                id=shard,
                task_queue=names.WORKFLOW_QUEUE,
                start_signal=names.MATCHED,
                start_signal_args=[batch],
            )
        except (RPCError, PydanticSerializationError) as error:
            raise_refusal(shard, error)

    async def _query_all(self, query: str, result: type[T], args: Sequence[Any] = ()) -> Answers[T]:
        """Query every open shard; at most 64."""
        running = f"WorkflowType = '{names.CORRELATION}' AND ExecutionStatus = 'Running'"
        shards = [one.id async for one in self._client.list_workflows(running)]

        async def read(shard: str) -> T:
            handle = self._client.get_workflow_handle(shard)
            return await query_workflow(handle, query, result, args)

        return await call_each(read, shards)


def build_batches(
    found: Iterable[tuple[CasePlan, Sequence[Match]]], linger: timedelta
) -> dict[str, list[MatchBatch]]:
    """Build the signals of each shard, by its workflow id; each within its bytes."""
    batches = defaultdict[str, list[MatchBatch]](list)
    sizes = dict[str, int]()
    for plan, matches in found:
        if plan.correlation is None:
            raise ValueError(f"{plan.rule} is no correlation")
        definition = CorrelationDefinition(rule=plan.rule, window=plan.correlation, linger=linger)
        shard = names.correlation_id(plan.case_id)
        for part in split_by_size(matches, BATCH_LIMIT // 2):
            group = GroupMatches(definition=definition.digest, group=plan.group, matches=part)
            size = payload_size(group)
            sizes[shard] = sizes.get(shard, BATCH_LIMIT) + size
            if sizes[shard] > BATCH_LIMIT:
                batches[shard].append(MatchBatch())
                sizes[shard] = size
            batches[shard][-1] = batches[shard][-1].adding(definition, group)
    return batches
