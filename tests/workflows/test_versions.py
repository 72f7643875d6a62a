"""Several builds on one server: rolling upgrade, roll-back, restart, and a build that is gone."""

import re
import shlex
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from clawback.actions import Move
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.doctor.check import CheckStatus
from clawback.doctor.version_checks import check_builds, check_failing_workflows
from clawback.model.events import EventKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.services.version_monitor import VersionMonitor
from clawback.services.worker_monitor import WorkerMonitor
from clawback.settings import Settings
from clawback.simulator import Simulator, SimulatorOptions, outbreak
from clawback.telemetry.runtime import build_runtime
from clawback.temporal import names, worker_versions
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.data_converter import data_converter
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.worker_versions import read_deployment, set_current_build, take_over
from tests.conftest import ROOT, temporal_binary
from tests.people import person
from tests.replay.careless import CarelessCase
from tests.rules.folders import PLAIN, write
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of

OLD, NEW = "1.0.0-aaaaaaaaaaaa", "1.1.0-bbbbbbbbbbbb"
NAME = "clawback"
PATIENT = CaseTiming(approval_timeout=timedelta(days=7))
PAGE = ROOT / "docs" / "operations" / "upgrades.md"


@pytest.fixture
def simulator() -> Simulator:
    """One account for the workers of all builds."""
    return Simulator(SimulatorOptions())


def plan(name: str) -> CasePlan:
    """A case that waits for people."""
    return CasePlan(
        rule=name,
        version="v1",
        mode=Mode.APPROVE,
        group={"edf_hash": name},
        actions=(Move(destination=Destination.JUNK),),
    )


def version(
    build: str, behavior: VersioningBehavior = VersioningBehavior.PINNED
) -> WorkerDeploymentConfig:
    """What a worker of a build is configured with."""
    return WorkerDeploymentConfig(
        WorkerDeploymentVersion(NAME, build),
        use_worker_versioning=True,
        default_versioning_behavior=behavior,
    )


def address_of(client: Client) -> str:
    """Where the server listens."""
    return str(client.service_client.config.target_host)


@asynccontextmanager
async def running(
    temporal: Client, simulator: Simulator, state: Path, versioning: WorkerDeploymentConfig
) -> AsyncIterator[Deployment]:
    """Run the workers of a build, over a client of their own."""
    client = await Client.connect(
        address_of(temporal), namespace=temporal.namespace, data_converter=data_converter(None)
    )
    rules = write(state / "rules", {"a_rule.yml": PLAIN})
    folder = state / versioning.version.build_id
    async with deployed(
        client, simulator, folder, versioning=versioning, rules=rules
    ) as deployment:
        yield deployment


async def held(deployment: Deployment, name: str) -> str:
    """Open a case that waits for people; return its id."""
    opened = plan(name)
    deployment.simulator.add(mail := list(outbreak(1, seed=len(name))))
    await deployment.signal_case(opened, *map(match_of, mail), pace=PATIENT)
    await deployment.settled(opened.case_id, CaseState.HELD)
    return opened.case_id


async def approve(deployment: Deployment, case: str) -> None:
    """Approve a held case, and wait until it has acted."""
    digest = (await deployment.cases.proposal(case)).digest
    await deployment.cases.approve(case, person("ana"), digest)
    await deployment.settled(case)


async def build_of(client: Client, workflow: str) -> str:
    """The build that ran the last task of a workflow."""
    found = await client.get_workflow_handle(workflow).describe()
    return found.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id


async def moved(deployment: Deployment, build: str) -> None:
    """Poll and ask the guard until both run on a build: the server tells its queues in turn."""
    guard = GuardGateway(deployment.client)

    async def there() -> bool | None:
        await deployment.poll()
        await guard.stop(person("ana"), "a task for the guard")
        await guard.resume(person("ana"))
        workflows = (names.poller_id(EventKind.MESSAGE), names.GUARD_ID)
        return {await build_of(deployment.client, one) for one in workflows} == {build} or None

    await eventually(there)


def documented(word: str, build: str, client: Client) -> list[str]:
    """The command of the page on upgrades that has a word, with a build and a server of ours."""
    lines = re.findall(r"^ *\$ (temporal .*?)(?:\s+#.*)?$", PAGE.read_text(), re.MULTILINE)
    (line,) = {line for line in lines if word in line}
    words = shlex.split(re.sub(r"0\.\d\.0-[0-9a-f]{12}", build, line))
    return [temporal_binary(), *words[1:], *server_flags(client)]


def server_flags(client: Client) -> list[str]:
    """Build the flags by which the `temporal` command finds what a client is connected to."""
    return ["--address", address_of(client), "--namespace", client.namespace]


