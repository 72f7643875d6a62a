"""Records the histories that `test_replay.py` replays.

`python -m tests.replay.record`, after a change that is meant to alter commands.

Until 0.1.0 is tagged, delete the old histories first. After that, keep them: they stand for
workflows that are open when a release is installed. A new file gets the next number; nothing is
overwritten. Every scene is played, in order; arguments name the scenes to save (default: all).
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from clawback.actions import BlockSender, BulkMove, Move, Notify, Reclassify, Release, TrustDomain
from clawback.cases import CasePlan, CaseState, CaseTiming, ForwardMatches, Limit
from clawback.cases.digest import WaitingNotification
from clawback.cases.state import Campaign
from clawback.cases.undo_judgement import UndoHold
from clawback.cases.undo_plan import UndoScope
from clawback.identity.access_list import create_secret
from clawback.model.addresses import PatternKind
from clawback.model.claims import Claim, Claims
from clawback.model.events import EventKind
from clawback.model.identity import OURSELVES, Role
from clawback.model.messages import Destination, Disposition
from clawback.model.mode import Mode
from clawback.model.orders import Verb
from clawback.model.policies import ExpiringBlock, OwnedPolicy, Resource
from clawback.notifications import Channels
from clawback.notifications.channels.slack import SlackChannel
from clawback.rules.live import LiveRules
from clawback.simulator import Simulator, SimulatorOptions, outbreak, parse_faults
from clawback.temporal import names
from clawback.temporal.access_gateway import AccessGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.expiry_gateway import ExpiryGateway
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.notification_gateway import NotificationGateway
from clawback.temporal.orders import sign_order
from clawback.temporal.reconciliation_gateway import ReconciliationGateway
from clawback.temporal.set_aside_gateway import MatchesSetAside, SetAsideGateway
from clawback.temporal.undo_decisions import UndoDecisions
from clawback.temporal.undo_gateway import UndoGateway
from tests.conftest import server_options
from tests.notifications.receivers import web_receiver
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed, match_of

HISTORIES = Path(__file__).parent / "histories"
MOVE = Move(destination=Destination.JUNK)
RECOVERABLE = Move(destination=Destination.RECOVERABLE)
SOON = CaseTiming(linger=timedelta(seconds=1), approval_timeout=timedelta(seconds=1))
LATER = SOON.model_copy(update={"linger": timedelta(seconds=10)})
"""Of a case that something reaches once it has settled, also on a busy machine."""
LINES = list(outbreak(4))
PATIENCE = timedelta(minutes=3)
"""How long a scene may take; the longest waits for half a minute."""

Scene = Callable[[Deployment], Awaitable[str]]


def plan(name: str, *actions: Any, **changes: Any) -> CasePlan:
    """Build a plan of its own for each scene."""
    return CasePlan(
        rule=name,
        version="v1",
        mode=changes.pop("mode", Mode.ENFORCE),
        group={"edf_hash": name},
        actions=actions,
        **changes,
    )


async def moved(deployment: Deployment) -> str:
    """A campaign is moved; a late arrival joins; the case closes."""
    told = plan("moved", MOVE, Reclassify(disposition=Disposition.MALICIOUS))
    await deployment.signal_case(told, *map(match_of, LINES[:2]), pace=LATER)
    await deployment.settled(told.case_id)
    await deployment.signal_case(told, *map(match_of, LINES[2:]), pace=LATER)
    await joined(deployment, told, len(LINES))
    return await closed(deployment, told)


async def blocked(deployment: Deployment) -> str:
    """A sender is blocked, and unblocked when the block expires."""
    told = plan(
        "blocked",
        BlockSender(pattern="a@bad.test", expires_after=timedelta(seconds=1)),
    )
    await deployment.signal_case(told, match_of(LINES[0]), pace=SOON)
    return await closed(deployment, told)


async def correlated(deployment: Deployment) -> str:
    """Three matches open a case, a fourth follows, a signal is unreadable, and a rule is gone.

    The rule counts campaigns, so each match is of one of its own.
    """
    rules = LiveRules.load(RULES).current
    known = rules.plan_group("block_repeat_sender", {"from_mailbox": "repeat@bad.test"})
    if known is None:
        raise ValueError("the shipped rules no longer have block_repeat_sender")

    gateway, linger = CorrelationGateway(deployment.client), timedelta(minutes=30)
    shard = names.correlation_id(known.case_id)
    gone = known.model_copy(update={"rule": "gone"})
    others = (
        gone.model_copy(update={"group": {"from": f"{number}@bad.test"}}) for number in count()
    )
    gone = next(one for one in others if names.correlation_id(one.case_id) == shard)
    matches = [
        match_of(*outbreak(1, seed)).model_copy(update={"values": (str(seed),)})
        for seed in range(51, 55)
    ]
    await gateway.send_matches([(known, matches[:3]), (gone, matches[:3])], linger)
    await eventually(lambda: _exists(deployment, known.case_id))
    await deployment.client.get_workflow_handle(shard).signal(names.MATCHED, "unreadable")
    await gateway.send_matches([(known, matches[3:])], linger)
    await _waiting(deployment, 3)
    return shard


async def shadowed(deployment: Deployment) -> str:
    """Nothing is done."""
    told = plan("shadowed", MOVE, mode=Mode.SHADOW)
    await deployment.signal_case(told, match_of(LINES[0]), pace=SOON)
    return await closed(deployment, told)


async def approved(deployment: Deployment) -> str:
    """Held, approved, moved."""
    told = plan("approved", MOVE, mode=Mode.APPROVE)
    await deployment.signal_case(
        told,
        match_of(LINES[0]),
        pace=SOON.model_copy(update={"approval_timeout": timedelta(days=7)}),
    )
    await deployment.settled(told.case_id, CaseState.HELD)
    await deployment.cases.approve(
        told.case_id,
        person("ana"),
        (await deployment.cases.proposal(told.case_id)).digest,
        "looks right",
    )
    return await closed(deployment, told)


async def expired(deployment: Deployment) -> str:
    """Held, and nobody answers."""
    told = plan("expired", MOVE, mode=Mode.APPROVE)
    await deployment.signal_case(told, match_of(LINES[0]), pace=SOON)
    return await closed(deployment, told)


async def denied(deployment: Deployment) -> str:
    """Held, and somebody says no; what comes later is refused too."""
    told = plan("denied", MOVE, mode=Mode.APPROVE)
    await deployment.signal_case(
        told,
        match_of(LINES[0]),
        pace=LATER.model_copy(update={"approval_timeout": timedelta(days=7)}),
    )
    await deployment.settled(told.case_id, CaseState.HELD)
    await deployment.cases.deny(told.case_id, person("ana"), "a newsletter")
    await deployment.signal_case(told, match_of(LINES[1]), pace=LATER)
    await joined(deployment, told, 2)
    return await closed(deployment, told)


async def aside(deployment: Deployment) -> str:
    """Held, and moved aside meanwhile, also a late arrival; then denied and given back."""
    told = plan("aside", RECOVERABLE, mode=Mode.APPROVE, while_held=MOVE)
    pace = SOON.model_copy(update={"approval_timeout": timedelta(days=7)})
    for line in LINES[:2]:
        await deployment.signal_case(told, match_of(line), pace=pace)
        await _moved_aside(deployment, told, line["message"]["id"])
    await deployment.cases.deny(told.case_id, person("ana"), "a newsletter")
    return await closed(deployment, told)


async def aside_approved(deployment: Deployment) -> str:
    """Held, and moved aside meanwhile; then approved and moved on."""
    told = plan("aside_approved", RECOVERABLE, mode=Mode.APPROVE, while_held=MOVE)
    pace = SOON.model_copy(update={"approval_timeout": timedelta(days=7)})
    await deployment.signal_case(told, match_of(LINES[0]), pace=pace)
    await _moved_aside(deployment, told, LINES[0]["message"]["id"])
    digest = (await deployment.cases.proposal(told.case_id)).digest
    await deployment.cases.approve(told.case_id, person("ana"), digest)
    return await closed(deployment, told)


async def _moved_aside(deployment: Deployment, told: CasePlan, message: str) -> None:
    async def there() -> bool | None:
        snapshot = (await deployment.cases.status(told.case_id)).snapshot
        return (snapshot is not None and message in snapshot.outcomes[1]) or None

    await eventually(there)


async def widened(deployment: Deployment) -> str:
    """The action widens: two people agree, whatever the mode."""
    told = plan(
        "widened",
        BlockSender(pattern="bad.test", kind=PatternKind.DOMAIN, expires_after=timedelta(days=30)),
    )
    await deployment.signal_case(
        told,
        match_of(LINES[0]),
        pace=SOON.model_copy(update={"approval_timeout": timedelta(days=7)}),
    )
    await deployment.settled(told.case_id, CaseState.HELD)
    digest = (await deployment.cases.proposal(told.case_id)).digest
    await deployment.cases.approve(told.case_id, person("ana"), digest)
    await deployment.cases.approve(told.case_id, person("ben"), digest)
    return await closed(deployment, told)


async def over_budget(deployment: Deployment) -> str:
    """The guard refuses, the case is held, somebody approves, and it acts."""
    told = plan("over_budget", MOVE, limits=(Limit(messages=1, per=timedelta(hours=1)),))
    await deployment.signal_case(
        told,
        *map(match_of, LINES[:2]),
        pace=SOON.model_copy(update={"approval_timeout": timedelta(days=7)}),
    )
    await deployment.settled(told.case_id, CaseState.HELD)
    await deployment.cases.approve(
        told.case_id, person("ana"), (await deployment.cases.proposal(told.case_id)).digest
    )
    return await closed(deployment, told)


async def released(deployment: Deployment) -> str:
    """Quarantined mail is let out."""
    told = plan("released", Release())
    mail = [
        {**line, "message": {**line["message"], "is_quarantined": True}}
        for line in outbreak(2, seed=31)
    ]
    deployment.simulator.add(mail)
    await deployment.signal_case(told, *map(match_of, mail), pace=SOON)
    return await closed(deployment, told)


async def searched(deployment: Deployment) -> str:
    """Older mail is searched for, looked at, and moved."""
    told = plan("searched", BulkMove(destination=Destination.JUNK, sender="older@bad.test"))
    deployment.simulator.add(list(outbreak(2, seed=41, sender="older@bad.test")))
    await deployment.signal_case(
        told,
        match_of(LINES[0]),
        pace=SOON.model_copy(update={"approval_timeout": timedelta(days=7)}),
    )
    await deployment.settled(told.case_id, CaseState.HELD)
    await deployment.cases.approve(
        told.case_id, person("ana"), (await deployment.cases.proposal(told.case_id)).digest
    )
    return await closed(deployment, told)


async def trusted(deployment: Deployment) -> str:
    """A domain is trusted, which two people agree to."""
    told = plan("trusted", TrustDomain(pattern="good.example", expires_after=timedelta(seconds=1)))
    await deployment.signal_case(
        told,
        match_of(LINES[0]),
        pace=SOON.model_copy(update={"approval_timeout": timedelta(days=7)}),
    )
    await deployment.settled(told.case_id, CaseState.HELD)
    digest = (await deployment.cases.proposal(told.case_id)).digest
    for who in ("ana", "ben"):
        await deployment.cases.approve(told.case_id, person(who), digest)
    return await closed(deployment, told)


async def trusted_no_more(deployment: Deployment) -> str:
    """The end of that trust."""
    expiry = await latest(deployment, names.POLICY_EXPIRY)
    await deployment.client.get_workflow_handle(expiry).result()
    return expiry


async def undone(deployment: Deployment) -> str:
    """All that a case did is taken back while it is open."""
    told = plan(
        "undone", MOVE, Reclassify(disposition=Disposition.SPAM), BlockSender(pattern="u@bad.test")
    )
    deployment.simulator.add(mail := list(outbreak(3, seed=21)))
    await deployment.signal_case(told, *map(match_of, mail))
    await deployment.settled(told.case_id)
    undo = UndoGateway(deployment.client)
    scope = UndoScope(actor=person("ana"), reason="good mail")
    found = await undo.find(scope, case=told.case_id)
    pages = await undo.start(scope, (one.case for one in found.candidates))
    await _approved(deployment, pages[0])
    await undo.result(pages)
    return await closed(deployment, told)


async def _approved(deployment: Deployment, page: str) -> None:
    """The messages are malicious, so somebody else agrees."""
    decisions, id_ = UndoDecisions(deployment.client), page.rpartition("/")[0]

    async def held() -> UndoHold | None:
        return (await decisions.held()).given.get(id_)

    hold = await eventually(held)
    await decisions.approve(id_, person("bob"), hold.assessment.digest, "a drill")


async def undo_of_one(deployment: Deployment) -> str:
    """The undo of the case before."""
    return await latest(deployment, names.CASE_UNDO)


async def undo_of_many(deployment: Deployment) -> str:
    """The workflow that somebody's `clawback undo` started for it."""
    return await latest(deployment, names.UNDO)


