"""Durable logic only: sequence, waiting, and what to do after a failure. Decisions are made by pure functions in `clawback`."""

from typing import Any

from workflows.case import CaseWorkflow
from workflows.expiry import BlockExpiryWorkflow
from workflows.poller import PollerWorkflow
from workflows.watchdog import WatchdogWorkflow

WORKFLOWS: list[type[Any]] = [CaseWorkflow, PollerWorkflow, BlockExpiryWorkflow, WatchdogWorkflow]

__all__ = ["WORKFLOWS"]
