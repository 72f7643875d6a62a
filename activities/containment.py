"""Everything that changes a mailbox, and what finds out whether it did; one request per activity.

Requests that are not safe to repeat are never repeated blindly: after a lost response the workflow
calls `locate_messages`, `find_release` or `find_submission` first.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from pydantic import Field
from temporalio import activity

from clawback.actions import BulkMove, MessageSearch, Move, Reclassify, Release
from clawback.actions.outcomes import ALREADY_THERE, MOVED, RELEASED, UNKNOWN, failed
from clawback.actions.responses import move_outcomes, refusal_outcome, release_outcomes
from clawback.actions.search_check import is_wanted
from clawback.batching import Batcher
from clawback.cases.authority import Authority
from clawback.cloudflare import EmailSecurity, Share, errors, pages, read_steadily
from clawback.cloudflare.recovery import RELEASES, is_since
from clawback.model.events import is_moved, message_event
from clawback.model.folders import AccountProviders
from clawback.model.messages import (
    MAX_MESSAGES_PER_REQUEST,
    Destination,
    Disposition,
    Target,
    postfix_id_of,
)
from clawback.model.mode import Mode
from clawback.model.payload import Payload
from clawback.model.size import payload_size
from clawback.model.times import UtcDatetime
from clawback.rules.act_check import ActCheck
from clawback.rules.eligibility import is_searchable
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error, require_permission
from clawback.temporal.own_submissions import OwnSubmissions
from clawback.temporal.shares import SharedClients

SEND_PATIENCE = timedelta(seconds=30)
"""How long after its activity began a request that is shared may leave.

The request takes up to a minute and must end before the start-to-close timeout of containment:
after that, the workflow takes it for lost, checks the API and sends it again.
"""
_SPOILT = (errors.InvalidRequest, errors.NotFound)
_MOST_SINGLE_READS = 3
"""Up to so many messages are read one by one; more are looked up by a search."""
_SEARCH_MARGIN = timedelta(hours=1)
_FEWEST_PAGES = 2
_SEARCH_LIMIT = 256 * 1024
"""Bytes of what a search may find: the case keeps all of it."""
_CLOCK_SKEW = timedelta(minutes=1)


class MoveMessages(Payload):
    """Up to 1,000 messages, and on what their move rests.

    `first_seen` says since when they could be read, for measuring only.
    """

    action: Move | BulkMove = Field(discriminator="name")
    authority: Authority
    targets: tuple[Target, ...]
    first_seen: dict[str, UtcDatetime] = Field(default_factory=dict)

    @property
    def folder(self) -> Destination:
        """The folder to ask for: the same for all of its messages."""
        return self.action.folder_for(self.targets[0] if self.targets else None)


class MessageOutcomes(Payload):
    """What became of messages, by investigate id; a message that is missing is unknown."""

    outcomes: dict[str, str]


class LocateMessages(Payload):
    """Messages of a move whose response was lost."""

    destination: Destination
    targets: tuple[Target, ...]


class ReclassifyMessage(Payload):
    """A message and the disposition it should have had.

    `since` is when it was first attempted; earlier submissions do not count.
    """

    target: Target
    disposition: Disposition
    since: UtcDatetime


class ReclassifyForCase(ReclassifyMessage):
    """A reclassification that a case asks for, and on what it rests."""

    action: Reclassify
    authority: Authority


class ReleaseMessages(Payload):
    """Messages to release from quarantine, and on what that rests."""

    action: Release
    authority: Authority
    targets: tuple[Target, ...]


class FindRelease(Payload):
    """A message of a release whose response was lost; earlier releases do not count."""

    target: Target
    since: UtcDatetime


class FoundMessages(Payload):
    """Messages that a search found; none if there were more than it may find."""

    targets: tuple[Target, ...] = ()
    has_more: bool = False


class SearchRules(Protocol):
    """What is known now of rules and account, as far as searches need it."""

    @property
    def providers(self) -> AccountProviders:
        """The providers of the account's mailboxes."""

    @property
    def ignored_delivery_modes(self) -> frozenset[str]:
        """The delivery modes of messages that are never touched."""


