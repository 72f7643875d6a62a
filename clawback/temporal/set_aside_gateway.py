"""Typed calls on what was set aside: matches that their case does not take, retried on their own.

So nothing that one case or rule is keeps a page from being finished (ADR 22).
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from clawback.cases import CasePlan, CaseTiming, Match
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.payload import Payload
from clawback.model.size import split_by_size
from clawback.model.texts import bounded
from clawback.temporal import names
from clawback.temporal.case_gateway import CaseRefused


class MatchesSetAside(Payload):
    """The argument of a `set-aside` workflow: matches, and the case that they are for."""

    plan: CasePlan
    timing: CaseTiming
    matches: tuple[Match, ...]


class SetAsideGateway:
    """Typed access to what was set aside over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def add(self, plan: CasePlan, matches: Sequence[Match], timing: CaseTiming) -> None:
        """Keep matches until their case takes them. Safe to repeat."""
        for batch in split_by_size(matches):
            await self.client.start_workflow(
                names.SET_ASIDE,
                MatchesSetAside(plan=plan, timing=timing, matches=batch),
                id=names.set_aside_id(plan.case_id, _digest(batch)),
                task_queue=names.WORKFLOW_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"retries {len(batch)} matches of {plan.rule}",
            )

    async def count(self) -> int:
        """Count the batches that wait now. The index may lag by a second."""
        query = f"WorkflowType = '{names.SET_ASIDE}' AND ExecutionStatus = 'Running'"
        return (await self.client.count_workflows(query)).count


def describe_set_aside(
    plan: CasePlan, matches: Sequence[Match], error: CaseRefused
) -> list[AuditRecord]:
    """Build the audit records of matches that are set aside, one each."""
    now = datetime.now(UTC)
    return [
        AuditRecord(
            id=f"set-aside/{plan.case_id}/{match.key}",
            at=now,
            kind=RecordKind.SET_ASIDE,
            rule=plan.rule,
            rule_version=plan.version,
            case=plan.case_id,
            event=match.key,
            detail=bounded(str(error)),
        )
        for match in matches
    ]


def _digest(matches: Sequence[Match]) -> str:
    # Sorted, so that the same matches of a page that is read again find their workflow.
    keys = "\0".join(sorted(match.key for match in matches))
    return hashlib.sha256(keys.encode("utf-8", "replace")).hexdigest()[:16]
