"""Creating and removing entries on the policy lists of the account, sender blocks included.

Nothing makes an entry unique, so creating one is never repeated blindly: the workflow calls
`find_policy` before every attempt.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from pydantic import Field
from temporalio import activity

from activities.containment import SEND_PATIENCE
from clawback.actions import Policy
from clawback.actions.policy import PolicyFields
from clawback.batching import Batcher
from clawback.cases.authority import Authority
from clawback.cloudflare import Batch, EmailSecurity, Share, errors, pages
from clawback.cloudflare.account_settings.policy_list import MAX_ENTRIES_PER_BATCH, PolicyList
from clawback.cloudflare.account_settings.policy_list import Policy as PolicyRecord
from clawback.model.claims import Claim, Claims
from clawback.model.payload import Payload
from clawback.model.policies import (
    EndedPolicy,
    OwnedPolicy,
    Removal,
    Resource,
    has_fields,
    has_mark,
    normalised_fields,
)
from clawback.model.policy_marks import PolicyMark, extend_mark, read_mark, seal_comments
from clawback.model.times import UtcDatetime
from clawback.rules.act_check import ActCheck
from clawback.temporal.application_errors import as_application_error, require_permission
from clawback.temporal.expiry_gateway import ExpiryGateway
from clawback.temporal.fan_out import gather_limited
from clawback.temporal.shares import SharedClients

_MOST_SINGLE_SEARCHES = 3
"""Up to so many entries are searched for one by one; for more the list is read once."""
_JOIN = timedelta(milliseconds=500)
"""How long an undo waits for others to join its request: cases that are undone together do."""
_SPOILT = (errors.InvalidRequest, errors.NotFound)
_Fields = frozenset[tuple[str, object]]
_Key = tuple[str, _Fields]
"""Owner and fields of an entry: what makes two requests the same."""


class PolicyRequest(Payload):
    """An entry to find, to create or to undo; `owner` is the mark of its case in the comments."""

    action: Policy
    owner: str
    comments: str = ""


class CreatePolicy(PolicyRequest):
    """An entry to create, and on what that rests."""

    authority: Authority


class FoundPolicy(Payload):
    """An entry of a list: its id (None: there is none) and whether it has the owner's mark.

    `owner` is the mark of the case that made it, and `claims` what that says, if another case of
    this installation made the entry.
    """

    id: str | None = None
    is_mine: bool = False
    owner: str = ""
    claims: Claims = Field(default_factory=Claims)


class ClaimPolicy(CreatePolicy):
    """An entry that another case has made, and the claim of a case on it."""

    found: FoundPolicy
    claim: Claim


class ExtendPolicy(Payload):
    """An entry of ours, and until when people want it to stand."""

    policy: OwnedPolicy
    until: UtcDatetime


class PolicyOutcomes(Payload):
    """What became of a claim, by the label of the action; none if the entry is being removed."""

    outcomes: dict[str, str] = Field(default_factory=dict)


class PolicyActivities:
    """The requests about policies; `check` is asked again right before each creation.

    `installation` is the name in the mark of what this creates.

    Cases that ask at the same moment share their requests.
    """

    def __init__(
        self, api: EmailSecurity, check: ActCheck, installation: str, expiries: ExpiryGateway
    ) -> None:
        self._installation = installation
        self._expiries = expiries
        self._clients, self._undo_client = SharedClients(api), api.on(Share.UNDO)
        self._check = check
        lists = [(client, kind) for client in self._clients.clients for kind in Resource]
        self._searches = {
            one: Batcher(
                partial(_find_each, *one, installation), MAX_ENTRIES_PER_BATCH, spoilt=_SPOILT
            )
            for one in lists
        }
        self._creations = {
            one: Batcher(
                partial(_create_each, *one, installation),
                MAX_ENTRIES_PER_BATCH if _takes_batches(*one, "posts") else 1,
                spoilt=_SPOILT,
                patience=SEND_PATIENCE,
            )
            for one in lists
        }
        self._removals = {
            resource: Batcher(
                partial(self._remove_all, resource), MAX_ENTRIES_PER_BATCH, pause=_JOIN, busy=_JOIN
            )
            for resource in Resource
        }

    @activity.defn(name="email_security.find_policy")
    async def find_policy(self, request: PolicyRequest) -> FoundPolicy:
        """Find an entry with the same fields, ours before anybody else's."""
        with as_application_error():
            found = await self._searches[self._list_of(request)].ask([request])
        return found[_key(request)]

    @activity.defn(name="email_security.create_policy")
    async def create_policy(self, request: CreatePolicy) -> FoundPolicy:
        """Create an entry: POST `settings/<list>`, or one entry of a POST `settings/<list>/batch`.

        A batch is all or nothing. What its response does not name may exist nevertheless.
        """
        require_permission(self._check, request.authority, request.action)
        with as_application_error():
            created = await self._creations[self._list_of(request)].ask([self._seal(request)])
            if _key(request) not in created:
                path = f"settings/{request.action.resource}/batch"
                raise errors.UnknownOutcome(path, "the response does not name the entry")
        return created[_key(request)]

    @activity.defn(name="email_security.claim_policy")
    async def claim_policy(self, request: ClaimPolicy) -> PolicyOutcomes:
        """Let an entry that another case has made stand until this case wants it to end."""
        require_permission(self._check, request.authority, request.action)
        found, action = request.found, request.action
        if found.id is None or not found.owner:
            return PolicyOutcomes()

        policy = OwnedPolicy(
            id=found.id,
            resource=action.resource,
            owner=found.owner,
            fields=dict(action.fields),
        )
        if await self._expiries.claim(policy, found.claims, request.claim):
            return PolicyOutcomes(outcomes={action.label: action.created_outcome})
        return PolicyOutcomes()

    @activity.defn(name="email_security.remove_policy")
    async def remove_policy(self, request: OwnedPolicy) -> EndedPolicy:
        """Remove an entry if it is still ours and unchanged."""
        policies = _list_of(self._undo_client, request.resource)
        with as_application_error():
            try:
                if not request.is_still(await policies.get(request.id)):
                    return EndedPolicy(removal=Removal.LEFT_ALONE)
                await policies.delete(request.id)
            except errors.NotFound:
                return EndedPolicy(removal=Removal.GONE)

        return EndedPolicy(removal=Removal.REMOVED)

    @activity.defn(name="email_security.extend_policy")
    async def extend_policy(self, request: ExtendPolicy) -> None:
        """Write into the mark of an entry until when people have extended it: a safe PATCH.

        For whoever adopts the entry once its workflow is lost. What people have edited is left.
        """
        policies = _list_of(self._undo_client, request.policy.resource)
        with as_application_error(), suppress(errors.NotFound):
            record = await policies.get(request.policy.id)
            comments = extend_mark(request.policy.resource, record, request.until)
            if request.policy.is_still(record) and comments is not None:
                await policies.edit(request.policy.id, comments=comments)

    @activity.defn(name="undo.remove_policies")
    async def remove_policies(self, request: PolicyRequest) -> EndedPolicy:
        """End the claims of a case on entries with these fields; remove those that nobody claims.

        Shares its requests with the other cases that are undone now.
        """
        with as_application_error():
            ended = await self._removals[request.action.resource].ask([request])
        return EndedPolicy(removal=ended.get(_key(request), Removal.GONE))

    async def _remove_all(
        self, resource: Resource, requests: Sequence[PolicyRequest]
    ) -> dict[_Key, Removal]:
        """Give up what belongs to these requests; say what became of it."""
        found = await _search(self._undo_client, resource, requests)
        pairs = [
            (request, record)
            for request, records in zip(requests, found, strict=True)
            for record in records
        ]
        removals = await gather_limited(partial(self._withdraw, resource), pairs)

        ended: dict[_Key, Removal] = {}
        unwanted: dict[str, _Key] = {}
        for (request, record), removal in zip(pairs, removals, strict=True):
            if removal is Removal.REMOVED:
                unwanted[record.id] = _key(request)
            elif removal is Removal.CLAIMED:
                ended[_key(request)] = removal

        removed = await _delete_all(_list_of(self._undo_client, resource), list(unwanted))
        return ended | {unwanted[one]: Removal.REMOVED for one in removed}

    async def _withdraw(
        self, resource: Resource, pair: tuple[PolicyRequest, PolicyRecord]
    ) -> Removal:
        """End the claim of a case on an entry; `REMOVED` says that it is to be removed."""
        request, record = pair
        is_mine = has_mark(record, request.owner)
        if not is_mine and _mark_of(resource, record, self._installation) is None:
            return Removal.LEFT_ALONE

        withdrawal = await self._expiries.withdraw(resource, record.id, request.owner)
        if withdrawal is None:
            # Nothing waits for its end: only the case that made it may remove it.
            return Removal.REMOVED if is_mine else Removal.LEFT_ALONE
        if not withdrawal.was_claimed and not is_mine:
            return Removal.LEFT_ALONE
        return Removal.CLAIMED if withdrawal.left else Removal.REMOVED

    def _seal(self, request: CreatePolicy) -> CreatePolicy:
        action = request.action
        comments = seal_comments(
            request.comments, action.resource, action.fields, self._installation
        )
        return request.model_copy(update={"comments": comments})

    def _list_of(self, request: PolicyRequest) -> tuple[EmailSecurity, Resource]:
        """The list of an action, with the share of whoever asks."""
        return self._clients.client, request.action.resource


