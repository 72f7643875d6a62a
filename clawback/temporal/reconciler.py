"""Compares the policy lists of the account with the workflows that end our entries.

Reads each list once. The workflows are listed first, so that what is created meanwhile is at worst
taken for unknown, which starting its workflow a second time corrects.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from temporalio.client import Client

from clawback.cloudflare import EmailSecurity, Share, errors, pages
from clawback.model.claims import Claims
from clawback.model.identity import Actor
from clawback.model.policies import OwnedPolicy, Resource
from clawback.model.policy_marks import PolicyMark, fields_of, read_mark
from clawback.model.reconciliation import (
    MOST_NAMED,
    NOTEWORTHY,
    PolicyState,
    ReconciledPolicy,
    Reconciliation,
    count_states,
    find_gone,
    judge_entry,
)
from clawback.model.texts import bounded
from clawback.temporal.expiry_gateway import ExpiryGateway
from clawback.temporal.fan_out import gather_limited

MOST_ADOPTED = 5_000
"""Entries that one run adopts; the next one goes on."""
MOST_CLOSED = 200
"""Entries that are gone, and that one run closes: each costs two requests."""
GONE_REASON = "it is no longer on the list of the account"
_LONGEST_LABEL = 200
_TO_DO = (PolicyState.ADOPTED, PolicyState.GONE)
_REFUSALS = (
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.NotFound,
    errors.InvalidRequest,
    errors.UnreadableResponse,
)
"""What is not over soon. The other lists are reconciled all the same."""


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """One entry: what was found out, what it is now, and a hash of that."""

    shown: ReconciledPolicy
    policy: OwnedPolicy
    content: str = ""
    claims: Claims = field(default_factory=Claims)

    def become(self, state: PolicyState) -> "FoundEntry":
        """Return the same in another state."""
        return replace(self, shown=self.shown.model_copy(update={"state": state}))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found on all lists, and which could not be read."""

    entries: Sequence[FoundEntry]
    unread: dict[Resource, str] = field(default_factory=dict)
    left: int = 0

    def of(self, state: PolicyState) -> list[FoundEntry]:
        """Return the entries in a state."""
        return [one for one in self.entries if one.shown.state is state]

    def summarize(self, at: datetime, *, dry_run: bool) -> Reconciliation:
        """Count them, and name some of those that people should know about."""
        shown = [one.shown for one in self.entries]
        noteworthy = [one for state in NOTEWORTHY for one in shown if one.state is state]
        return Reconciliation(
            at=at,
            dry_run=dry_run,
            counts=count_states(shown),
            named=tuple(noteworthy[:MOST_NAMED]),
            unread=self.unread,
            left=self.left,
        )


class Reconciler:
    """Reconciles the policy lists of one account for one installation, which its name tells."""

    def __init__(self, api: EmailSecurity, client: Client, installation: str) -> None:
        self._api = api.on(Share.BACKFILLING)
        self._expiries = ExpiryGateway(client)
        self._installation = installation

    async def compare(self, *, adopts: bool) -> Comparison:
        """Read all lists and compare them; nothing is changed.

        Raises:
            ApiError: the API does not answer; compare again later.
            RPCError: the Temporal server does not answer.

        """
        known = await self._expiries.list_known()
        entries: list[FoundEntry] = []
        unread: dict[Resource, str] = {}
        left = 0
        for resource in Resource:
            try:
                found, later = await self._compare_list(resource, known[resource])
            except _REFUSALS as error:
                unread[resource] = type(error).__name__
            else:
                entries, left = [*entries, *found], left + later

        if not adopts:
            entries = [_leave_unmanaged(one) for one in entries]
        return Comparison(entries, unread, left)

    async def carry_out(self, found: Comparison, actor: Actor) -> Comparison:
        """Adopt what is unknown, and close what is gone.

        Raises:
            RPCError: the Temporal server does not answer; carry it out again.

        """
        unknown, gone = found.of(PolicyState.ADOPTED), found.of(PolicyState.GONE)
        others = [one for one in found.entries if one.shown.state not in _TO_DO]
        adopted = await gather_limited(self._adopt, unknown[:MOST_ADOPTED])
        for one in gone[:MOST_CLOSED]:
            await self._expiries.close(one.shown.resource, one.shown.id, actor, GONE_REASON)

        left = found.left + len(unknown[MOST_ADOPTED:]) + len(gone[MOST_CLOSED:])
        return Comparison([*others, *adopted, *gone[:MOST_CLOSED]], found.unread, left)

    async def _adopt(self, entry: FoundEntry) -> FoundEntry:
        shown = entry.shown
        if shown.expires_at is None:
            return entry
        is_new = await self._expiries.adopt(entry.policy, entry.claims)
        return entry if is_new else entry.become(PolicyState.KNOWN)

    async def _compare_list(
        self, resource: Resource, known: set[str]
    ) -> tuple[list[FoundEntry], int]:
        entries: list[FoundEntry] = []
        listed: set[str] = set()
        policies: Any = getattr(self._api.settings, resource.value)
        async for page in pages(policies.list):
            for record in page.items:
                listed.add(record.id)
                mark = read_mark(resource, record)
                state = judge_entry(mark, self._installation, is_known=record.id in known)
                if state is not None:
                    entries.append(_describe(resource, record, mark, state))

        missing = find_gone(known, listed)
        gone = [id_ for id_ in missing[:MOST_CLOSED] if await _is_gone(policies, id_)]
        entries += [_describe_gone(resource, id_) for id_ in gone]
        return entries, len(missing[MOST_CLOSED:])


async def _is_gone(policies: Any, id_: str) -> bool:
    """Ask for one entry: a list that was read while it changed may miss some."""
    try:
        await policies.get(id_)
    except errors.NotFound:
        return True
    return False


def _leave_unmanaged(entry: FoundEntry) -> FoundEntry:
    is_unknown = entry.shown.state is PolicyState.ADOPTED
    return entry.become(PolicyState.UNMANAGED) if is_unknown else entry


def _describe(
    resource: Resource, record: Any, mark: PolicyMark | None, state: PolicyState
) -> FoundEntry:
    fields = fields_of(resource, record)
    content = f"{record.comments}\0{sorted(fields.items())}"
    return FoundEntry(
        ReconciledPolicy(
            resource=resource,
            id=record.id,
            state=state,
            label=bounded(str(fields.get("pattern") or fields.get("email")), _LONGEST_LABEL),
            rule=mark.rule if mark else "",
            case=mark.case if mark else "",
            expires_at=mark.extended_to or mark.expires_at if mark else None,
        ),
        OwnedPolicy(
            id=record.id, resource=resource, owner=mark.owner if mark else "", fields=fields
        ),
        hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        mark.claims if mark else Claims(),
    )


def _describe_gone(resource: Resource, id_: str) -> FoundEntry:
    shown = ReconciledPolicy(resource=resource, id=id_, state=PolicyState.GONE)
    return FoundEntry(shown, OwnedPolicy(id=id_, resource=resource, owner=""))
