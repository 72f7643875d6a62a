"""Making and removing policies of the account.

Found by their fields, known by the mark in their comments. One creation to an activity.
"""

from typing import Any, Protocol

from pydantic import Field
from temporalio import activity

from activities.containment import FoundEntry, removal_of
from clawback.actions import Resource
from clawback.cloudflare import EmailSecurity, Share, errors, pages
from clawback.cloudflare.account_settings.policy_list import Policy, PolicyList
from clawback.model.addresses import PatternKind
from clawback.model.blocks import EndedBlock
from clawback.model.payload import Payload
from clawback.temporal.application_errors import as_application_error
from clawback.temporal.shares import SharedClients


class WantedPolicy(Payload):
    """A policy to find, to make or to take back.

    `owner` is the mark in its comments that says it is this case's.

    `matched` is whom it lets in, for a last look at the list of those whom no rule may let in.
    """

    resource: Resource
    fields: dict[str, str | bool]
    owner: str
    comments: str = ""
    matched: tuple[str, PatternKind] | None = None


class OwnedPolicy(Payload):
    """A policy of ours, as it was made."""

    id: str
    resource: Resource
    owner: str
    fields: dict[str, str | bool] = Field(default_factory=dict)

    def is_still(self, record: Policy) -> bool:
        """Whether a policy that stands is this one.

        It bears our mark, and nobody has changed what it says.
        """
        return self.owner in (record.comments or "") and is_made_of(record, self.fields)


class AllowGate(Protocol):
    """What must agree right before somebody is let in."""

    def forbids(self, pattern: str, kind: PatternKind) -> bool:
        """Whether the pattern is on the list that no rule may touch now."""


class PolicyActivities:
    """The requests about policies; `gate` gives the list that is loaded now."""

    def __init__(self, api: EmailSecurity, gate: AllowGate) -> None:
        self._urgency, self._removing = SharedClients(api), api.on(Share.UNDO)
        self._gate = gate

    @activity.defn(name="email_security.find_policy")
    async def find_policy(self, request: WantedPolicy) -> FoundEntry:
        """Find a policy of the same fields, ours before anybody else's.

        An empty answer means that there is none.
        """
        if self._is_refused(request):
            return FoundEntry(refused="never_allow")
        with as_application_error():
            same = await _same(self._urgency.client, request)
        mine = [policy for policy in same if request.owner in (policy.comments or "")]
        return FoundEntry(id=(mine or same)[0].id, mine=bool(mine)) if same else FoundEntry()

    @activity.defn(name="email_security.create_policy")
    async def create_policy(self, request: WantedPolicy) -> FoundEntry:
        """Make a policy, unless the list forbids it by now."""
        if self._is_refused(request):
            return FoundEntry(refused="never_allow")
        with as_application_error():
            made = await _list_of(self._urgency.client, request.resource).create(
                **request.fields, comments=request.comments
            )
        return FoundEntry(id=made.id, mine=True)

    @activity.defn(name="email_security.remove_policy")
    async def remove_policy(self, request: OwnedPolicy) -> EndedBlock:
        """Remove a policy if it is still ours.

        One that somebody has changed since is left alone.
        """
        policies = _list_of(self._removing, request.resource)
        with as_application_error():
            return await removal_of(request.id, request.is_still, policies.get, policies.delete)

    @activity.defn(name="undo.remove_policies")
    async def remove_policies(self, request: WantedPolicy) -> bool:
        """Remove the policies of those fields that bear our mark.

        False if there is none (any more).
        """
        removed = False
        with as_application_error():
            for policy in await _same(self._removing, request):
                if request.owner in (policy.comments or ""):
                    removed |= await _deleted(_list_of(self._removing, request.resource), policy.id)
        return removed

    def _is_refused(self, request: WantedPolicy) -> bool:
        return request.matched is not None and self._gate.forbids(*request.matched)


def is_made_of(record: Policy, fields: dict[str, str | bool]) -> bool:
    """Whether a policy has these fields, whatever the case of their letters."""
    return all(
        _folded(getattr(record, name, None)) == _folded(value) for name, value in fields.items()
    )


def _folded(value: object) -> object:
    return value.strip().casefold() if isinstance(value, str) else value or False


def _list_of(api: EmailSecurity, resource: Resource) -> Any:
    return getattr(api.settings, resource.value)


async def _same(api: EmailSecurity, request: WantedPolicy) -> list[Policy]:
    """List what may be it: the lists of patterns by the pattern, the registry by its search, which is for people."""
    pattern = request.fields.get("pattern")
    filters = (
        {"pattern": pattern} if pattern is not None else {"search": request.fields.get("email")}
    )
    found = pages(_list_of(api, request.resource).list, **filters)
    return [
        policy
        async for page in found
        for policy in page.items
        if is_made_of(policy, request.fields)
    ]


async def _deleted(policies: PolicyList[Any], identity: str) -> bool:
    try:
        await policies.delete(identity)
    except errors.NotFound:
        return False
    return True
