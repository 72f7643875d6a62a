"""The room of working: two workers, their builds, and workflows that do not fit them."""

import asyncio
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.common import RawValue, VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from bench.alerts.cause import Cause, Room
from clawback.actions.base import InstallationOccasion
from clawback.app_files import build_id
from clawback.cases.announcements import Announcement
from clawback.local import ChildProcess, free_port, worker_child
from clawback.local.temporal_server import find_temporal
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.worker_versions import set_current_build

DEPLOYMENT = "clawback"
NEXT = "next"
_NEXT_WORKER = f"""
from clawback import app_files
app_files.build_id = lambda: {NEXT!r}
import worker
worker.main()
"""
"""Runs the same code under the name of another build."""
LARGE = 21 * 1024**3
MISFITS = 6


@workflow.defn(name=names.ANNOUNCEMENT, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class FormerAnnouncement:
    """An announcement of another version: it begins with a timer, where ours asks for channels."""

    def __init__(self) -> None:
        self._is_over = False

    @workflow.run
    async def run(self, _: RawValue) -> int:
        """Wait until it is told to end."""
        await workflow.sleep(timedelta(days=1))
        return 0

    @workflow.signal
    def end(self) -> None:
        """Make a workflow task necessary."""


class Working(Room):
    """Two workers on one server, whose database is in the state folder."""

    name = "working"

    @classmethod
    def prepare(cls, folder: Path, environment: dict[str, str], rules: Path) -> None:  # noqa: ARG003
        """Let the state folder be that of the server."""
        environment["CLAWBACK_STATE"] = str(
            Path(environment["CLAWBACK_ENCRYPTION_KEY_FILE"]).parent
        )

    async def open(self) -> None:
        """Start the second worker."""
        self._second = self._child("worker 2")
        await self._second.start()
        self.installation.addresses.append(self._second_address)

    async def close(self) -> None:
        """Stop the second worker."""
        await self._second.stop(5.0)

    def causes(self) -> Iterator[Cause]:
        """Give the causes in order."""
        yield Cause(("ClawbackWorkerDown",), self._freeze_second, self._restart_second)
        yield Cause(("ClawbackWorkerAbsent",), self._freeze_both, self._restart_both)
        yield Cause(("ClawbackDatabaseLarge",), self._grow_database, self._shrink_database)
        yield Cause(("ClawbackNoCurrentBuild",), self._promote_nobody, self._follow_doctor)
        yield Cause(("ClawbackWorkerRestarts",), self._kill_often)
        yield Cause(("ClawbackWorkflowsAbandoned",), self._abandon, self._follow_doctor)
        yield Cause(
            ("ClawbackNonDeterminism", "ClawbackWorkflowTasksFail"),
            self._start_misfits,
            self._run_former_build,
        )

    # ---- processes

    def _child(self, name: str, code: str = "") -> ChildProcess:
        address = f"127.0.0.1:{free_port()}"
        environment = self.installation.environment | {"CLAWBACK_METRICS": address}
        child = worker_child(environment, address, self.installation.folder, name)
        if code:
            child.spec = replace(child.spec, command=[sys.executable, "-P", "-c", code])
        else:
            self._second_address = address
        return child

    async def _freeze_second(self) -> None:
        self._second.freeze()

    async def _restart_second(self) -> None:
        self._second.kill(expected=True)

    async def _freeze_both(self) -> None:
        self._second.freeze()
        self.installation.worker.freeze()

    async def _restart_both(self) -> None:
        self._second.kill(expected=True)
        await self.installation.restart()

    async def _kill_often(self) -> None:
        for _ in range(5):
            await self.installation.restart()
            await asyncio.sleep(3)

    # ---- the database

    @property
    def _copy(self) -> Path:
        # Whatever begins with the name of the database counts.
        return self.installation.state / "temporal.db.copy"

    async def _grow_database(self) -> None:
        """Put a sparse file beside the database that has its name and 21 GiB."""
        self._copy.touch()
        os.truncate(self._copy, LARGE)

    async def _shrink_database(self) -> None:
        self._copy.unlink()

    # ---- builds

    async def _promote_nobody(self) -> None:
        await set_current_build(self.installation.server.client, DEPLOYMENT, NEXT)

    async def _abandon(self) -> None:
        """Open a case on another build, and take its worker away."""
        other = self._child("worker next", _NEXT_WORKER)
        await other.start()
        try:
            await set_current_build(self.installation.server.client, DEPLOYMENT, NEXT)
            moved = self.installation.simulator.moves
            self.installation.simulator.inject(outbreak(1, seed=7, sender="a@next.test"))
            await self.installation.moved(moved + 1)
        finally:
            await set_current_build(self.installation.server.client, DEPLOYMENT, build_id())
            await other.stop(5.0)

    async def _follow_doctor(self) -> None:
        """Run the command of `temporal` that the doctor prints, as it prints it."""
        _, printed = await self.installation.run("doctor", "--json")
        command = re.search(r"`temporal (worker deployment|workflow update).*?`", printed)
        if command is None:
            raise LookupError("the doctor prints no command")
        arguments = shlex.split(command[0].strip("`").replace('\\"', '"'))[1:]
        child = await asyncio.create_subprocess_exec(
            find_temporal(),
            *arguments,
            env=self.installation.environment,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        # It shows the builds, and asks.
        output, errors = await child.communicate(b"y\n")
        if child.returncode:
            raise RuntimeError(f"{command[0]}: {(output + errors).decode()[-300:]}")

    # ---- workflows that do not fit

    async def _start_misfits(self) -> None:
        """Let another version start workflows of ours, and go away in the middle of them."""
        self._second.freeze()
        self.installation.worker.freeze()
        async with self._former_worker():
            for number in range(MISFITS):
                handle = await self.installation.server.client.start_workflow(
                    names.ANNOUNCEMENT,
                    Announcement(
                        id=f"bench-{number}",
                        occasion=InstallationOccasion.STOPPED,
                        at=datetime.now(UTC),
                    ),
                    id=f"announcement/bench-{number}",
                    task_queue=names.WORKFLOW_QUEUE,
                )
                await _until_timer(handle)
        self._second.resume()
        self.installation.worker.resume()
        for number in range(MISFITS):
            await self._misfit(number).signal("end")
            await asyncio.sleep(5)

    async def _run_former_build(self) -> None:
        """Run the version that started them until they end, then ours again."""
        self._second.freeze()
        self.installation.worker.freeze()
        async with self._former_worker():
            for number in range(MISFITS):
                await self._misfit(number).terminate("bench")
        await self._restart_both()

    def _misfit(self, number: int) -> WorkflowHandle[Any, Any]:
        return self.installation.server.client.get_workflow_handle(f"announcement/bench-{number}")

    def _former_worker(self) -> Worker:
        return Worker(
            self.installation.server.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[FormerAnnouncement],
            workflow_runner=UnsandboxedWorkflowRunner(),
            deployment_config=WorkerDeploymentConfig(
                version=WorkerDeploymentVersion(DEPLOYMENT, build_id()),
                use_worker_versioning=True,
            ),
        )


async def _until_timer(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the first task of a workflow is done."""
    async with asyncio.timeout(30):
        while (await handle.describe()).history_length < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
