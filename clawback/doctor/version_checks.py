"""Builds and stuck workflows: all work that waits has a worker that can do it."""

from collections.abc import Iterable

from temporalio.client import Client
from temporalio.service import RPCError

from clawback.doctor.check import Finding, from_sentence, ok, problem
from clawback.temporal.namespace_checks import REFUSED
from clawback.temporal.worker_versions import (
    FAILING,
    Deployment,
    count_failing,
    describe_problems,
    read_deployment,
)

_NAME = "builds"


async def check_builds(client: Client, deployment: str) -> Iterable[Finding]:
    """Check that the current build, and each build that open cases need, has a worker."""
    try:
        found = await read_deployment(client, deployment)
    except RPCError as error:
        if error.status not in REFUSED:
            raise
        remedy = "use a server of Temporal 1.28 or newer, and allow reading worker deployments"
        return [problem(_NAME, "this server does not say which builds run", remedy)]

    if found is None:
        remedy = "start a worker, or set CLAWBACK_DEPLOYMENT to the name that it has"
        return [problem(_NAME, f"no worker of deployment {deployment} ever ran", remedy)]
    problems = [from_sentence(_NAME, sentence) for sentence in describe_problems(found)]
    return problems or [ok(_NAME, _describe(found))]


def _describe(found: Deployment) -> str:
    draining = [
        f"open workflows on {build.id}: {build.pinned:,}"
        for build in found.builds
        if build.id != found.current and build.pinned
    ]
    return "; ".join([f"{found.current} is current", *draining])


async def check_failing_workflows(client: Client) -> Iterable[Finding]:
    """Check that no workflow is stuck because its tasks fail, as after a wrong roll-back."""
    name = "workflow tasks"
    if failing := await count_failing(client):
        remedy = (
            f'`temporal workflow list --query "{FAILING}"` names them; if the error is one of '
            "non-determinism, go back to the version that started them"
        )
        return [problem(name, f"workflows whose tasks fail again and again: {failing:,}", remedy)]
    return [ok(name, "no workflow task fails again and again")]