async def guarded(deployment: Deployment) -> str:
    """The guard after all of this, and a stop, a resume and the confirmation of a rule."""
    guard = GuardGateway(deployment.client)
    await guard.stop(person("ana"), "too much")
    await guard.resume(person("ana"))
    await guard.confirm("undone", person("ana"))
    return names.GUARD_ID


async def admitted(deployment: Deployment) -> str:
    """Two tokens, one of them revoked, and the revoked session of somebody."""
    access, now = AccessGateway(deployment.client), datetime.now(UTC)
    for name in ("ci", "report"):
        _, token = create_secret(Role.ANALYST, name, timedelta(days=1), now)
        await access.create_token(token, person("ana"))
    await access.revoke_token(token.id, person("ana"), "leaked")
    await access.sign_out("session", now + timedelta(hours=8), person("ben"))
    return names.ACCESS_ID


async def announced(deployment: Deployment) -> str:
    """What told people of the last of that."""
    return await latest(deployment, names.ANNOUNCEMENT)


async def digested(deployment: Deployment) -> str:
    """A digest that is due at once, of a notification that is gone."""
    now = datetime.now(UTC)
    waiting = WaitingNotification(id="gone", subject="Held", at=now, until=now)
    await NotificationGateway(deployment.client).put_off("soc", waiting)
    digest = names.digest_id("soc")
    await deployment.client.get_workflow_handle(digest).result()
    return digest