def _list_of(api: EmailSecurity, resource: Resource) -> Any:
    return getattr(api.settings, resource.value)


def _takes_batches(api: EmailSecurity, resource: Resource, kind: str) -> bool:
    return kind in _list_of(api, resource).batch_kinds


def _key(request: PolicyRequest) -> _Key:
    return request.owner, normalised_fields(request.action.fields)


def _mark_of(resource: Resource, record: object, installation: str) -> PolicyMark | None:
    """Return the mark of an entry of this installation, unless people have edited it since."""
    mark = read_mark(resource, record)
    if mark is None or not mark.is_intact or mark.installation != installation:
        return None
    return mark


def _found(id_: str, mark: PolicyMark | None, *, is_mine: bool) -> FoundPolicy:
    if mark is None:
        return FoundPolicy(id=id_, is_mine=is_mine)
    return FoundPolicy(id=id_, is_mine=is_mine, owner=mark.owner, claims=mark.claims)


async def _find_each(
    api: EmailSecurity, resource: Resource, installation: str, requests: Sequence[PolicyRequest]
) -> dict[_Key, FoundPolicy]:
    """Find the entry of each request: that of its case, of another case, or anybody else's."""
    answers: dict[_Key, FoundPolicy] = {}
    found = await _search(api, resource, requests)
    for request, records in zip(requests, found, strict=True):
        # Prefer ours: people may have added the same entry, which an undo must not remove.
        ranked = [
            _found(
                record.id,
                _mark_of(resource, record, installation),
                is_mine=has_mark(record, request.owner),
            )
            for record in records
        ]
        ranked.sort(key=lambda one: (not one.is_mine, not one.owner))
        answers[_key(request)] = ranked[0] if ranked else FoundPolicy()
    return answers


