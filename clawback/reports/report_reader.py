"""Collects what a report is computed from: the index of cases and undos, and the audit."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from temporalio.client import Client

from clawback.garbage_collection import without_garbage_collection
from clawback.reports.audit_facts import read_audit_facts
from clawback.reports.case_numbers import CountedCases, CountedLine, decisions_in
from clawback.reports.numbers import Evidence, RequestsUsed, build_report
from clawback.reports.report import Report
from clawback.temporal import names
from clawback.temporal.case_entries import LEAN_PAGE, list_entries
from clawback.temporal.case_index import CaseFilter

MOST_CASES: Final = 100_000
_UNDO_PREFIX: Final = names.case_undo_id("")


async def read_report(
    client: Client,
    audit: Path,
    since: datetime,
    until: datetime,
    requests: RequestsUsed | None = None,
) -> Report:
    """Read the report of a period. No workflow is asked, and no worker is needed.

    Raises:
        RPCError: the server does not answer.
        OSError: the audit cannot be read.

    """
    opened = CaseFilter(since=since, until=until, parts=True)
    earlier = CaseFilter(until=since, changed_since=since)
    lines, before, undos, blocks, facts = await asyncio.gather(
        _read_lines(client, opened),
        _read_lines(client, earlier),
        _read_undos(client, since),
        _count_blocks(client, since, until),
        asyncio.to_thread(read_audit_facts, audit, since, until),
    )
    created, ended = blocks
    evidence = Evidence(
        since=since,
        until=until,
        cases=CountedCases.of(lines, undos, decisions_in([*lines, *before], since, until)),
        audit=facts,
        blocks_created=created,
        blocks_ended=ended,
        requests=requests,
    )
    return build_report(evidence, datetime.now(UTC))


async def _read_lines(client: Client, wanted: CaseFilter) -> list[CountedLine]:
    found: list[CountedLine] = []
    with without_garbage_collection():
        async for entry in list_entries(client, wanted.query(()), MOST_CASES, LEAN_PAGE):
            found.append(CountedLine.of(entry.read_line()))
            if len(found) >= MOST_CASES:
                break
    return found


async def _read_undos(client: Client, since: datetime) -> dict[str, datetime]:
    """Read when the last undo of each case, or of messages of it, began."""
    query = f"WorkflowType = '{names.CASE_UNDO}' AND StartTime >= '{since:%FT%TZ}'"
    undos: dict[str, datetime] = {}
    async for one in client.list_workflows(query):
        case_id = "/".join(one.id.removeprefix(_UNDO_PREFIX).split("/")[:_CASE_WORDS])
        undos[case_id] = max(one.start_time, undos.get(case_id, one.start_time))
    return undos


async def _count_blocks(client: Client, since: datetime, until: datetime) -> tuple[int, int]:
    """Count the blocks that were created, and those that ended."""
    blocks = f"WorkflowType = '{names.BLOCK_EXPIRY}' AND ExecutionStatus != 'ContinuedAsNew'"
    counts = await asyncio.gather(
        *(
            client.count_workflows(
                f"{blocks} AND {time} >= '{since:%FT%TZ}' AND {time} < '{until:%FT%TZ}'"
            )
            for time in ("StartTime", "CloseTime")
        )
    )
    created, ended = (one.count for one in counts)
    return created, ended


_CASE_WORDS: Final = 3
"""Of the id of a case, which the id of its undo begins with: `case/<rule>/<hash>`."""