async def polled_submissions(deployment: Deployment) -> str:
    """The poller of another source, which is never told anything."""
    await deployment.poll(EventKind.SUBMISSION)
    return names.poller_id(EventKind.SUBMISSION)


async def watched(deployment: Deployment) -> str:
    """One look at the pollers."""
    await deployment.client.execute_workflow(
        names.WATCHDOG, id="watchdog", task_queue=names.WORKFLOW_QUEUE
    )
    return "watchdog"


async def reconciled(deployment: Deployment) -> str:
    """The policy lists are compared with what is known."""
    await ReconciliationGateway(deployment.client).look()
    return names.RECONCILIATION


async def policy_lifted(deployment: Deployment) -> str:
    """A policy is gone at the API before its time, and its workflow is told to end."""
    policy = OwnedPolicy(
        id="none",
        resource=Resource.TRUSTED_DOMAINS,
        owner="case-run:0",
        fields={"pattern": "none.test"},
    )
    expiries = ExpiryGateway(deployment.client)
    end = datetime.now(UTC) + timedelta(days=1)
    claim = Claim(owner=policy.owner, expires_at=end, rule="r", case="case/r/0")
    await expiries.adopt(policy, Claims(kept=(claim,)))
    await expiries.close(policy.resource, policy.id, OURSELVES, "it is gone")
    id_ = names.expiry_id(f"{policy.resource}/{policy.id}")
    await deployment.client.get_workflow_handle(id_).result()
    return id_


