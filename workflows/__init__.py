"""Durable logic only: sequence, waiting, and what to do after a failure. Decisions are made by pure functions in `clawback`."""

from typing import Any

from temporalio import workflow

WORKFLOWS: list[type[Any]] = []
if not workflow.unsafe.in_sandbox():  # which loads this package anew for every run, and needs only the module of that run's workflow
    from workflows.account_policies import PolicyExpiryWorkflow
    from workflows.case import CaseWorkflow
    from workflows.expiry import BlockExpiryWorkflow
    from workflows.guard import GuardWorkflow
    from workflows.marks import OwnSubmissionWorkflow
    from workflows.notice import NoticeWorkflow
    from workflows.poller import PollerWorkflow
    from workflows.undo import UndoingWorkflow, UndoWorkflow
    from workflows.watchdog import WatchdogWorkflow

    WORKFLOWS += [
        CaseWorkflow,
        PollerWorkflow,
        GuardWorkflow,
        BlockExpiryWorkflow,
        PolicyExpiryWorkflow,
        OwnSubmissionWorkflow,
        NoticeWorkflow,
        UndoWorkflow,
        UndoingWorkflow,
        WatchdogWorkflow,
    ]

__all__ = ["WORKFLOWS"]
