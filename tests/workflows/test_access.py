"""API tokens and revoked sessions on a real server: who may change them, and what survives."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.identity.access_list import ApiToken, create_secret, hash_session
from clawback.identity.permission import Policy
from clawback.model.audit_record import RecordKind
from clawback.model.identity import Actor, Identity, Role
from clawback.model.mode import Mode
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.access_cache import READ_EVERY, STALE_AFTER, AccessCache
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.workflow_calls import UpdateRefused
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_approvals import DOMAIN, held, plan
from tests.workflows.test_case import simulated

LINES = list(outbreak(2))
DAY = timedelta(days=1)


@pytest.fixture
async def deployment(temporal: Client, tmp_path: Path) -> AsyncIterator[Deployment]:
    """An installation without tokens."""
    async with deployed(temporal, simulated(LINES), tmp_path) as deployment:
        yield deployment


@dataclass
class Clock:
    """A clock that tests move."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


async def create(client: Client, role: Role = Role.ANALYST) -> tuple[str, ApiToken]:
    """Create a token; its secret, and what is kept."""
    secret, token = create_secret(role, "ci", DAY, datetime.now(UTC))
    return secret, await AccessGateway(client).create_token(token, person("ana"))


async def identify(client: Client, secret: str) -> Identity | None:
    """Ask a console that has just started."""
    return await AccessCache(AccessGateway(client)).identify(secret)


async def recorded(deployment: Deployment, kind: RecordKind) -> list[tuple[str | None, str]]:
    """Wait for records of one kind: the target and who."""

    async def written() -> list[tuple[str | None, str]] | None:
        found = [one for one in deployment.audit() if one.kind is kind]
        return [(one.target, one.actor) for one in found] or None

    return await eventually(written)


async def test_a_token_counts_until_it_is_revoked(deployment: Deployment) -> None:
    """Both are on record."""
    gateway = AccessGateway(deployment.client)
    assert await gateway.look() is None
    secret, token = await create(deployment.client)
    found = await identify(deployment.client, secret)
    assert found is not None
    assert (found.subject, found.roles) == (token.id, (Role.ANALYST,))
    assert await recorded(deployment, RecordKind.TOKEN_CREATED) == [(token.id, "ana")]

    await gateway.revoke_token(token.id, person("ben"), "leaked")
    assert await identify(deployment.client, secret) is None
    assert await recorded(deployment, RecordKind.TOKEN_REVOKED) == [(token.id, "ben")]
    with pytest.raises(UpdateRefused, match="ben revoked the token"):
        await gateway.revoke_token(token.id, person("ana"))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
async def test_only_operators_create_and_revoke(deployment: Deployment, role: Role) -> None:
    """A token cannot make itself another one either."""
    gateway = AccessGateway(deployment.client)
    secret, token = await create(deployment.client, Role.OPERATOR)
    machine = await identify(deployment.client, secret)
    assert machine is not None
    _, another = create_secret(Role.OPERATOR, "", DAY, datetime.now(UTC))
    with pytest.raises(UpdateRefused, match="takes the role operator"):
        await gateway.create_token(another, person("eve", role))
    with pytest.raises(UpdateRefused, match="takes the role operator"):
        await gateway.revoke_token(token.id, person("eve", role))
    with pytest.raises(UpdateRefused, match="no API token may create a token"):
        await gateway.create_token(another, Actor(identity=machine))