async def move_all(
    api: EmailSecurity, folder: Destination, targets: Sequence[Target]
) -> dict[str, str]:
    """Move messages in one request; give the outcome of each that the response settles.

    Messages of several cases may share an id, so the response is read for all of them together.
    """
    known = {target.id: target for target in targets}
    return move_outcomes(list(known.values()), await api.move(list(known), folder))


class ContainmentActivities:
    """The requests of containment about messages."""

    def __init__(
        self,
        api: EmailSecurity,
        rules: SearchRules,
        telemetry: ActivityTelemetry,
        own_submissions: OwnSubmissions,
        check: ActCheck,
    ) -> None:
        self._clients = SharedClients(api)
        self._reclassifying = api.on(Share.RECLASSIFYING)
        self._rules = rules
        self._telemetry = telemetry
        self._own_submissions = own_submissions
        self._check = check
        self._moves = {
            (api, folder): Batcher(
                partial(move_all, api, folder),
                MAX_MESSAGES_PER_REQUEST,
                spoilt=_SPOILT,
                patience=SEND_PATIENCE,
            )
            for api in self._clients.clients
            for folder in Destination
        }
        self._lookups = Batcher(self._find_moved, MAX_MESSAGES_PER_REQUEST, spoilt=_SPOILT)

    @activity.defn(name="email_security.move_messages")
    async def move_messages(self, request: MoveMessages) -> MessageOutcomes:
        """Move up to 1,000 messages in one request, shared with other cases that move now."""
        require_permission(self._check, request.authority, request.action)
        with as_application_error():
            moved = await self._moves[self._api, request.folder].ask(request.targets)
        ids = {target.id for target in request.targets}
        outcomes = {id_: outcome for id_, outcome in moved.items() if id_ in ids}
        mode = Mode.APPROVE if request.authority.approved else request.authority.mode
        self._telemetry.record_moves(outcomes, request.first_seen, mode)
        return MessageOutcomes(outcomes=outcomes)

    @activity.defn(name="email_security.locate_messages")
    async def locate_messages(self, request: LocateMessages) -> MessageOutcomes:
        """Find the messages that have been moved.

        The API cannot tell whether a message is back in the inbox, so a move to the inbox is always
        repeated.
        """
        if request.destination is Destination.INBOX:
            return MessageOutcomes(outcomes={})
        with as_application_error():
            found = await self._lookups.ask(request.targets)
        ids = {target.id for target in request.targets}
        return MessageOutcomes(
            outcomes={id_: outcome for id_, outcome in found.items() if id_ in ids}
        )

    @activity.defn(name="email_security.release_messages")
    async def release_messages(self, request: ReleaseMessages) -> MessageOutcomes:
        """Release messages in one request; those that nobody received are left out."""
        require_permission(self._check, request.authority, request.action)
        with as_application_error():
            items = await self._api.release([target.id for target in request.targets])
        return MessageOutcomes(outcomes=release_outcomes(request.targets, items))

    @activity.defn(name="email_security.find_release")
    async def find_release(self, request: FindRelease) -> MessageOutcomes:
        """Find out what became of a release since, or whether the message is out anyway.

        The outcomes are empty if it is still in quarantine.
        """
        with as_application_error():
            try:
                outcome = await self._find_release(request)
            except errors.NotFound:
                # The API accepted the request, and knows no such message.
                outcome = failed("not_released")
        return MessageOutcomes(outcomes={request.target.id: outcome} if outcome else {})

    @activity.defn(name="email_security.search_messages")
    async def search_messages(self, request: MessageSearch) -> FoundMessages:
        """Search for messages that nobody has handled and that no delivery mode exempts.

        What the search returns beside what was asked for is left out, and counted.
        """
        terms = {"sender": request.sender, "subject": request.subject}
        filters: dict[str, Any] = {name: value for name, value in terms.items() if value}
        found: dict[str, Target] = {}
        now, strangers = datetime.now(UTC), 0
        with as_application_error():
            async for page in pages(
                self._api.messages, start=request.start, end=request.end, **filters
            ):
                for item in page.items:
                    event = message_event(item.record, now)
                    # Without a time, it cannot be told from what the search did not ask for.
                    if not event.is_dated or not is_wanted(request, item.record, event.at):
                        strangers += 1
                    elif is_searchable(event, self._rules.ignored_delivery_modes):
                        targets = self._rules.providers.mark(event.targets)
                        found |= {target.id: target for target in targets}
                kept = _fit(found.values())
                if len(found) > request.most or payload_size(kept) > _SEARCH_LIMIT:
                    return FoundMessages(has_more=True)
        self._telemetry.record_strangers(strangers)
        return FoundMessages(targets=_fit(found.values()))

    @activity.defn(name="email_security.reclassify_message")
    async def reclassify_message(self, request: ReclassifyForCase) -> None:
        """Reclassify a message; the submission is first marked as ours, so that no rule sees it."""
        require_permission(self._check, request.authority, request.action)
        with as_application_error():
            await self._own_submissions.mark(request.target, request.disposition)
            await self._reclassifying.reclassify(request.target.id, request.disposition)

    @activity.defn(name="email_security.find_submission")
    async def find_submission(self, request: ReclassifyMessage) -> bool:
        """Find out whether a submission for that message and disposition was made since."""
        postfix_id = postfix_id_of(request.target.id)
        with as_application_error():
            async for page in pages(
                self._api.submissions, start=request.since - _CLOCK_SKEW, end=datetime.now(UTC)
            ):
                for submission in page.items:
                    made_at = submission.requested_at
                    if made_at is not None and made_at < request.since - _CLOCK_SKEW:
                        continue
                    if (
                        submission.original_postfix_id == postfix_id
                        and submission.requested_disposition == request.disposition
                    ):
                        return True
        return False

    async def _find_release(self, request: FindRelease) -> str | None:
        entries = [
            entry
            for entry in await self._api.action_log(request.target.id)
            if entry.operation in RELEASES and is_since(entry, request.since)
        ]
        if any(entry.success is not False for entry in entries):
            return RELEASED
        if (await self._api.message(request.target.id)).is_quarantined is False:
            return ALREADY_THERE
        return refusal_outcome(entries[0].status) if entries else None

    @property
    def _api(self) -> EmailSecurity:
        """The client with the share of whoever asks."""
        return self._clients.client

    async def _find_moved(self, targets: Sequence[Target]) -> dict[str, str]:
        """Find the moved ones: by single reads if they are few, else by a cheaper search.

        One that the API no longer knows is unknown.
        """
        ids, moved = {target.id for target in targets}, set[str]()
        if len(targets) > _MOST_SINGLE_READS:
            moved, is_complete = await self._search_moved(targets)
            ids = set() if is_complete else ids - moved
        unknown: set[str] = set()
        for id_ in ids:
            try:
                record = (await read_steadily(partial(self._api.message, id_))).record
            except errors.NotFound:
                unknown.add(id_)
            else:
                moved |= {id_} if is_moved(record) else set()
        return dict.fromkeys(unknown, UNKNOWN) | dict.fromkeys(moved, MOVED)

    async def _search_moved(self, targets: Sequence[Target]) -> tuple[set[str], bool]:
        """Search around the time of the targets; also say whether all pages were read."""
        times = [target.at for target in targets]
        start = min(times) - _SEARCH_MARGIN
        end = min(max(times) + _SEARCH_MARGIN, datetime.now(UTC))
        moved: set[str] = set()
        cursor = None
        for _ in range(max(_FEWEST_PAGES, len(targets) // _MOST_SINGLE_READS)):
            page = await read_steadily(
                partial(
                    self._api.messages,
                    start=start,
                    end=end,
                    cursor=cursor,
                    message_action="MOVED",
                )
            )
            moved |= {item.id for item in page.items if is_moved(item.record)}
            if (cursor := page.next) is None:
                return moved, not page.unseen
        return moved, False


def _fit(found: Collection[Target]) -> tuple[Target, ...]:
    """Leave out what is for people alone where a case would have no room for it."""
    if payload_size(tuple(found)) <= _SEARCH_LIMIT:
        return tuple(found)
    return tuple(target.without_texts for target in found)
