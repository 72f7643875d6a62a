"""Worker Deployments: which build gets new work, and which open cases wait for an older one.

A build is current if new workflows and all that move between builds go to its workers. Cases stay
on the build that started them unless the setting `upgrade` is `restart` (ADR 30).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from clawback.app_files import build_id
from clawback.settings import Settings
from clawback.temporal import names
from clawback.temporal.namespace_checks import REFUSED, NamespaceNotReady

if TYPE_CHECKING:
    from temporalio.worker import WorkerDeploymentConfig

_SEEN_WITHIN = timedelta(minutes=2)
"""A worker counts as running if it asked for work since; each request for work takes a minute."""
_KEEPS_NOTHING = frozenset(
    {
        WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CREATED,
        WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE,
        WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED,
    }
)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a deployment; `pinned` counts the open workflows that only it can run."""

    id: str
    has_worker: bool
    pinned: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """The builds of a deployment that run or are needed; `current` is empty if none is current."""

    name: str
    namespace: str
    current: str
    builds: tuple[Build, ...]

    @property
    def abandoned(self) -> list[Build]:
        """The builds that open workflows wait for although no worker runs them."""
        return [build for build in self.builds if build.pinned and not build.has_worker]

    def runs(self, build: str) -> bool:
        """Whether a worker of a build is running."""
        return any(one.id == build and one.has_worker for one in self.builds)


# ---- what a worker does


def deployment_config(settings: Settings) -> "WorkerDeploymentConfig":
    """Return the version of this worker, and what cases do when another build becomes current."""
    # Only a worker has use for the worker of the SDK, which takes 3 MiB.
    from temporalio.worker import WorkerDeploymentConfig  # noqa: PLC0415 - see above

    restarts = settings.upgrade == "restart"
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment, build_id()),
        use_worker_versioning=True,
        default_versioning_behavior=(
            VersioningBehavior.AUTO_UPGRADE if restarts else VersioningBehavior.PINNED
        ),
    )


async def take_over(client: Client, settings: Settings) -> str:
    """Make this build current if none is, or if a worker that starts shall; return the current one.

    Work that waits for a build is taken as soon as its workers ask for it, so call this before they
    start.

    Raises:
        NamespaceNotReady: the server has no Worker Deployments, or we may not use them.

    """
    mine = build_id()
    try:
        current = _current_build(await _describe(client, settings.deployment))
        if current == mine or (current and settings.upgrade == "rolling"):
            return current
        await set_current_build(client, settings.deployment, mine)
    except RPCError as error:
        if error.status not in REFUSED:
            raise
        raise NamespaceNotReady(
            f"namespace {client.namespace} does not let this worker make its build current "
            f"({error.message}); run `{promotion(client.namespace, settings.deployment, mine)}`, "
            "on a server of Temporal 1.28 or newer"
        ) from error
    return mine


async def set_current_build(client: Client, deployment: str, build: str) -> None:
    """Give new work to a build, which needs no worker yet."""
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=deployment,
            build_id=build,
            identity=client.identity,
            ignore_missing_task_queues=True,
            allow_no_pollers=True,
        )
    )


# ---- what people look at


async def read_deployment(client: Client, name: str) -> Deployment | None:
    """Read which builds run and are needed; None if no worker of the deployment ever ran.

    Raises:
        RPCError: the server does not answer, or has no Worker Deployments.

    """
    info = await _describe(client, name)
    if info is None:
        return None

    running = await _running_builds(client, name)
    needed = {
        summary.deployment_version.build_id
        for summary in info.version_summaries
        if summary.status not in _KEEPS_NOTHING
    }
    builds = [
        Build(build, build in running, await _count_pinned(client, name, build))
        for build in sorted(running | needed)
    ]
    return Deployment(name, client.namespace, _current_build(info), tuple(builds))


async def count_failing(client: Client) -> int:
    """Count the open workflows whose tasks fail again and again; 0 if the server cannot say."""
    query = f"{names.OUR_WORKFLOWS} AND {FAILING}"
    try:
        return (await client.count_workflows(query)).count
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        return 0


FAILING = "ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL"
"""The visibility query for workflows whose tasks fail again and again."""


def describe_problems(deployment: Deployment) -> Iterator[str]:
    """Say what keeps work from being done, each as "what is wrong; what to do"."""
    name, space = deployment.name, deployment.namespace
    if not deployment.current:
        yield (
            f"no build of deployment {name} is current: nothing is polled, and no case opens; "
            f"run `{promotion(space, name, 'BUILD')}`"
        )
    elif not deployment.runs(deployment.current):
        others = [build.id for build in deployment.builds if build.has_worker]
        yield (
            f"no worker runs the current build {deployment.current}: nothing is polled, and no "
            "case opens; start one, or make the build of another worker current: "
            f"`{promotion(space, name, others[0] if others else 'BUILD')}`"
        )
    for build in deployment.abandoned:
        yield (
            f"no worker runs build {build.id}, and open workflows wait for it: {build.pinned:,}; "
            "start a worker of it, or move them to the current build: "
            f"`{move(space, name, build.id)}`"
        )


def promotion(namespace: str, deployment: str, build: str) -> str:
    """Return the command that makes a build current."""
    return (
        f"temporal worker deployment set-current-version --namespace {namespace} "
        f"--deployment-name {deployment} --build-id {build}"
    )


def move(namespace: str, deployment: str, build: str) -> str:
    """Return the command that moves the open workflows of a build to the current one."""
    return (
        f"temporal workflow update-options --namespace {namespace} "
        f'--query "{_pinned(deployment, build)}" --versioning-override-behavior auto_upgrade'
    )


# ---- calls


async def _describe(client: Client, name: str) -> WorkerDeploymentInfo | None:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
    try:
        response = await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return response.worker_deployment_info


def _current_build(info: WorkerDeploymentInfo | None) -> str:
    return info.routing_config.current_deployment_version.build_id if info else ""


async def _running_builds(client: Client, name: str) -> set[str]:
    """Read whose workers ask for work on the queue that all of them have."""
    response = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=names.READ_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
    )
    since = datetime.now(UTC) - _SEEN_WITHIN
    return {
        poller.deployment_options.build_id
        for poller in response.pollers
        if poller.deployment_options.deployment_name == name
        and poller.last_access_time.ToDatetime(UTC) > since
    }


async def _count_pinned(client: Client, name: str, build: str) -> int:
    return (await client.count_workflows(_pinned(name, build))).count


def _pinned(deployment: str, build: str) -> str:
    version = names.quote_value(f"{deployment}:{build}")
    return (
        f"TemporalWorkerDeploymentVersion = {version} AND "
        "TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'"
    )
