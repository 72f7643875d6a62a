"""Typed calls on what was set aside: matches that their case does not take, retried on their own.

So nothing that one case or rule is keeps a page from being finished (ADR 22).
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic_core import PydanticSerializationError
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from clawback.cases import CasePlan, CaseTiming, Match
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.payload import Payload
from clawback.model.size import split_by_size
from clawback.model.texts import bounded
from clawback.temporal import names
from clawback.temporal.case_sender import CaseRefused, require_small


class MatchesSetAside(Payload):
    """The argument of a `set-aside` workflow: matches, and the case that they are for."""

    plan: CasePlan
    timing: CaseTiming
    matches: tuple[Match, ...]


class CannotKeep(ValueError):
    """Temporal never takes these matches, not even to keep them; the text says why."""


class SetAsideGateway:
    """Typed access to what was set aside over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def add(self, batch: MatchesSetAside) -> None:
        """Keep matches until their case takes them. Safe to repeat.

        Raises:
            CannotKeep: they cannot be kept, and a repeat would not help.
            RPCError: the server does not answer, or takes nothing now.

        """
        try:
            require_small(batch.plan)
            for matches in split_by_size(batch.matches):
                await self._start(batch.model_copy(update={"matches": matches}))
        except (CaseRefused, PydanticSerializationError) as error:
            raise CannotKeep(str(error)) from error
        except RPCError as error:
            # Too large, or not valid: about these matches. Anything else is about the server.
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            raise CannotKeep(error.message) from error

    async def _start(self, batch: MatchesSetAside) -> None:
        plan = batch.plan
        await self.client.start_workflow(
            names.SET_ASIDE,
            batch,
            id=names.set_aside_id(plan.case_id, _digest(batch.matches)),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"retries {len(batch.matches)} matches of {plan.rule}",
        )

    async def count(self) -> int:
        """Count the batches that wait now. The index may lag by a second."""
        query = f"WorkflowType = '{names.SET_ASIDE}' AND ExecutionStatus = 'Running'"
        return (await self.client.count_workflows(query)).count


def describe_refused(batch: MatchesSetAside, kind: RecordKind, why: str) -> list[AuditRecord]:
    """Build the audit records of matches that were set aside or given up, one each."""
    now, plan = datetime.now(UTC), batch.plan
    return [
        AuditRecord(
            id=f"{kind}/{plan.case_id}/{match.key}",
            at=now,
            kind=kind,
            rule=plan.rule,
            rule_version=plan.version,
            case=plan.case_id,
            event=match.key,
            detail=bounded(why),
        )
        for match in batch.matches
    ]


def _digest(matches: Sequence[Match]) -> str:
    # Sorted, so that the same matches of a page that is read again find their workflow.
    keys = "\0".join(sorted(match.key for match in matches))
    return hashlib.sha256(keys.encode("utf-8", "replace")).hexdigest()[:16]
