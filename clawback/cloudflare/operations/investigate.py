"""Operations on messages: search, read, move, reclassify, release. Source: reference §1.3, §2.4."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypedDict, Unpack

from clawback.cloudflare.api_request import (
    ApiRequest,
    Method,
    check_ids,
    check_page_size,
    encode_query,
)
from clawback.cloudflare.operations.operation_group import OperationGroup
from clawback.cloudflare.paging import Page
from clawback.cloudflare.time_split import SearchPlan, read_in_windows
from clawback.cloudflare.wire_model import (
    Fields,
    Flag,
    Identity,
    Number,
    Text,
    Texts,
    Timestamp,
    WireModel,
    objects_of,
    rename_fields,
)
from clawback.model.messages import Destination, Disposition
from clawback.model.time_ranges import TimeRange

_COMPLETED = {"completed_timestamp": "completed_at"}
_PATTERN_TYPE = {"whitelisted_pattern_type": "allowlisted_pattern_type"}


class Message(WireModel):
    """One message of Investigate (`MessageDetails`); actions take its `id`, the investigate id."""

    renamed: ClassVar[Mapping[str, str]] = {"ts": "scanned_at", "sent_date": "sent_at"}

    id = Identity()
    postfix_id = Text()
    message_id = Text()
    alert_id = Text()
    edf_hash = Text()
    subject = Text()
    from_name = Text()
    envelope_from = Text()
    replyto = Text()
    final_disposition = Text()
    delivery_mode = Text()
    scanned_at = Timestamp()
    sent_at = Timestamp()
    is_quarantined = Flag()
    is_phish_submission = Flag()
    to = Texts()
    envelope_to = Texts()
    client_recipients = Texts()
    delivery_status = Texts()
    detection_reasons = Texts()
    threat_categories = Texts()
    post_delivery_operations = Texts()
    properties = Fields()
    validation = Fields()

    @property
    def sender(self) -> str | None:
        """The address in `from`, which is a Python keyword."""
        value = self.record.get("from")
        return value if isinstance(value, str) else None

    @classmethod
    def with_current_names(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rename also inside `properties` and `action_log`; wrap a single `delivery_status`."""
        record = rename_fields(raw, cls.renamed)
        changed: dict[str, Any] = {}
        # A list since 2026, a single value before (reference §4.2).
        if isinstance(status := record.get("delivery_status"), str):
            changed["delivery_status"] = [status]
        if isinstance(properties := record.get("properties"), dict) and properties:
            changed["properties"] = rename_fields(properties, _PATTERN_TYPE)
        if isinstance(log := record.get("action_log"), list) and log:
            changed["action_log"] = [rename_fields(entry, _COMPLETED) for entry in objects_of(log)]

        return {**record, **changed} if changed else record


class ActionLogEntry(WireModel):
    """One action on a message (`ActionEntry`), the documented way to verify an earlier POST."""

    renamed: ClassVar[Mapping[str, str]] = _COMPLETED

    operation = Text()
    status = Text()
    success = Flag()
    started_at = Timestamp()
    completed_at = Timestamp()
    properties = Fields()


class MoveItem(WireModel):
    """The outcome of a move for one message and recipient (`MoveResponseItem`).

    A missing `success` counts as not moved.
    """

    renamed: ClassVar[Mapping[str, str]] = _COMPLETED

    success = Flag()
    message_id = Text()
    recipient = Text()
    destination = Text()
    operation = Text()
    status = Text()
    completed_at = Timestamp()
    item_count = Number()


class ReleaseItem(WireModel):
    """The outcome of a release for one message: its recipients by result."""

    renamed: ClassVar[Mapping[str, str]] = {"postfix_id": "id"}

    id = Identity()
    delivered = Texts()
    undelivered = Texts()
    failed = Texts()

    @property
    def is_complete(self) -> bool:
        """Whether every recipient got the message, and there was at least one."""
        return bool(self.delivered) and not self.undelivered and not self.failed


class MessageFilters(TypedDict, total=False):
    """Search filters, combined with AND; `detections_only` defaults to false."""

    detections_only: bool
    final_disposition: str | None
    message_action: str | None
    delivery_status: str | None
    sender: str | None
    recipient: str | None
    subject: str | None
    message_id: str | None
    alert_id: str | None
    domain: str | None
    query: str | None