async def test_everybody_signs_out_and_operators_revoke_others(deployment: Deployment) -> None:
    """A cache of another process knows it at its next read."""
    gateway, until = AccessGateway(deployment.client), datetime.now(UTC) + timedelta(hours=8)
    cache = AccessCache(gateway)
    await gateway.sign_out("mine", until, person("vic", Role.VIEWER))
    with pytest.raises(UpdateRefused, match="takes the role operator"):
        await gateway.revoke_session(hash_session("hers"), until, person("vic", Role.VIEWER))
    await gateway.revoke_session(hash_session("hers"), until, person("ana"), "stolen laptop")

    await cache.read()
    assert [cache.is_revoked(one) for one in ("mine", "hers", "theirs")] == [True, True, False]

    eve, began = person("Eve").identity, datetime.now(UTC)
    with pytest.raises(UpdateRefused, match="takes the role operator"):
        await gateway.revoke_person("eve", person("vic", Role.ANALYST))
    with pytest.raises(UpdateRefused, match="say whose sessions"):
        await gateway.revoke_person(" ", person("ana"))
    await gateway.revoke_person(" EVE ", person("ana"), "left us")
    await cache.read()
    assert cache.has_revoked(eve, began)
    assert not cache.has_revoked(person("eva").identity, began)
    assert not cache.has_revoked(eve, began + timedelta(minutes=3))


async def terminate(client: Client) -> None:
    await client.get_workflow_handle(names.ACCESS_ID).terminate("a mistake")


async def cancel(client: Client) -> None:
    """Cancel it, and wait until it has ended."""
    await client.get_workflow_handle(names.ACCESS_ID).cancel()

    async def has_ended() -> bool | None:
        view = await AccessGateway(client).look()
        return (view is not None and not view.is_running) or None

    await eventually(has_ended)


@pytest.mark.parametrize("lose", [terminate, cancel])
async def test_a_list_that_somebody_ended_is_continued(
    deployment: Deployment, lose: Callable[[Client], Awaitable[None]]
) -> None:
    """What was valid counts again once a console has looked; what was revoked does not."""
    gateway = AccessGateway(deployment.client)
    secret, _ = await create(deployment.client)
    revoked, token = await create(deployment.client)
    await gateway.revoke_token(token.id, person("ana"))
    await gateway.sign_out("mine", datetime.now(UTC) + DAY, person("ana"))
    await lose(deployment.client)

    view = await gateway.look()
    assert view is not None
    assert not view.counting.tokens
    assert hash_session("mine") in view.counting.sessions
    assert await identify(deployment.client, secret) is not None
    assert await identify(deployment.client, revoked) is None
    after = await gateway.look()
    assert after is not None
    assert after.is_running
    assert hash_session("mine") in after.counting.sessions


async def reset(client: Client) -> None:
    """Reset the list to before its last update."""
    handle = client.get_workflow_handle(names.ACCESS_ID)
    events = (await handle.fetch_history()).events
    done = [
        one.event_id for one in events if one.HasField("workflow_task_completed_event_attributes")
    ]
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(
            workflow_id=names.ACCESS_ID, run_id=(await handle.describe()).run_id
        ),
        reason="a mistake",
        request_id="reset",
        workflow_task_finish_event_id=done[1],
        reset_reapply_exclude_types=[
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
        ],
    )
    await client.workflow_service.reset_workflow_execution(request)


async def test_after_a_reset_no_token_counts_until_another_is_created(
    deployment: Deployment,
) -> None:
    """A reset could take a revocation back."""
    gateway = AccessGateway(deployment.client)
    secret, token = await create(deployment.client)
    await gateway.revoke_token(token.id, person("ana"))
    await reset(deployment.client)
    view = await gateway.look()
    assert view is not None
    assert view.is_reset
    assert await identify(deployment.client, secret) is None

    another, _ = await create(deployment.client)
    assert await identify(deployment.client, another) is not None
    assert await identify(deployment.client, secret) is None


@pytest.mark.parametrize(
    "temporal", [("limit.historyCount.suggestContinueAsNew=20",)], indirect=True
)
async def test_the_list_survives_continue_as_new(deployment: Deployment) -> None:
    """Many short runs instead of one long history."""
    gateway = AccessGateway(deployment.client)
    secret, _ = await create(deployment.client)
    handle = deployment.client.get_workflow_handle(names.ACCESS_ID)
    first = (await handle.describe()).run_id
    for number in range(6):
        await gateway.sign_out(f"{number}", datetime.now(UTC) + DAY, person("ana"))

    async def renewed() -> bool | None:
        return (await handle.describe()).run_id != first or None

    await eventually(renewed)
    view = await gateway.look()
    assert view is not None
    assert len(view.counting.sessions) == 6
    assert await identify(deployment.client, secret) is not None


