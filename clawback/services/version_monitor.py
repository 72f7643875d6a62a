"""Watches which build is current, and whether open cases wait for a build that no worker runs."""

import asyncio
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError

from clawback.telemetry import metrics
from clawback.temporal.worker_versions import describe_problems, read_deployment

INTERVAL = timedelta(seconds=30)
log = structlog.get_logger("clawback")


class VersionMonitor:
    """Logs and counts what the builds of a deployment lack, and says it to `/healthz`.

    A build that waits to become current is healthy: that is how a rolling upgrade begins.
    """

    def __init__(self, client: Client, version: WorkerDeploymentVersion) -> None:
        self._client = client
        self._version = version
        self._current: str | None = None
        self._problems: list[str] = []

    def __call__(self) -> str | None:
        """Return what is wrong, or None. May be called from another thread."""
        return "; ".join(self._problems) or None

    def note_current(self, current: str) -> None:
        """Take note of the current build; log it if it has changed."""
        mine = self._version.build_id
        is_mine = current == mine
        metrics.BUILD_CURRENT.set(is_mine)
        if current == self._current:
            return

        self._current = current
        if is_mine:
            log.info("worker.build_current", build=mine)
        else:
            log.warning("worker.build_not_current", build=mine, current=current)

    async def watch(self) -> None:
        """Check until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL.total_seconds())
            try:
                await self.check()
            except RPCError as error:
                log.warning("worker.versions_unreadable", error=error)

    async def check(self) -> None:
        """Check once; log problems that are new.

        Raises:
            RPCError: the server does not answer.

        """
        found = await read_deployment(self._client, self._version.deployment_name)
        if found is None:
            return

        self.note_current(found.current)
        abandoned = sum(build.pinned for build in found.abandoned)
        metrics.WORKFLOWS_ABANDONED.set(abandoned)
        problems = list(describe_problems(found))
        if problems and not self._problems:
            log.error("worker.build_missing", current=found.current, abandoned=abandoned)
        self._problems = problems
