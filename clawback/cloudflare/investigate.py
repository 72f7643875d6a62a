"""The operations on messages: search, look, move, reclassify. Source: reference §1.3."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page
from clawback.cloudflare.records import ActionLogEntry, Message, MoveItem
from clawback.cloudflare.requests import ApiRequest, Method, known_ids, page_size, query
from clawback.model.messages import Destination, Disposition


class MessageFilters(TypedDict, total=False):
    """What a search may be narrowed by; all optional, all of them must hold.

    `detections_only` is false unless given.
    """

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


class Investigate(Operations):
    """Reads messages and acts on them."""

    async def messages(
        self,
        *,
        start: datetime,
        end: datetime,
        cursor: str | None = None,
        per_page: int = 1000,
        **filters: Unpack[MessageFilters],
    ) -> Page[Message]:
        """Read one page of the messages scanned in `[start, end)`: GET `investigate`.

        Permission: Read.

        A search that is still running (202) is polled at its `Location`, politely, for at most
        `SEARCH_PATIENCE`. `start` must not be in the future. The order of the records is not
        documented.

        Raises:
            ApiError: see `errors`; `Unavailable` also for a search that is not done in time.

        """
        values: dict[str, Any] = {
            "detections_only": False,
            **filters,
            "start": start,
            "end": end,
            "cursor": cursor,
            "per_page": page_size(per_page),
        }
        return await self._search(
            ApiRequest(Method.GET, "investigate", query=query(values)), Message
        )

    async def message(self, id: str, *, submission: bool = False) -> Message:  # noqa: A002 - the API's word
        """Read one message: GET `investigate/{id}`.

        `submission` looks in the submissions' store instead. Permission: Read.
        """
        return await self._one(
            ApiRequest(
                Method.GET, "investigate/{id}", (id,), query({"submission": submission or None})
            ),
            Message,
        )

    async def detections(self, id: str) -> Mapping[str, Any]:  # noqa: A002 - the API's word
        """Read what was detected in a message.

        GET `investigate/{id}/detections`; links, attachments, headers, findings. Permission: Read.

        `NotFound` for a message without a detection.
        """
        return await self._object(ApiRequest(Method.GET, "investigate/{id}/detections", (id,)))

    async def action_log(self, id: str) -> tuple[ActionLogEntry, ...]:  # noqa: A002 - the API's word
        """Read what was done to a message: GET `investigate/{id}/action_log`. Permission: Read."""
        return await self._list(
            ApiRequest(Method.GET, "investigate/{id}/action_log", (id,)), ActionLogEntry
        )

    async def move(self, ids: Sequence[str], destination: str) -> tuple[MoveItem, ...]:
        """Move up to 1,000 messages: POST `investigate/move`.

        Permission: Write. One item per (message, recipient); look at each `success`.

        Moving again to the same folder changes nothing, so after `UnknownOutcome` a repetition is
        tolerable (reference §3.3).

        Raises:
            ValueError: no ids, more than 1,000, or no such folder.
            ApiError: see `errors`.

        """
        call = ApiRequest(
            Method.POST,
            "investigate/move",
            body={"destination": Destination(destination).value, "ids": known_ids(ids)},
        )
        return await self._list(call, MoveItem)

    async def move_one(self, id: str, destination: str) -> tuple[MoveItem, ...]:  # noqa: A002 - the API's word
        """Move one message: POST `investigate/{id}/move`.

        Permission: Write. Unlike `move`, an unknown id is `NotFound`.
        """
        body = {"destination": Destination(destination).value}
        return await self._list(
            ApiRequest(Method.POST, "investigate/{id}/move", (id,), body=body), MoveItem
        )

    async def reclassify(
        self,
        id: str,  # noqa: A002 - the API's word
        disposition: str,
        *,
        eml: bytes | None = None,
        escalated_submission_id: str | None = None,
    ) -> None:
        """Ask for another disposition.

        POST `investigate/{id}/reclassify`, answered 202 and done later. Permission: Write.

        `eml` is the mail itself, which clean mail needs because Cloudflare keeps no body of it;
        `escalated_submission_id` the user's submission that is escalated. Each call is a new
        submission: after `UnknownOutcome` look for it in `submissions` before repeating. The newest
        clients call this deprecated in favour of `submit`, which needs an alert id.
        """
        body = {"expected_disposition": Disposition(disposition).value}
        if eml is not None:
            body["eml_content"] = b64encode(eml).decode()
        if escalated_submission_id is not None:
            body["escalated_submission_id"] = escalated_submission_id
        await self._connection.confirm(
            ApiRequest(Method.POST, "investigate/{id}/reclassify", (id,), body=body)
        )