async def test_a_cache_without_an_answer_fails_closed(deployment: Deployment) -> None:
    """After a minute no token and no session counts."""
    secret, _ = await create(deployment.client)
    clock = Clock()
    cache = AccessCache(AccessGateway(deployment.client), clock)
    assert cache.is_revoked("mine")
    assert await cache.identify(secret) is not None
    assert not cache.is_revoked("mine")

    clock.now += STALE_AFTER.total_seconds() + 1
    assert cache.is_revoked("mine")
    await cache.refresh()
    assert not cache.is_revoked("mine")
    cache.note_revoked("mine")
    assert cache.is_revoked("mine")


async def test_a_revocation_is_known_ten_seconds_later(deployment: Deployment) -> None:
    """Whoever asks makes the cache read again, also if nothing runs in the background."""
    gateway, clock = AccessGateway(deployment.client), Clock()
    secret, token = await create(deployment.client)
    cache = AccessCache(gateway, clock)
    assert await cache.identify(secret) is not None
    await gateway.revoke_token(token.id, person("ana"))
    clock.now += READ_EVERY.total_seconds() + 1
    assert await cache.identify(secret) is None


async def test_unknown_tokens_ask_the_server_once_a_second(deployment: Deployment) -> None:
    """Whoever tries tokens learns nothing, and costs little."""
    secret, _ = await create(deployment.client)
    clock = Clock()
    cache = AccessCache(AccessGateway(deployment.client), clock)
    assert await cache.identify("clawback_" + "x" * 43) is None
    later, _ = await create(deployment.client)
    assert await cache.identify(later) is None
    clock.now += 1.5
    assert await cache.identify(later) is not None
    assert await cache.identify(secret) is not None


async def test_a_token_decides_alone_where_one_suffices(deployment: Deployment) -> None:
    """The record names the token."""
    secret, _ = await create(deployment.client)
    identity = await identify(deployment.client, secret)
    assert identity is not None
    told = plan()
    digest = await held(deployment, told, LINES)
    state = await deployment.cases.approve(told.case_id, Actor(identity=identity), digest)
    assert state != CaseState.HELD

    async def approved() -> list[str] | None:
        found = [one.actor for one in deployment.audit() if one.kind is RecordKind.APPROVED]
        return found or None

    assert await eventually(approved) == ["token ci"]


async def test_a_token_is_no_second_person(deployment: Deployment) -> None:
    """Nor the first of two."""
    secret, _ = await create(deployment.client, Role.OPERATOR)
    identity = await identify(deployment.client, secret)
    assert identity is not None
    told = plan(mode=Mode.ENFORCE, actions=(DOMAIN,))
    digest = await held(deployment, told, LINES)
    with pytest.raises(UpdateRefused, match="needs 2 people, and token ci is none"):
        await deployment.cases.approve(told.case_id, Actor(identity=identity), digest)


async def test_a_token_stops_and_does_not_resume(deployment: Deployment) -> None:
    """Whatever its role."""
    secret, _ = await create(deployment.client, Role.OPERATOR)
    identity = await identify(deployment.client, secret)
    assert identity is not None
    guard = GuardGateway(deployment.client)
    await guard.stop(Actor(identity=identity), "looks wrong")
    with pytest.raises(UpdateRefused, match="no API token may resume containment"):
        await guard.resume(Actor(identity=identity))
    await guard.resume(person("ana"))


async def test_a_token_needs_no_sign_in_where_people_do(temporal: Client, tmp_path: Path) -> None:
    """The key of the installation vouches for it; without one it is not verified."""
    policy = Policy(has_provider=True)
    async with deployed(temporal, simulated(LINES), tmp_path, policy=policy) as deployment:
        _, token = create_secret(Role.ANALYST, "", DAY, datetime.now(UTC))
        with pytest.raises(UpdateRefused, match="sign in first"):
            await AccessGateway(deployment.client).create_token(token, person("ana"))