async def _search(
    api: EmailSecurity, resource: Resource, requests: Sequence[PolicyRequest]
) -> list[list[PolicyRecord]]:
    """List the entries with the fields of each request; for many requests, read the list once."""
    if len(requests) > _MOST_SINGLE_SEARCHES:
        return await _search_all(_list_of(api, resource), [one.action.fields for one in requests])
    return [await _find(api, one.action) for one in requests]


async def _search_all(policies: Any, wanted: Sequence[PolicyFields]) -> list[list[PolicyRecord]]:
    """Read the whole list once. A list may be long, so each entry is looked up, not compared."""
    found: list[list[PolicyRecord]] = [[] for _ in wanted]
    numbers: dict[_Fields, list[int]] = {}
    for number, fields in enumerate(wanted):
        numbers.setdefault(normalised_fields(fields), []).append(number)

    all_names = {tuple(fields) for fields in wanted}
    async for page in pages(policies.list):
        for record in page.items:
            for names in all_names:
                listed = {name: getattr(record, name, None) for name in names}
                for number in numbers.get(normalised_fields(listed), ()):
                    found[number].append(record)
    return found


async def _find(api: EmailSecurity, action: Policy) -> list[PolicyRecord]:
    """List the entries with the fields of an action."""
    fields, policies = action.fields, _list_of(api, action.resource)
    found = pages(policies.list, **policies.filters_for(fields))
    return [record async for page in found for record in page.items if has_fields(record, fields)]


async def _create_each(
    api: EmailSecurity, resource: Resource, installation: str, requests: Sequence[PolicyRequest]
) -> dict[_Key, FoundPolicy]:
    """Create an entry for each request, in one request; equal entries once, for the first one."""
    policies = _list_of(api, resource)
    firsts: dict[_Fields, PolicyRequest] = {}
    for one in requests:
        firsts.setdefault(_key(one)[1], one)

    posts = [{**one.action.fields, "comments": one.comments} for one in firsts.values()]
    if len(posts) == 1:
        ids = {fields: (await policies.create(**posts[0])).id for fields in firsts}
    else:
        records = (await policies.batch(Batch(posts=posts))).posts
        ids = {
            fields: record.id
            for fields, one in firsts.items()
            for record in records
            if has_mark(record, one.owner) and has_fields(record, one.action.fields)
        }

    keys = [_key(one) for one in requests]
    makers = {
        fields: _mark_of(
            resource, SimpleNamespace(**one.action.fields, comments=one.comments), installation
        )
        for fields, one in firsts.items()
    }
    return {
        (owner, fields): _found(ids[fields], makers[fields], is_mine=owner == firsts[fields].owner)
        for owner, fields in keys
        if fields in ids
    }


async def _delete_all(policies: PolicyList[Any], ids: Sequence[str]) -> set[str]:
    """Delete entries, a thousand in one request; return those that were still there.

    A batch is all or nothing: if an entry has gone meanwhile, they are deleted one by one.
    """
    removed: set[str] = set()
    for first in range(0, len(ids), MAX_ENTRIES_PER_BATCH):
        batch = ids[first : first + MAX_ENTRIES_PER_BATCH]
        if len(batch) > 1 and "deletes" in policies.batch_kinds:
            with suppress(errors.NotFound):
                # One entry that is gone fails the whole batch; they are then deleted one by one.
                await policies.batch(Batch(deletes=batch))
                removed.update(batch)
                continue

        removed.update([one for one in batch if await _delete(policies, one)])

    return removed


async def _delete(policies: PolicyList[Any], id: str) -> bool:  # noqa: A002 - the API's word
    try:
        await policies.delete(id)
    except errors.NotFound:
        return False
    return True