async def lost(deployment: Deployment) -> str:
    """Answers are lost on the way: verified, repeated, certain."""
    deployment.simulator.account.faults.rates = parse_faults("lost_answer=0.5,500=0.2")
    told = plan(
        "lost", MOVE, BlockSender(pattern="b@bad.test"), Reclassify(disposition=Disposition.SPAM)
    )
    await deployment.signal_case(told, *map(match_of, outbreak(6, seed=9)), pace=SOON)
    deployment.simulator.add(list(outbreak(6, seed=9)))
    found = await closed(deployment, told)
    deployment.simulator.account.faults.rates = parse_faults("")
    return found


async def polled(deployment: Deployment) -> str:
    """A poller reads, is paused, resumed and rewound."""
    await deployment.poll()
    await deployment.pollers.pause(EventKind.MESSAGE, person("ana"), "lunch")
    await deployment.pollers.resume(EventKind.MESSAGE, person("ana"))
    await deployment.poll()
    return names.poller_id(EventKind.MESSAGE)


async def ended(deployment: Deployment) -> str:
    """A block of the scene before ends."""
    block = next(row["id"] for row in deployment.ledger if row["operation"] == "create")
    await deployment.client.get_workflow_handle(names.expiry_id(block)).result()
    return names.expiry_id(block)