class Investigate(OperationGroup):
    """Searches and reads messages, and acts on them."""

    async def messages(
        self,
        *,
        start: datetime,
        end: datetime,
        cursor: str | None = None,
        per_page: int = 1000,
        **filters: Unpack[MessageFilters],
    ) -> Page[Message]:
        """Search the messages scanned in `[start, end)`, one page at a time: GET `investigate`.

        A search that is still running (202) is polled at its `Location` for at most
        `SEARCH_TIMEOUT`. A full page that names no next one divides the window (see `time_split`).
        `start` must not be in the future. The order of the records is not documented. Permission:
        Read.

        Raises:
            ApiError: see `errors`; `Unavailable` also for a search that does not finish in time.

        """

        async def fetch(window: TimeRange, at: str | None) -> Page[Message]:
            values: dict[str, Any] = {
                "detections_only": False,
                **filters,
                "start": window.start,
                "end": window.end,
                "cursor": at,
                "per_page": check_page_size(per_page),
            }
            request = ApiRequest(Method.GET, "investigate", query=encode_query(values))
            return await self._search(request, Message, per_page)

        plan = SearchPlan.read(start, end, cursor)
        return await read_in_windows(plan, fetch, self._transport.report_paging)

    async def message(self, id: str, *, submission: bool = False) -> Message:
        """Read one message: GET `investigate/{id}`. Permission: Read.

        `submission` looks in the store of submissions instead.
        """
        query = encode_query({"submission": submission or None})
        request = ApiRequest(Method.GET, "investigate/{id}", (id,), query)
        return await self._fetch_one(request, Message)

    async def detections(self, id: str) -> Mapping[str, Any]:
        """Read the detections of a message: GET `investigate/{id}/detections`. Permission: Read.

        Links, attachments, headers and findings. `NotFound` for a message without a detection.
        """
        return await self._fetch_object(
            ApiRequest(Method.GET, "investigate/{id}/detections", (id,))
        )

    async def action_log(self, id: str) -> tuple[ActionLogEntry, ...]:
        """Read the action log of a message: GET `investigate/{id}/action_log`. Permission: Read."""
        request = ApiRequest(Method.GET, "investigate/{id}/action_log", (id,))
        return await self._fetch_list(request, ActionLogEntry)

    async def move(self, ids: Sequence[str], destination: str) -> tuple[MoveItem, ...]:
        """Move up to 1,000 messages: POST `investigate/move`. Permission: Write.

        Returns one item per message and recipient; check each `success`. Moving again to the same
        folder changes nothing, so a retry after `UnknownOutcome` is safe (reference §3.3).

        Raises:
            ValueError: no ids, more than 1,000, or an unknown folder.
            ApiError: see `errors`.

        """
        body = {"destination": Destination(destination).value, "ids": check_ids(ids)}
        request = ApiRequest(Method.POST, "investigate/move", body=body)
        return await self._fetch_list(request, MoveItem)

    async def move_one(self, id: str, destination: str) -> tuple[MoveItem, ...]:
        """Move one message: POST `investigate/{id}/move`. Permission: Write.

        Unlike `move`, it raises `NotFound` for an unknown id.
        """
        body = {"destination": Destination(destination).value}
        request = ApiRequest(Method.POST, "investigate/{id}/move", (id,), body=body)
        return await self._fetch_list(request, MoveItem)

    async def reclassify(
        self,
        id: str,
        disposition: str,
        *,
        eml: bytes | None = None,
        escalated_submission_id: str | None = None,
    ) -> None:
        """Request another disposition: POST `investigate/{id}/reclassify`. Permission: Write.

        The API answers 202 and reclassifies later. Clean mail needs `eml`, the mail itself, because
        Cloudflare keeps no body of it. `escalated_submission_id` is the user submission to
        escalate. Each call creates a submission: after `UnknownOutcome` look for it in
        `submissions` before you retry. The newest clients deprecate this in favour of `submit`,
        which needs an alert id.
        """
        body = {"expected_disposition": Disposition(disposition).value}
        if eml is not None:
            body["eml_content"] = b64encode(eml).decode()
        if escalated_submission_id is not None:
            body["escalated_submission_id"] = escalated_submission_id

        request = ApiRequest(Method.POST, "investigate/{id}/reclassify", (id,), body=body)
        await self._transport.confirm(request)

    async def release(self, ids: Sequence[str]) -> tuple[ReleaseItem, ...]:
        """Release quarantined messages to their recipients: POST `investigate/release`.

        At most 1,000; 100 or fewer are safer. The sources disagree on the body (reference §4.3):
        `{"ids": […]}` is sent first, and the bare array once if the server answers 400 or 422.

        Never retry blindly: a second release may deliver twice. After `UnknownOutcome` read
        `is_quarantined` or the action log first. Permission: Write.

        Raises:
            ValueError: no ids, or more than 1,000.
            ApiError: see `errors`.

        """
        known = check_ids(ids)
        current = ApiRequest(Method.POST, "investigate/release", body={"ids": known})
        former = ApiRequest(Method.POST, "investigate/release", body=known)
        envelope = await self._call_either(current, former)
        return self._parse_list(current, envelope, ReleaseItem)
