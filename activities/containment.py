"""Everything that changes a mailbox or a policy, and what finds out whether it did.

One request of the API to an activity.

Creating is never repeated blindly: the workflow asks `find_…` or `locate_…` first when an answer
was lost.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from pydantic import Field
from temporalio import activity

from clawback.cases import ALREADY_THERE, MOVED, RELEASED, failed
from clawback.cases import BATCH as MOST_IDS
from clawback.cases.move_outcomes import move_outcomes
from clawback.cloudflare import EmailSecurity, Share, errors, pages
from clawback.cloudflare.recovery import RELEASES, is_since
from clawback.model.addresses import PatternKind
from clawback.model.blocks import EndedBlock, OwnedBlock, Removal
from clawback.model.events import is_moved, message_event
from clawback.model.messages import Destination, Disposition, Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import as_application_error
from clawback.temporal.batching import Batcher
from clawback.temporal.own_submissions import OwnSubmissions
from clawback.temporal.shares import SharedClients

Record = TypeVar("Record")
_SPOILT = (errors.InvalidRequest, errors.NotFound)
_ONE_BY_ONE = 3
"""Up to so many messages are looked up singly; more are found by one search."""
_MARGIN = timedelta(hours=1)
_FEWEST_PAGES = 2
_SKEW = timedelta(minutes=1)


class MoveMessages(Payload):
    """Up to 1,000 messages and where they go; `seen_at` is for measuring only."""

    destination: Destination
    targets: tuple[Target, ...]
    seen_at: dict[str, UtcDatetime] = Field(default_factory=dict)


class MoveOutcomes(Payload):
    """What the API said of each message, by investigate id; one that is missing is unknown."""

    outcomes: dict[str, str]


class LocateMessages(Payload):
    """Messages whose move was asked for, and whose answer was lost."""

    destination: Destination
    targets: tuple[Target, ...]
    since: UtcDatetime


class BlockPattern(Payload):
    """A block to find or to create.

    `owner` is the mark in its comments that says it is this case's.
    """

    pattern: str
    kind: PatternKind
    owner: str
    comments: str = ""


class FoundEntry(Payload):
    """An entry of a list that stands, a block or another policy.

    Its id, and whether it carries the owner's mark.
    """

    id: str | None = None
    mine: bool = False
    refused: str | None = None


class ReclassifyMessage(Payload):
    """A message and the disposition it should have had.

    `since` bounds the search for a submission that was made already.
    """

    target: Target
    disposition: Disposition
    since: UtcDatetime


class ReleaseMessages(Payload):
    """Messages to let out of the quarantine."""

    targets: tuple[Target, ...]


class FindRelease(Payload):
    """A message whose release was asked for since a moment, and of which nothing is known."""

    target: Target
    since: UtcDatetime


class SearchMessages(Payload):
    """Messages to find: of a sender, or with such a subject, scanned in a span of time.

    At most so many.
    """

    sender: str = ""
    subject: str = ""
    start: UtcDatetime
    end: UtcDatetime
    most: int


class FoundMessages(Payload):
    """What a search found and nobody has dealt with.

    Nothing where there were `more` than were asked for.
    """

    targets: tuple[Target, ...] = ()
    more: bool = False


class BlockGate(Protocol):
    """What must agree right before a block is made, and says which mail is nobody's business."""

    @property
    def ignored_delivery_modes(self) -> frozenset[str]:
        """The delivery modes of messages that are never touched."""

    def forbids(self, pattern: str, kind: PatternKind) -> bool:
        """Whether the pattern is on the never-block list now."""


