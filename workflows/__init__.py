"""Durable logic: sequence, waiting, and what to do after a failure.

One workflow a file, listed in `WORKFLOWS`. Decisions are pure functions in `clawback`. Change this
room when the order of steps changes.

What lives longer than a release, or is one for the account, moves to the current build
(`AUTO_UPGRADE`). Cases, undo and notifications name no behavior: the worker's settings decide
whether they stay on their build (ADR 30).
"""

from typing import Any

from temporalio import workflow

WORKFLOWS: list[type[Any]] = []

# The sandbox imports this package anew for every run, which needs the module of its own workflow
# only. Importing all of them would cost every case time and memory.
if not workflow.unsafe.in_sandbox():
    from workflows.access import AccessWorkflow
    from workflows.announcement import AnnouncementWorkflow
    from workflows.block_expiry import BlockExpiryWorkflow
    from workflows.case import CaseWorkflow
    from workflows.case_part import CasePartWorkflow
    from workflows.case_undo import CaseUndoWorkflow
    from workflows.correlation_shard import CorrelationShardWorkflow
    from workflows.digest import DigestWorkflow
    from workflows.guard import GuardWorkflow
    from workflows.notification import NotificationWorkflow
    from workflows.own_submission import OwnSubmissionWorkflow
    from workflows.policy_expiry import PolicyExpiryWorkflow
    from workflows.poller import PollerWorkflow
    from workflows.reconciliation import ReconciliationWorkflow
    from workflows.set_aside import SetAsideWorkflow
    from workflows.undo import UndoWorkflow
    from workflows.watchdog import WatchdogWorkflow

    WORKFLOWS += [
        AccessWorkflow,
        AnnouncementWorkflow,
        BlockExpiryWorkflow,
        CasePartWorkflow,
        CaseUndoWorkflow,
        CaseWorkflow,
        CorrelationShardWorkflow,
        DigestWorkflow,
        GuardWorkflow,
        NotificationWorkflow,
        OwnSubmissionWorkflow,
        PolicyExpiryWorkflow,
        PollerWorkflow,
        ReconciliationWorkflow,
        SetAsideWorkflow,
        UndoWorkflow,
        WatchdogWorkflow,
    ]


def workflow_types() -> set[str]:
    """Name every workflow as Temporal does."""
    # The SDK has no public way to ask for the name.
    return {str(workflow._Definition.must_from_class(kind).name) for kind in WORKFLOWS}  # noqa: SLF001


__all__ = ["WORKFLOWS", "workflow_types"]
