"""Endpoints that change messages: move, reclassify, release.

Source: reference §1.3, §2.1 to §2.4.

Where the API documents nothing, the simulator does this: ids given twice count once; a quarantined
message cannot be moved (an item without success); moving a message to the folder it is in succeeds
and changes nothing; releasing a message that is not quarantined leaves it `undelivered`.
"""

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.investigate_endpoints import find_mail, look_up
from clawback.simulator.ledger import Operation
from clawback.simulator.mail import INBOX, QUARANTINE, Mail
from clawback.simulator.message_search import DISPOSITIONS
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import BodyForm, MoveIdentity, Shape
from clawback.simulator.responses import HOME, format_time, invalid, read_json, read_object, succeed

DESTINATIONS = (
    "Inbox",
    "JunkEmail",
    "DeletedItems",
    "RecoverableItemsDeletions",
    "RecoverableItemsPurges",
)
MAX_IDS = 1000


class ContainmentEndpoints:
    """Changes to messages. Each change that takes effect adds a row to the ledger."""

    def __init__(self, account: AccountState) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        one = HOME + "/investigate/{investigate_id}"
        return [
            Route(HOME + "/investigate/move", self.move_many, methods=["POST"]),
            Route(HOME + "/investigate/release", self.release, methods=["POST"]),
            Route(one + "/move", self.move_one, methods=["POST"]),
            Route(one + "/reclassify", self.reclassify, methods=["POST"]),
        ]

    async def move_one(self, request: Request) -> Response:
        """POST to move one message; 404 if it is unknown."""
        destination = read_destination(await read_object(request))
        mail = find_mail(self._account, str(request.path_params["investigate_id"]))
        return succeed(self._move(mail, destination, request.scope[REQUEST]))

    async def move_many(self, request: Request) -> Response:
        """POST to move up to 1,000 messages; unknown ones become items without success."""
        body = await read_object(request)
        destination = read_destination(body)
        items: list[dict[str, Any]] = []

        for identity in dict.fromkeys(self._read_ids(body)):
            mail = look_up(self._account, identity)
            if mail is None:
                items.append(self._build_item(identity, None, destination, problem="not_found"))
            else:
                items += self._move(mail, destination, request.scope[REQUEST])

        return succeed(items)

    async def reclassify(self, request: Request) -> Response:
        """POST to reclassify: adds a submission; 202 with `{}` before it is decided."""
        body = await read_object(request)
        mail = find_mail(self._account, str(request.path_params["investigate_id"]))
        disposition = read_disposition(body)
        if body.get("eml_content") is not None:
            _check_base64(body["eml_content"])

        self._account.submit(
            mail, disposition, "reclassification", body.get("escalated_submission_id")
        )
        self._account.ledger.record(
            self._account.now,
            request.scope[REQUEST],
            Operation.RECLASSIFY,
            "message",
            mail.id,
            disposition=disposition,
        )
        return succeed({}, status=202)

    async def release(self, request: Request) -> Response:
        """POST to release quarantined messages: one item each, with recipients by result."""
        identities = self._read_release(await read_json(request))
        return succeed(
            [
                self._release(identity, request.scope[REQUEST])
                for identity in dict.fromkeys(identities)
            ]
        )

    def move_mail(self, mail: Mail, destination: str, request: int) -> str | None:
        """Move a message. Returns why it cannot be moved, None if it was."""
        if mail.folder == QUARANTINE:
            return "quarantined"

        if mail.folder != destination:
            mail.place(destination, "moved")
            mail.log(self._account.build_action("MOVE", folder=destination, requested_by="api"))
            self._account.ledger.record(
                self._account.now,
                request,
                Operation.MOVE,
                "message",
                mail.id,
                destination=destination,
            )

        return None

    def release_mail(self, mail: Mail, request: int) -> bool:
        """Release a message. Returns False if it is not quarantined."""
        if mail.folder != QUARANTINE:
            return False

        mail.place(INBOX, "delivered")
        mail.log(self._account.build_action("QUARANTINE_RELEASE", requested_by="api"))
        self._account.ledger.record(
            self._account.now, request, Operation.RELEASE, "message", mail.id
        )

        return True

    def _move(self, mail: Mail, destination: str, request: int) -> list[dict[str, Any]]:
        """Move a message. Returns one item per recipient, or one item if it has none."""
        problem = self.move_mail(mail, destination, request)
        identity = self._response_id(mail)
        return [
            self._build_item(identity, recipient, destination, problem=problem)
            for recipient in mail.addressees or (None,)
        ]

    def _build_item(
        self, identity: str | None, recipient: str | None, destination: str, *, problem: str | None
    ) -> dict[str, Any]:
        at = format_time(self._account.now)
        item = {
            "success": problem is None,
            "message_id": identity,
            "recipient": recipient,
            "destination": destination,
            "operation": "MOVE",
            "status": problem or "completed",
            "completed_at": None if problem else at,
        }
        old = self._account.options.shape is Shape.OLD

        return (
            item | {"completed_timestamp": at, "item_count": 0 if problem else 1} if old else item
        )

    def _response_id(self, mail: Mail) -> str | None:
        match self._account.options.move_identity:
            case MoveIdentity.INVESTIGATE:
                return mail.id
            case MoveIdentity.POSTFIX:
                return mail.postfix_id
            case MoveIdentity.HEADER:
                return mail.message_id

    def _read_ids(self, body: dict[str, Any]) -> list[str]:
        old = self._account.options.shape is Shape.OLD and "ids" not in body
        return read_ids(body.get("postfix_ids" if old else "ids"), "postfix_ids" if old else "ids")

    def _read_release(self, body: object) -> list[str]:
        form = self._account.options.release_body
        if isinstance(body, list) and form is not BodyForm.CURRENT:
            return read_ids(body, "")
        if isinstance(body, dict) and form is not BodyForm.FORMER:
            return read_ids(body.get("ids"), "ids")

        raise invalid(
            "The request body must be "
            + ("an array of ids" if form is BodyForm.FORMER else "an object with ids")
        )

    def _release(self, identity: str, request: int) -> dict[str, Any]:
        mail = look_up(self._account, identity)
        delivered = mail is not None and self.release_mail(mail, request)
        recipients = list(mail.addressees) if mail is not None else []
        item: dict[str, Any] = {
            "id": identity,
            "delivered": recipients if delivered else [],
            "failed": [],
        }
        item["undelivered"] = [] if delivered else recipients

        return (
            item | {"postfix_id": mail.postfix_id}
            if mail is not None and self._account.options.shape is Shape.OLD
            else item
        )


