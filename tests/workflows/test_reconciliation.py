"""Reconciliation on a real server: what a lost or older state forgot, and what people changed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from clawback.cloudflare import EmailSecurity, errors
from clawback.doctor.check import CheckStatus
from clawback.doctor.policy_checks import check_policies
from clawback.model.audit_record import RecordKind
from clawback.model.identity import OURSELVES
from clawback.model.mode import Mode
from clawback.model.policies import Resource
from clawback.model.policy_marks import seal_comments
from clawback.model.reconciliation import PolicyState, Reconciliation
from clawback.services.configuration import connect_api
from clawback.simulator.options import TokenScope
from clawback.telemetry import metrics
from clawback.temporal import names
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.expiry_gateway import ExpiryGateway
from clawback.temporal.key_ring import Key
from clawback.temporal.reconciler import Reconciler
from clawback.temporal.reconciliation_gateway import ReconciliationGateway
from tests.conftest import server_options
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_blocks import blocked, recorded, removed, standing
from tests.workflows.test_case import simulated
from tests.workflows.test_encryption import keyed

SOON = timedelta(days=3)
BLOCK = {"pattern": "a@bad.test", "pattern_type": "EMAIL", "is_regex": False}
TRUST = {"pattern": "good.test", "is_regex": False, "is_recent": True, "is_similarity": False}


async def create(
    api: EmailSecurity,
    resource: Resource = Resource.BLOCK_SENDERS,
    lasts: timedelta = SOON,
    installation: str = "clawback",
    **changes: Any,
) -> str:
    """Create an entry as a case of an installation that is lost did; its id."""
    fields: Mapping[str, Any] = BLOCK if resource is Resource.BLOCK_SENDERS else TRUST
    fields = {**fields, **changes}
    end = datetime.now(UTC) + lasts
    comments = f"clawback case/r/0abc expires {end:%FT%TZ} case-run:0-1"
    sealed = seal_comments(comments, resource, fields, installation)
    record = await getattr(api.settings, resource.value).create(**fields, comments=sealed)
    return str(record.id)


async def reconcile(deployment: Deployment, *, reason: str = "") -> Reconciliation:
    """Reconcile once, as somebody orders it."""
    return await ReconciliationGateway(deployment.client).run(person("ana"), reason)


async def as_scheduled(deployment: Deployment) -> Reconciliation:
    """Reconcile once, as the schedule does."""
    found: Reconciliation = await deployment.client.execute_workflow(
        names.RECONCILIATION,
        id="scheduled",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=Reconciliation,
    )
    return found


async def until_known(deployment: Deployment, resource: Resource, id_: str) -> None:
    """Wait until the index knows the workflow of an entry."""

    async def there() -> bool | None:
        return id_ in (await ExpiryGateway(deployment.client).list_known())[resource] or None

    await eventually(there)


async def found_by_doctor(temporal: Client, text: str) -> CheckStatus:
    """Wait until the doctor finds something, because the index may lag; how bad that is."""

    async def there() -> CheckStatus | None:
        findings = await check_policies(temporal)
        return next((one.status for one in findings if text in one.found), None)

    return await eventually(there)


@pytest.mark.parametrize("variants", [False, True])
async def test_a_lost_state_finds_its_blocks_again(
    temporal: Client, tmp_path: Path, *, variants: bool
) -> None:
    """On a new database, the block of a case ends as its mark says, and is listed again.

    The mark also says until when somebody has extended it.
    """
    simulator = simulated([])
    async with deployed(temporal, simulator, tmp_path / "old") as deployment:
        block = await blocked(deployment, variants=variants)
        extended = block.expires_at + timedelta(days=9)
        await BlockGateway(temporal).extend(block.id, extended, person("ana"))

    async with (
        await WorkflowEnvironment.start_local(**server_options()) as anew,
        deployed(anew.client, simulator, tmp_path / "new") as deployment,
    ):
        assert await standing(deployment) == []
        found = await reconcile(deployment, reason="restored")
        assert found.counts == {PolicyState.ADOPTED: 1}
        (named,) = found.named
        label = block.block.policy.fields["pattern"]
        assert (named.id, named.label, named.rule) == (block.id, label, "r")

        await until_known(deployment, Resource.BLOCK_SENDERS, block.id)
        (adopted,) = await standing(deployment)
        assert (adopted.block, adopted.rule, adopted.case) == (block.block, block.rule, block.case)
        ends = [one.expires_at for one in adopted.claims.kept]
        differences = [a - b for a, b in zip(ends, (extended, block.expires_at), strict=True)]
        assert all(abs(one) < timedelta(seconds=1) for one in differences)
        (record,) = recorded(deployment, RecordKind.POLICY_ADOPTED)
        assert (record.target, record.actor) == (block.id, "ana")
        assert str(record.detail).endswith("· restored")

        # The next one finds nothing to do.
        assert (await reconcile(deployment)).counts == {PolicyState.KNOWN: 1}
        assert await BlockGateway(anew.client).lift(block.id, person("ana")) == "removed"


async def test_what_should_have_ended_ends_now(temporal: Client, tmp_path: Path) -> None:
    """On every list: it is lifted as its expiry would have done, and recorded as expired."""
    async with (
        deployed(temporal, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        ids = {
            await create(api, resource, -SOON)
            for resource in (Resource.BLOCK_SENDERS, Resource.TRUSTED_DOMAINS)
        }
        assert (await reconcile(deployment)).count(PolicyState.ADOPTED) == 2

        async def gone() -> bool | None:
            return set(removed(deployment)) == ids or None

        await eventually(gone)

        async def written() -> bool | None:
            kinds = (RecordKind.BLOCK_EXPIRED, RecordKind.POLICY_EXPIRED)
            return all(recorded(deployment, kind) for kind in kinds) or None

        await eventually(written)


async def test_what_is_not_ours_is_left_alone(temporal: Client, tmp_path: Path) -> None:
    """Entries of people and of other installations; those that people have edited are reported."""
    async with (
        deployed(temporal, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        blocks = api.settings.block_senders
        theirs = await blocks.create(pattern="b@bad.test", pattern_type="EMAIL", is_regex=False)
        foreign = await create(api, installation="lab", pattern="c@bad.test", lasts=-SOON)
        edited = await create(api, pattern="d@bad.test", lasts=-SOON)
        await blocks.edit(edited, pattern="e@bad.test")
        for _ in range(2):
            found = await reconcile(deployment)
            assert found.counts == {PolicyState.FOREIGN: 1, PolicyState.CHANGED: 1}

        assert [one.id for one in found.named] == [edited]
        # Once for an edit, not once a day.
        (record,) = recorded(deployment, RecordKind.POLICY_CHANGED)
        assert (record.target, record.actor) == (edited, "clawback")
        assert removed(deployment) == []
        for id_ in (theirs.id, foreign, edited):
            await blocks.get(id_)

        text = "1 of our blocks and policies were edited"
        assert await found_by_doctor(temporal, text) is CheckStatus.WARNING


async def test_what_is_gone_at_the_api_is_closed(temporal: Client, tmp_path: Path) -> None:
    """Its workflow ends, on record; one that is there is not taken for gone."""
    async with (
        deployed(temporal, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        gone = {
            resource: await create(api, resource)
            for resource in (Resource.BLOCK_SENDERS, Resource.TRUSTED_DOMAINS)
        }
        stays = await create(api, pattern="b@bad.test")
        await reconcile(deployment)
        for resource, id_ in gone.items():
            await until_known(deployment, resource, id_)
            await getattr(api.settings, resource.value).delete(id_)
        await until_known(deployment, Resource.BLOCK_SENDERS, stays)

        found = await reconcile(deployment)
        assert found.counts == {PolicyState.GONE: 2, PolicyState.KNOWN: 1}

        async def written() -> bool | None:
            kinds = (RecordKind.BLOCK_LIFTED, RecordKind.POLICY_EXPIRED)
            records = [one for kind in kinds for one in recorded(deployment, kind)]
            is_closed = {one.outcome for one in records} == {"already_gone"}
            return (is_closed and {one.target for one in records} == set(gone.values())) or None

        await eventually(written)
        await api.settings.block_senders.get(stays)


async def test_a_dry_run_and_shadow_mode_change_nothing(temporal: Client, tmp_path: Path) -> None:
    """In shadow mode the schedule only reports; a person may adopt all the same."""
    async with (
        deployed(temporal, simulated([]), tmp_path, mode=Mode.SHADOW) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await create(api, lasts=-SOON)
        assert (await ReconciliationGateway(deployment.client).look()).counts == {
            PolicyState.ADOPTED: 1
        }
        assert await found_by_doctor(temporal, "never compared") is CheckStatus.WARNING

        assert (await as_scheduled(deployment)).counts == {PolicyState.UNMANAGED: 1}
        unmanaged = metrics.POLICIES.labels(PolicyState.UNMANAGED.value).collect
        assert next(iter(unmanaged())).samples[0].value == 1
        # The command of the runbook that shows more: the alert must outlast it.
        await ReconciliationGateway(deployment.client).look()
        assert next(iter(unmanaged())).samples[0].value == 1
        text = "nothing ends 1 of our blocks and policies"
        assert await found_by_doctor(temporal, text) is CheckStatus.WARNING
        assert (removed(deployment), deployment.audit()) == ([], [])

        assert (await reconcile(deployment)).counts == {PolicyState.ADOPTED: 1}
        assert await found_by_doctor(temporal, "each of 1 that should end") is CheckStatus.OK


async def test_a_list_that_may_not_be_read_hides_no_other(temporal: Client, tmp_path: Path) -> None:
    """It is named, to the doctor too."""
    async with deployed(
        temporal,
        simulated([], tokens={"nothing": TokenScope.NONE}),
        tmp_path,
        cloudflare_api_token="nothing",
        cloudflare_account_id="a",
    ) as deployment:
        found = await reconcile(deployment)
        assert set(found.unread) == set(Resource)
        assert set(found.unread.values()) <= {errors.PermissionDenied.__name__, "Unauthenticated"}
        assert await found_by_doctor(temporal, "could not be read") is CheckStatus.WARNING


async def test_the_schedule_runs_at_start_and_under_a_key(temporal: Client, tmp_path: Path) -> None:
    """What it starts carries nothing, because a payload is bound to an id that is not known yet."""
    client = keyed(temporal, Key.generate())
    async with (
        deployed(client, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        block = await create(api)
        gateway = ReconciliationGateway(client)
        await gateway.ensure_schedule()
        await until_known(deployment, Resource.BLOCK_SENDERS, block)
        last = await eventually(gateway.read_last)
        assert last.counts == {PolicyState.ADOPTED: 1}

        # Other workers that start soon after that let it be.
        for _ in range(2):
            await gateway.ensure_schedule()
        query = f"WorkflowType = '{names.RECONCILIATION}'"
        runs = [one async for one in client.list_workflows(query)]
        assert [one.status for one in runs] == [WorkflowExecutionStatus.COMPLETED]


async def test_a_workflow_that_runs_already_is_not_started_twice(
    temporal: Client, tmp_path: Path
) -> None:
    """A case that has just made its block starts the workflow itself."""
    async with (
        deployed(temporal, simulated([]), tmp_path) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await create(api)
        reconciler = Reconciler(deployment.api, temporal, "clawback")
        first, second = [await reconciler.compare(adopts=True) for _ in range(2)]
        for found, state in ((first, PolicyState.ADOPTED), (second, PolicyState.KNOWN)):
            done = await reconciler.carry_out(found, OURSELVES)
            assert done.summarize(datetime.now(UTC), dry_run=False).counts == {state: 1}