async def extended(deployment: Deployment) -> str:
    """A block stands longer than it was to."""
    block = await standing(deployment, "extended")
    handle = deployment.client.get_workflow_handle(block)
    known: ExpiringBlock = await handle.query(names.STATUS, result_type=ExpiringBlock)
    until = known.expires_at + timedelta(seconds=1)
    order = sign_order(
        deployment.client,
        Verb.EXTEND_BLOCK,
        block,
        person("ana"),
        reason="they are at it again",
        content=until.isoformat(),
    )
    await handle.execute_update(names.EXTEND, order)
    await handle.result()
    return block


async def lifted(deployment: Deployment) -> str:
    """A block is lifted long before its time is up."""
    block = await standing(deployment, "lifted", timedelta(days=30))
    order = sign_order(deployment.client, Verb.LIFT_BLOCK, block, person("ben"), reason="a partner")
    await deployment.client.get_workflow_handle(block).execute_update(names.LIFT, order)
    await deployment.client.get_workflow_handle(block).result()
    return block


async def marked(deployment: Deployment) -> str:
    """A mark whose time is up. In its first 30 days it has no task, and nothing to replay."""
    mark = names.own_submission_id("recorded")
    await deployment.client.execute_workflow(
        names.OWN_SUBMISSION, id=mark, task_queue=names.WORKFLOW_QUEUE
    )
    return mark


async def notified(deployment: Deployment) -> str:
    """A case notifies a channel that works and one that does not exist."""
    told = plan(
        "notified",
        MOVE,
        mode=Mode.APPROVE,
        notifications=(Notify(channel="soc"), Notify(channel="nobody")),
    )
    await deployment.signal_case(
        told,
        match_of(LINES[0]),
        pace=SOON.model_copy(
            update={"linger": timedelta(seconds=3), "approval_timeout": timedelta(days=7)}
        ),
    )
    await _outcomes(deployment, told, 2)
    await deployment.cases.approve(
        told.case_id, person("ana"), (await deployment.cases.proposal(told.case_id)).digest
    )
    await _outcomes(deployment, told, 4)
    return await closed(deployment, told)


