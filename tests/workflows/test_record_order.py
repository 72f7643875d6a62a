"""A workflow task that wrote records and is lost is taken again, with what arrived meanwhile.

Local activities leave no trace in the history of such a task, so its records are made once more, in
another order, and none of them may be missing or be written twice.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner

import workflows.case
from clawback.audit import AuditWriter
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.simulator import outbreak
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import plan, simulated
from workflows.steps.audit import write_records


def has_outcomes(records: Sequence[AuditRecord]) -> bool:
    """Whether this is a batch that says what was done."""
    return any(record.kind is RecordKind.ACTED for record in records)


def count(deployment: Deployment, kind: RecordKind) -> Counter[str | None]:
    """How often something was recorded of each event or message."""
    records = [one for one in deployment.audit() if one.kind is kind]
    return Counter(one.event or one.target for one in records)


async def test_records_of_a_lost_workflow_task(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matches that come while outcomes are written are recorded too, and outcomes once."""
    lines = list(outbreak(40))
    matches = [match_of(line) for line in lines]
    append = AuditWriter.append
    lost: list[str] = []
    runner = UnsandboxedWorkflowRunner()
    async with deployed(temporal, simulated(lines), tmp_path, runner=runner) as deployment:

        async def append_and_signal(writer: AuditWriter, records: Sequence[AuditRecord]) -> None:
            await append(writer, records)
            if has_outcomes(records) and not lost:
                lost.append("soon")
                await deployment.signal_case(plan(), *matches[20:])

        async def write_and_fail(records: Sequence[AuditRecord]) -> None:
            await write_records(records)
            if has_outcomes(records) and lost == ["soon"]:
                lost.append("now")
                raise RuntimeError("this workflow task is lost")

        monkeypatch.setattr(AuditWriter, "append", append_and_signal)
        monkeypatch.setattr(workflows.case, "write_records", write_and_fail)
        await deployment.signal_case(plan(), *matches[:20])

        async def has_acted() -> bool | None:
            return len(count(deployment, RecordKind.ACTED)) == len(lines) or None

        await eventually(has_acted)
        await deployment.settled(plan().case_id)
        assert lost == ["soon", "now"]
        assert set(count(deployment, RecordKind.ACTED).values()) == {1}
        joined = count(deployment, RecordKind.EVENT_JOINED)
        assert joined == Counter(match.key for match in matches)
