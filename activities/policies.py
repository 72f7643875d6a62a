"""Creating and removing entries on the policy lists of the account, sender blocks included.

Nothing makes an entry unique, so creating one is never repeated blindly: the workflow calls
`find_policy` before every attempt.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio import activity

from activities.containment import SEND_PATIENCE
from clawback.actions import Policy
from clawback.actions.policy import PolicyFields
from clawback.batching import Batcher
from clawback.cases.authority import Authority
from clawback.cloudflare import Batch, EmailSecurity, Share, errors, pages
from clawback.cloudflare.account_settings.policy_list import MAX_ENTRIES_PER_BATCH, PolicyList
from clawback.cloudflare.account_settings.policy_list import Policy as PolicyRecord
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
from clawback.model.policy_marks import seal_comments
from clawback.rules.act_check import ActCheck
from clawback.temporal.application_errors import as_application_error, require_permission
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
    """An entry of a list: its id (None: there is none) and whether it has the owner's mark."""

    id: str | None = None
    is_mine: bool = False


class PolicyActivities:
    """The requests about policies; `check` is asked again right before each creation.

    `installation` is the name in the mark of what this creates.

    Cases that ask at the same moment share their requests.
    """

    def __init__(self, api: EmailSecurity, check: ActCheck, installation: str) -> None:
        self._installation = installation
        self._clients, self._undo_client = SharedClients(api), api.on(Share.UNDO)
        self._check = check
        lists = [(client, kind) for client in self._clients.clients for kind in Resource]
        self._searches = {
            one: Batcher(partial(_find_each, *one), MAX_ENTRIES_PER_BATCH, spoilt=_SPOILT)
            for one in lists
        }
        self._creations = {
            one: Batcher(
                partial(_create_each, *one),
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

    @activity.defn(name="undo.remove_policies")
    async def remove_policies(self, request: PolicyRequest) -> EndedPolicy:
        """Remove every entry with these fields that has the owner's mark.

        Shares its requests with the other cases that are undone now.
        """
        with as_application_error():
            removed = await self._removals[request.action.resource].ask([request])
        is_removed = _key(request) in removed
        return EndedPolicy(removal=Removal.REMOVED if is_removed else Removal.GONE)

    async def _remove_all(self, resource: Resource, requests: Sequence[PolicyRequest]) -> set[_Key]:
        """Remove what belongs to these requests; return the keys of what was removed."""
        ours: dict[str, _Key] = {}
        for request, record in await self._find_ours(resource, requests):
            ours[record.id] = _key(request)

        removed = await _delete_all(_list_of(self._undo_client, resource), list(ours))
        return {ours[one] for one in removed}

    async def _find_ours(
        self, resource: Resource, requests: Sequence[PolicyRequest]
    ) -> list[tuple[PolicyRequest, PolicyRecord]]:
        found = await _search(self._undo_client, resource, requests)
        return [
            (request, record)
            for request, records in zip(requests, found, strict=True)
            for record in records
            if has_mark(record, request.owner)
        ]

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


async def _find_each(
    api: EmailSecurity, resource: Resource, requests: Sequence[PolicyRequest]
) -> dict[_Key, FoundPolicy]:
    """Find the entry of each request, ours before anybody else's."""
    answers: dict[_Key, FoundPolicy] = {}
    found = await _search(api, resource, requests)
    for request, records in zip(requests, found, strict=True):
        # Prefer ours: people may have added the same entry, which an undo must not remove.
        mine = [record for record in records if has_mark(record, request.owner)]
        id_ = (mine or records)[0].id if records else None
        answers[_key(request)] = FoundPolicy(id=id_, is_mine=bool(mine))
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
    api: EmailSecurity, resource: Resource, requests: Sequence[PolicyRequest]
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
    return {
        (owner, fields): FoundPolicy(id=ids[fields], is_mine=owner == firsts[fields].owner)
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