async def delivered(deployment: Deployment) -> str:
    """The delivered notification of the scene before."""
    return await _notification(deployment, "notified")


async def not_delivered(deployment: Deployment) -> str:
    """The failed notification of that scene."""
    return await _notification(deployment, "failed:no_such_channel")


async def part(deployment: Deployment) -> str:
    """A further part of a campaign; the case itself has closed."""
    told = plan("part", MOVE)
    matches = (match_of(LINES[0]),)
    campaign = Campaign(id="a run", opened_at=matches[0].at)
    request = ForwardMatches(plan=told, timing=SOON, part=2, campaign=campaign, matches=matches)
    await deployment.cases.signal_part(request)
    name = names.part_id(told.case_id, request.part)
    await deployment.client.get_workflow_handle(name).result()
    return name


async def set_aside(deployment: Deployment) -> str:
    """Matches that were set aside reach their case."""
    told = plan("set_aside", MOVE)
    batch = MatchesSetAside(plan=told, matches=(match_of(LINES[0]),), timing=SOON)
    await SetAsideGateway(deployment.client).add(batch)
    kept = await latest(deployment, names.SET_ASIDE)
    await deployment.client.get_workflow_handle(kept).result()
    return kept


SCENES: dict[str, Scene] = {
    "case-moved": moved,
    "case-blocked": blocked,
    "correlation-shard": correlated,
    "case-shadowed": shadowed,
    "case-approved": approved,
    "case-expired": expired,
    "case-denied": denied,
    "case-aside": aside,
    "case-aside-approved": aside_approved,
    "case-widened": widened,
    "case-over-budget": over_budget,
    "case-released": released,
    "case-searched": searched,
    "case-trusted": trusted,
    "policy-expiry": trusted_no_more,
    "case-undone": undone,
    "case-undo": undo_of_one,
    "undo": undo_of_many,
    "case-lost-answers": lost,
    "poller": polled,
    "block-expiry": ended,
    "block-extended": extended,
    "block-lifted": lifted,
    "own-submission": marked,
    "poller-submissions": polled_submissions,
    "guard": guarded,
    "access": admitted,
    "announcement": announced,
    "digest": digested,
    "watchdog": watched,
    "reconciliation": reconciled,
    "policy-lifted": policy_lifted,
    "case-notified": notified,
    "case-part": part,
    "set-aside": set_aside,
    "notification": delivered,
    "notification-failed": not_delivered,
}


class SceneStuck(RuntimeError):
    """A scene did not get where it should; the text names it and says where it was."""


async def play(name: str, deployment: Deployment) -> str:
    """Play a scene; the id of the workflow to save.

    Raises:
        SceneStuck: it took too long, or something came too late.

    """
    scene = SCENES[name]
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await scene(deployment)
    except TimeoutError as error:
        cases = [f"{one.id} is {one.shown_state}" for one in await deployment.cases.find(limit=3)]
        raise SceneStuck(
            f"the scene {name} ({scene.__doc__}) did not end within "
            f"{PATIENCE.total_seconds():.0f} s; the newest cases: {', '.join(cases) or 'none'}. "
            "Has a rule or an action changed that it rests on?"
        ) from error


async def joined(deployment: Deployment, told: CasePlan, count: int) -> None:
    """Wait until a case has taken so many events.

    Raises:
        SceneStuck: they opened the case anew, because it had closed.

    """

    async def there() -> bool | None:
        snapshot = (await deployment.cases.status(told.case_id)).snapshot
        return (snapshot is not None and len(snapshot.events) == count) or None

    await eventually(there)
    runs = [one async for one in deployment.client.list_workflows(f"WorkflowId = '{told.case_id}'")]
    if len(runs) > 1:
        raise SceneStuck(f"{told.case_id} had closed before all matches came: run it again")