class ContainmentActivities:
    """The requests of containment; `gate` gives the never-block list that is loaded now."""

    def __init__(
        self, api: EmailSecurity, gate: BlockGate, observing: ActivityTelemetry, own: OwnSubmissions
    ) -> None:
        self._urgency, self._removing = SharedClients(api), api.on(Share.UNDO)
        self._gate = gate
        self._own = own
        self._observing = observing
        self._moving = {
            (api, folder): Batcher(partial(api.move, destination=folder), MOST_IDS, spoilt=_SPOILT)
            for api in self._urgency.clients
            for folder in Destination
        }
        self._locating = Batcher(self._moved_of, MOST_IDS, spoilt=_SPOILT)

    @activity.defn(name="email_security.move_messages")
    async def move_messages(self, request: MoveMessages) -> MoveOutcomes:
        """Move up to 1,000 messages in one request, shared with other cases that move now, and say what became of each."""
        with as_application_error():
            answers = await self._moving[self._api, request.destination].ask(
                [target.id for target in request.targets]
            )
        outcomes = move_outcomes(request.targets, answers)
        self._observing.record_moves(outcomes, request.seen_at)
        return MoveOutcomes(outcomes=outcomes)

    @activity.defn(name="email_security.locate_messages")
    async def locate_messages(self, request: LocateMessages) -> MoveOutcomes:
        """Say which messages have been moved; those that have not are not in the answer.

        Nothing tells whether one that was moved out of the inbox is there again: none is in the
        answer, and the move is repeated.
        """
        if request.destination is Destination.INBOX:
            return MoveOutcomes(outcomes={})
        with as_application_error():
            moved = await self._locating.ask(request.targets)
        return MoveOutcomes(
            outcomes={target.id: MOVED for target in request.targets if target.id in moved}
        )

    @activity.defn(name="email_security.release_messages")
    async def release_messages(self, request: ReleaseMessages) -> MoveOutcomes:
        """Release messages in one request.

        Those that somebody got are in the answer, and nothing is known of the others.
        """
        with as_application_error():
            items = await self._api.release([target.id for target in request.targets])
        delivered = {
            item.id: RELEASED if item.is_complete else failed("partly_released")
            for item in items
            if item.delivered
        }
        return MoveOutcomes(outcomes=delivered)

    @activity.defn(name="email_security.find_release")
    async def find_release(self, request: FindRelease) -> MoveOutcomes:
        """Say whether a message has been released since, or was out of the quarantine anyway.

        An empty answer if it lies there still.
        """
        identity = request.target.id
        with as_application_error():
            try:
                log = await self._api.action_log(identity)
                if any(
                    entry.operation in RELEASES and is_since(entry, request.since) for entry in log
                ):
                    return MoveOutcomes(outcomes={identity: RELEASED})
                is_out = (await self._api.message(identity)).is_quarantined is False
            except errors.NotFound:
                is_out = False
        return MoveOutcomes(outcomes={identity: ALREADY_THERE} if is_out else {})

    @activity.defn(name="email_security.search_messages")
    async def search_messages(self, request: SearchMessages) -> FoundMessages:
        """Search for messages, up to 1,000 to a request.

        Those that somebody has dealt with, and those that are not mail, are left out.
        """
        filters = {
            name: value
            for name, value in (("sender", request.sender), ("subject", request.subject))
            if value
        }
        found: dict[str, Target] = {}
        now = datetime.now(UTC)
        with as_application_error():
            async for page in pages(
                self._api.messages, start=request.start, end=request.end, **filters
            ):
                for item in page.items:
                    event = message_event(item.record, now)
                    if (
                        not event.handled
                        and item.delivery_mode not in self._gate.ignored_delivery_modes
                    ):
                        found |= {target.id: target for target in event.targets}
                if len(found) > request.most:
                    return FoundMessages(more=True)
        return FoundMessages(targets=tuple(found.values()))

    @activity.defn(name="email_security.find_block")
    async def find_block(self, request: BlockPattern) -> FoundEntry:
        """Find the block of a pattern, ours before anybody else's.

        An empty answer means that there is none.
        """
        if self._gate.forbids(request.pattern, request.kind):
            return FoundEntry(refused="never_block")
        with as_application_error():
            page = await self._api.block_senders(
                pattern=request.pattern, pattern_type=request.kind.upper()
            )
        same = [
            block
            for block in page.items
            if (block.pattern or "").lower() == request.pattern.lower() and not block.is_regex
        ]
        same.sort(key=lambda block: request.owner not in (block.comments or ""))
        return (
            FoundEntry(id=same[0].id, mine=request.owner in (same[0].comments or ""))
            if same
            else FoundEntry()
        )

    @activity.defn(name="email_security.create_block")
    async def create_block(self, request: BlockPattern) -> FoundEntry:
        """Create a block, unless the never-block list forbids it by now."""
        if self._gate.forbids(request.pattern, request.kind):
            return FoundEntry(refused="never_block")
        with as_application_error():
            block = await self._api.create_block_sender(
                pattern=request.pattern,
                pattern_type=request.kind.upper(),
                comments=request.comments,
            )
        return FoundEntry(id=block.id, mine=True)

    @activity.defn(name="email_security.remove_block")
    async def remove_block(self, request: OwnedBlock) -> EndedBlock:
        """Remove a block if it is still ours.

        A block that somebody has changed since is left alone.
        """
        with as_application_error():
            return await removal_of(
                request.id,
                request.is_still,
                self._removing.block_sender,
                self._removing.delete_block_sender,
            )

    @activity.defn(name="email_security.reclassify_message")
    async def reclassify_message(self, request: ReclassifyMessage) -> None:
        """Ask for one reclassification.

        Every call is a new submission, and is marked as ours first.
        """
        with as_application_error():
            await self._own.mark(request.target, request.disposition)
            await self._api.reclassify(request.target.id, request.disposition)

    @activity.defn(name="email_security.find_submission")
    async def find_submission(self, request: ReclassifyMessage) -> bool:
        """Say whether a submission for that message and disposition has been made since."""
        postfix_id = request.target.id.partition("-")[0]
        with as_application_error():
            async for page in pages(
                self._api.submissions, start=request.since - _SKEW, end=datetime.now(UTC)
            ):
                for made in page.items:
                    if (
                        made.original_postfix_id == postfix_id
                        and made.requested_disposition == request.disposition
                    ):
                        return True
        return False

    @property
    def _api(self) -> EmailSecurity:
        """The client on whose behalf the activity asks."""
        return self._urgency.client

    async def _moved_of(self, targets: Sequence[Target]) -> set[str]:
        """Which of these messages have been moved.

        One by one if they are few, else by a search that is cheaper than that.
        """
        left, moved = {target.id for target in targets}, set[str]()
        if len(targets) > _ONE_BY_ONE:
            moved, is_complete = await self._moved_by_search(targets)
            left = set() if is_complete else left - moved
        for identity in left:
            if is_moved((await self._api.message(identity)).record):
                moved.add(identity)
        return moved

    async def _moved_by_search(self, targets: Sequence[Target]) -> tuple[set[str], bool]:
        times = [target.at for target in targets]
        start, end = min(times) - _MARGIN, min(max(times) + _MARGIN, datetime.now(UTC))
        moved: set[str] = set()
        page = None
        for _ in range(max(_FEWEST_PAGES, len(targets) // _ONE_BY_ONE)):
            found = await self._api.messages(
                start=start, end=end, cursor=page, message_action="MOVED"
            )
            moved |= {item.id for item in found.items if is_moved(item.record)}
            if (page := found.next) is None:
                return moved, True
        return moved, False


async def removal_of(
    identity: str,
    is_ours: Callable[[Record], bool],
    read: Callable[[str], Awaitable[Record]],
    delete: Callable[[str], Awaitable[None]],
) -> EndedBlock:
    """Remove an entry if it is still ours, and say what became of it."""
    try:
        if not is_ours(await read(identity)):
            return EndedBlock(removal=Removal.LEFT_ALONE)
        await delete(identity)
    except errors.NotFound:
        return EndedBlock(removal=Removal.GONE)
    return EndedBlock(removal=Removal.REMOVED)