def read_destination(body: dict[str, Any]) -> str:
    """Read the `destination` of a move.

    Raises:
        Refusal: it is missing or unknown.

    """
    destination = body.get("destination")
    if destination not in DESTINATIONS:
        raise invalid(f"destination must be one of {', '.join(DESTINATIONS)}", "/destination")
    return str(destination)


def read_disposition(body: dict[str, Any]) -> str:
    """Read the `expected_disposition` of a submission.

    Raises:
        Refusal: it is missing or unknown.

    """
    disposition = body.get("expected_disposition")
    if disposition not in DISPOSITIONS:
        raise invalid(
            f"expected_disposition must be one of {', '.join(DISPOSITIONS)}",
            "/expected_disposition",
        )

    return str(disposition)


def read_ids(value: object, name: str) -> list[str]:
    """Check a list of 1 to 1,000 ids.

    Raises:
        Refusal: it is something else.

    """
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(item, str) and item for item in value)
    ):
        raise invalid(f"{name or 'The body'} must be an array of ids", f"/{name}")

    if len(value) > MAX_IDS:
        raise invalid(f"{name or 'The body'} may name at most {MAX_IDS} ids", f"/{name}")

    return value


def _check_base64(value: object) -> None:
    try:
        base64.b64decode(str(value), validate=True)
    except binascii.Error:
        raise invalid("eml_content must be base64", "/eml_content") from None