def run(command: list[str]) -> str:
    """Run a command that has to succeed; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_a_rolling_upgrade_and_a_roll_back(
    temporal: Client, simulator: Simulator, tmp_path: Path
) -> None:
    """Open cases finish on their build, the poller moves, with the commands of the page."""
    await set_current_build(temporal, NAME, OLD)
    async with (
        running(temporal, simulator, tmp_path, version(OLD)) as old,
        running(temporal, simulator, tmp_path, version(NEW)) as new,
    ):
        first = await held(old, "first")
        await old.poll()
        assert await build_of(temporal, first) == OLD

        run(documented("set-current-version", NEW, temporal))
        assert NEW in run(documented("deployment describe", NEW, temporal))
        await moved(new, NEW)
        second = await held(new, "second")
        await approve(old, first)
        assert (await build_of(temporal, first), await build_of(temporal, second)) == (OLD, NEW)

        run(documented("set-current-version", OLD, temporal))
        await moved(old, OLD)
        await approve(new, second)
        assert await build_of(temporal, second) == NEW


async def test_cases_of_a_build_that_is_gone_are_reported_and_can_be_moved(
    temporal: Client, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor and `/healthz` name the command, and it works."""
    await set_current_build(temporal, NAME, OLD)
    async with running(temporal, simulator, tmp_path, version(OLD)) as old:
        case = await held(old, "case")
    await set_current_build(temporal, NAME, NEW)

    async with running(temporal, simulator, tmp_path, version(NEW)) as new:
        monitor = VersionMonitor(temporal, version(NEW).version)
        monkeypatch.setattr(worker_versions, "_running_builds", only(NEW))
        await monitor.check()
        (finding,) = await check_builds(temporal, NAME)
        problem = f"no worker runs build {OLD}, and open workflows wait for it: 1"
        assert problem in str(monitor())
        assert (finding.status, finding.found) == (CheckStatus.PROBLEM, problem)

        command = re.search(r"`temporal (workflow update-options .*)`", finding.remedy or "")
        assert command is not None
        words = shlex.split(command[1])
        run([temporal_binary(), *words, "--yes", *server_flags(temporal)])

        async def is_well() -> bool | None:
            await monitor.check()
            return monitor() is None or None

        await eventually(is_well)
        await approve(new, case)
        assert await build_of(temporal, case) == NEW


def only(*builds: str) -> object:
    """Stands for what the server says some minutes after the other workers ended."""

    async def running_builds(*_: object) -> set[str]:
        return set(builds)

    return running_builds


async def test_a_worker_that_restarts_takes_over_all_work(
    temporal: Client, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `clawback up`: the code of the old build is gone, and its open case goes on."""
    settings = Settings(upgrade="restart")
    for build in (OLD, NEW):
        monkeypatch.setattr(worker_versions, "build_id", lambda build=build: build)
        assert await take_over(temporal, settings) == build
        versioning = worker_versions.deployment_config(settings)
        async with running(temporal, simulator, tmp_path, versioning) as deployment:
            if build == OLD:
                case = await held(deployment, "case")
            else:
                await approve(deployment, case)
        late = next(iter(outbreak(1, seed=99)))
        await CaseGateway(temporal).signal_matches(plan("case"), [match_of(late)], PATIENT)
    assert await build_of(temporal, case) == NEW


async def test_a_worker_of_another_build_waits_in_a_rolling_upgrade(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker ever becomes current by itself; no later one does."""
    for build in (OLD, NEW):
        monkeypatch.setattr(worker_versions, "build_id", lambda build=build: build)
        assert await take_over(temporal, Settings()) == OLD


async def test_a_current_build_without_a_worker_is_reported(temporal: Client) -> None:
    """Nothing is polled then, however healthy the workers of other builds are."""
    await set_current_build(temporal, NAME, OLD)
    (finding,) = await check_builds(temporal, NAME)
    assert finding.status is CheckStatus.PROBLEM
    assert finding.found.startswith(f"no worker runs the current build {OLD}")


async def test_no_deployment_is_reported(temporal: Client) -> None:
    """A name that no worker has is a mistake in the settings, or a server that is new."""
    assert await read_deployment(temporal, "other") is None
    (finding,) = await check_builds(temporal, "other")
    assert finding.found == "no worker of deployment other ever ran"


@pytest.mark.parametrize(
    "temporal",
    [("system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",)],
    indirect=True,
)
async def test_a_case_that_does_not_fit_the_code_makes_the_worker_unhealthy(
    temporal: Client, simulator: Simulator, tmp_path: Path
) -> None:
    """As after a roll-back without versions: `/healthz` and the doctor say so."""
    async with deployed(temporal, simulator, tmp_path) as deployment:
        case = await held(deployment, "case")

    runtime, scrape = build_runtime()
    client = await Client.connect(
        address_of(temporal),
        namespace=temporal.namespace,
        runtime=runtime,
        data_converter=data_converter(None),
    )
    monitor = WorkerMonitor(client, scrape)

    async def is_reported() -> bool | None:
        await monitor.check()
        (finding,) = await check_failing_workflows(client)
        is_in_doctor = finding.found == "workflows whose tasks fail again and again: 1"
        return ("non-determinism" in str(monitor()) and is_in_doctor) or None

    async with Worker(
        client,
        task_queue=names.WORKFLOW_QUEUE,
        workflows=[CarelessCase],
        deployment_config=worker_versions.deployment_config(Settings()),
    ):
        await client.get_workflow_handle(case).signal(names.MATCHED, [])
        await eventually(is_reported)
