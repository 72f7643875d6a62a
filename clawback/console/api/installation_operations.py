"""The installation: rules, blocks, status, the kill switch, and who asks."""

from clawback import __version__
from clawback.app_files import build_id
from clawback.cases import CaseState
from clawback.console.api.answers import (
    BlockAnswer,
    BlockItem,
    ClaimItem,
    Me,
    PollerItem,
    RuleAnswer,
    RuleItem,
    Status,
    StopAnswer,
)
from clawback.console.api.api_services import ApiServices
from clawback.console.api.operations import Call, Reply
from clawback.console.api.problems import Changed, Unavailable
from clawback.console.jobs.child_job import JobFailed
from clawback.guard import Stop
from clawback.inventory.last_matches import read_last_matches
from clawback.inventory.rule_catalogue import RuleCatalogue
from clawback.inventory.rule_list import ceiling_of
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.temporal.block_gateway import ActiveBlock
from clawback.temporal.fan_out import UNANSWERED, Answers, call_each
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused

_OPEN = (CaseState.HELD, CaseState.RESPONDING, CaseState.SETTLED)


async def list_rules(call: Call) -> Reply:
    """List the rules that are loaded."""
    try:
        catalogue = await call.services.read_rules()
    except JobFailed:
        catalogue = RuleCatalogue(problem="they cannot be read")
    if catalogue.problem and not catalogue.rules:
        raise Unavailable("The rules cannot be read here: see `clawback rules check`.")

    listed = [one.listed for one in catalogue.rules]
    last = await read_last_matches(call.services.client, [one.name for one in listed])
    shown = set(RuleItem.model_fields) - {"last_match"}
    items = [
        RuleItem(**one.model_dump(include=shown), last_match=last.get(one.name)) for one in listed
    ]
    return Reply(RuleAnswer(version=catalogue.version, ceiling=catalogue.ceiling, items=items))


async def list_blocks(call: Call) -> Reply:
    """List the sender blocks of clawback that stand."""
    found = [_describe_block(one) async for one in call.services.blocks.list_active()]
    return Reply(BlockAnswer(items=sorted(found, key=lambda block: (block.ends_at, block.id))))


async def show_status(call: Call) -> Reply:
    """Say whether containment is stopped, what is open, and how far the pollers are."""
    services = call.services
    counts = {state.value: await services.cases.count(state) for state in _OPEN}
    pollers = await call_each(
        lambda source: services.pollers.status(EventKind(source)), [*EventKind]
    )
    settings = services.settings
    return Reply(
        Status(
            version=__version__,
            build=build_id(),
            account=settings.account,
            ceiling=ceiling_of(settings),
            containment=await _read_stop(services),
            cases=counts,
            pollers=[_describe_poller(one) for one in pollers.given.values()],
            unanswered=_name_unanswered(pollers),
        )
    )


async def stop(call: Call) -> Reply:
    """Stop containment. Requests may still leave for three seconds."""
    try:
        stopped = await call.services.guard.stop(call.actor, call.body.reason)
    except (NoSuchWorkflow, UpdateRefused):
        # Without a guard nothing acts; a worker starts it again, stopped.
        await call.services.guard.close_queues("stopped through the API")
        return Reply(await _read_stop(call.services))
    return Reply(_describe_stop(stopped))


async def resume(call: Call) -> Reply:
    """Resume containment."""
    try:
        await call.services.guard.resume(call.actor, call.body.reason)
    except (NoSuchWorkflow, UpdateRefused) as error:
        raise Changed(str(error)) from error
    return Reply(StopAnswer(stopped=False))


async def show_me(call: Call) -> Reply:
    """Say who asks, and what they may do."""
    identity = call.actor.identity
    return Reply(
        Me(
            name=identity.label,
            source=identity.source,
            issuer=identity.issuer,
            subject=identity.subject,
            verified=identity.is_verified,
            roles=list(identity.roles),
        )
    )


async def _read_stop(services: ApiServices) -> StopAnswer:
    if not await services.guard.is_stopped():
        return StopAnswer(stopped=False)
    try:
        snapshot = await services.guard.status()
    except UNANSWERED:
        snapshot = None
    stopped = snapshot.stopped if snapshot else None
    return StopAnswer(stopped=True) if stopped is None else _describe_stop(stopped)


def _describe_stop(stopped: Stop) -> StopAnswer:
    return StopAnswer(stopped=True, by=stopped.by, at=stopped.at, reason=stopped.reason)


def _describe_block(block: ActiveBlock) -> BlockItem:
    claims = [
        ClaimItem(
            rule=claim.rule or "", case=claim.case or "", by=claim.by, ends_at=claim.expires_at
        )
        for claim in block.claims.kept
    ]
    return BlockItem(
        id=block.id,
        pattern=block.block.pattern,
        kind=block.block.kind,
        rule=block.rule,
        case=block.case,
        made_at=block.made_at,
        ends_at=block.expires_at,
        claims=claims,
    )


def _describe_poller(status: PollerStatus) -> PollerItem:
    return PollerItem(
        source=status.source, state=status.state, read_to=status.cursor, detail=status.detail or ""
    )


def _name_unanswered(pollers: Answers[PollerStatus]) -> dict[str, str]:
    """Name the pollers that did not answer; one that was never started has nothing to say."""
    return {
        f"poller {source}": why
        for source, why in pollers.unanswered.items()
        if not isinstance(pollers.errors[source], NoSuchWorkflow)
    }