async def _exists(deployment: Deployment, case_id: str) -> bool | None:
    return bool(await deployment.cases.find(CaseFilter(id_prefix=case_id))) or None


async def _waiting(deployment: Deployment, count: int) -> None:
    """Wait until so many matches of correlations wait for their case."""

    async def there() -> bool | None:
        statuses = await CorrelationGateway(deployment.client).statuses()
        return sum(one.waiting for one in statuses) == count or None

    await eventually(there)


async def _outcomes(deployment: Deployment, told: CasePlan, count: int) -> None:
    async def there() -> bool | None:
        memory = (await deployment.cases.status(told.case_id)).snapshot
        return (
            memory is not None and sum(bool(one.outcome) for one in memory.notifications) == count
        ) or None

    await eventually(there)


async def _notification(deployment: Deployment, outcome: str) -> str:
    found = [
        one.id
        async for one in deployment.client.list_workflows(f"WorkflowType = '{names.NOTIFICATION}'")
    ]
    results = {one: await deployment.client.get_workflow_handle(one).result() for one in found}
    return next(one for one, result in results.items() if result == outcome)


async def latest(deployment: Deployment, kind: str) -> str:
    """The workflow of one kind that started last; the index may lag."""

    async def there() -> str | None:
        return next(
            iter(
                [
                    found.id
                    async for found in deployment.client.list_workflows(
                        f"WorkflowType = '{kind}'", limit=1
                    )
                ]
            ),
            None,
        )

    return await eventually(there)


async def standing(
    deployment: Deployment, name: str, lasts: timedelta = timedelta(seconds=3)
) -> str:
    """Make a block; the id of the workflow that will end it."""
    told = plan(name, BlockSender(pattern=f"{name}@bad.test", expires_after=lasts))
    await deployment.signal_case(told, match_of(LINES[0]), pace=SOON)
    await closed(deployment, told)
    return names.expiry_id(
        next(row["id"] for row in reversed(deployment.ledger) if row["operation"] == "create")
    )


async def closed(deployment: Deployment, told: CasePlan) -> str:
    """Wait until a case is over; its id."""
    await deployment.client.get_workflow_handle(told.case_id).result()
    return told.case_id


async def record(client: Client, folder: Path, wanted: Sequence[str]) -> None:
    """Play every scene and write the histories of those that are wanted."""
    simulator = Simulator(SimulatorOptions(rate=None))
    simulator.add(LINES)
    with tempfile.TemporaryDirectory() as state:
        async with (
            receiving() as channels,
            deployed(client, simulator, Path(state), channels, judges_undo=True) as deployment,
        ):
            for name in SCENES:
                played = await play(name, deployment)
                if name in wanted:
                    save(
                        folder,
                        name,
                        (await client.get_workflow_handle(played).fetch_history()).to_json(),
                    )


@asynccontextmanager
async def receiving() -> AsyncIterator[Channels]:
    """One channel, to a receiver on this machine."""
    with web_receiver() as receiver:
        channel = SlackChannel.model_validate({"kind": "slack", "url": receiver.url})
        yield {"soc": channel}


def save(folder: Path, name: str, text: str) -> None:
    """Write a history beside the ones that are there, without stack traces.

    Replay does not need them, and they name places.
    """
    number = len(list(folder.glob(f"{name}.*.json"))) + 1
    told = json.loads(
        text,
        object_hook=lambda found: {
            key: value for key, value in found.items() if key != "stackTrace"
        },
    )
    (folder / f"{name}.{number}.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


async def main() -> None:
    """Record against a fresh server."""
    HISTORIES.mkdir(exist_ok=True)
    async with await WorkflowEnvironment.start_local(**server_options()) as environment:
        await record(environment.client, HISTORIES, sys.argv[1:] or list(SCENES))


if __name__ == "__main__":
    asyncio.run(main())
