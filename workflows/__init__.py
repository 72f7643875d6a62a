"""Durable logic only: sequence, waiting, and what to do after a failure.

Decisions are made by pure functions in `clawback`.
"""

from typing import Any

from temporalio import workflow

WORKFLOWS: list[type[Any]] = []
if (
    not workflow.unsafe.in_sandbox()
):  # which loads this package anew for every run, and needs only the module of that run's workflow
    from workflows.block_expiry import BlockExpiryWorkflow
    from workflows.case import CaseWorkflow
    from workflows.guard import GuardWorkflow
    from workflows.notification import NotificationWorkflow
    from workflows.own_submission import OwnSubmissionWorkflow
    from workflows.policy_expiry import PolicyExpiryWorkflow
    from workflows.poller import PollerWorkflow
    from workflows.undo import CaseUndoWorkflow, UndoWorkflow
    from workflows.watchdog import WatchdogWorkflow

    WORKFLOWS += [
        CaseWorkflow,
        PollerWorkflow,
        GuardWorkflow,
        BlockExpiryWorkflow,
        PolicyExpiryWorkflow,
        OwnSubmissionWorkflow,
        NotificationWorkflow,
        CaseUndoWorkflow,
        UndoWorkflow,
        WatchdogWorkflow,
    ]

__all__ = ["WORKFLOWS"]
