"""The endpoints that change messages: move one and many, reclassify, release.

Source: reference §1.3, §2.1 to §2.4.

What the API leaves open is settled thus. Ids named twice count once. A message in quarantine cannot
be moved (an item without success); moving one to the folder it is in succeeds and changes nothing.
Releasing a message that is not in quarantine leaves it `undelivered`.
"""

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.envelopes import HOME, invalid, json_body, object_body, stamp, succeed
from clawback.simulator.investigate_endpoints import find_mail, look_up
from clawback.simulator.ledger import Operation
from clawback.simulator.mail import INBOX, QUARANTINE, Mail
from clawback.simulator.message_search import DISPOSITIONS
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import BodyForm, MoveIdentity, Shape

DESTINATIONS = (
    "Inbox",
    "JunkEmail",
    "DeletedItems",
    "RecoverableItemsDeletions",
    "RecoverableItemsPurges",
)
MOST_IDS = 1000


class Containment:
    """Changing messages; every effective change leaves a row in the ledger."""

    def __init__(self, world: AccountState) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The routes of these endpoints."""
        one = HOME + "/investigate/{investigate_id}"
        return [
            Route(HOME + "/investigate/move", self.move_many, methods=["POST"]),
            Route(HOME + "/investigate/release", self.release, methods=["POST"]),
            Route(one + "/move", self.move_one, methods=["POST"]),
            Route(one + "/reclassify", self.reclassify, methods=["POST"]),
        ]

    async def move_one(self, request: Request) -> Response:
        """POST move of one message; an unknown one is a 404."""
        destination = read_destination(await object_body(request))
        mail = find_mail(self._world, str(request.path_params["investigate_id"]))
        return succeed(self._moved(mail, destination, request.scope[REQUEST]))

    async def move_many(self, request: Request) -> Response:
        """POST move of up to 1,000 messages; unknown ones come back as items without success."""
        body = await object_body(request)
        destination = read_destination(body)
        items: list[dict[str, Any]] = []
        for identity in dict.fromkeys(self._named(body)):
            mail = look_up(self._world, identity)
            if mail is None:
                items.append(self._item(identity, None, destination, problem="not_found"))
            else:
                items += self._moved(mail, destination, request.scope[REQUEST])
        return succeed(items)

    async def reclassify(self, request: Request) -> Response:
        """POST reclassify: makes a submission, and answers 202 with an empty object before anything is decided."""
        body = await object_body(request)
        mail = find_mail(self._world, str(request.path_params["investigate_id"]))
        disposition = read_disposition(body)
        if body.get("eml_content") is not None:
            _check_base64(body["eml_content"])
        self._world.submit(
            mail, disposition, "reclassification", body.get("escalated_submission_id")
        )
        self._world.ledger.record(
            self._world.now,
            request.scope[REQUEST],
            Operation.RECLASSIFY,
            "message",
            mail.id,
            disposition=disposition,
        )
        return succeed({}, status=202)

    async def release(self, request: Request) -> Response:
        """POST release of messages in quarantine, one item each with its recipients by result."""
        identities = self._to_release(await json_body(request))
        return succeed(
            [
                self._released(identity, request.scope[REQUEST])
                for identity in dict.fromkeys(identities)
            ]
        )

    def move(self, mail: Mail, destination: str, request: int) -> str | None:
        """Move a message and note it; gives why it cannot be moved, or None."""
        if mail.folder == QUARANTINE:
            return "quarantined"
        if mail.folder != destination:
            mail.place(destination, "moved")
            mail.act(self._world.action("MOVE", folder=destination, requested_by="api"))
            self._world.ledger.record(
                self._world.now,
                request,
                Operation.MOVE,
                "message",
                mail.id,
                destination=destination,
            )
        return None

    def deliver(self, mail: Mail, request: int) -> bool:
        """Release a message out of quarantine and note it; False where it is not in there."""
        if mail.folder != QUARANTINE:
            return False
        mail.place(INBOX, "delivered")
        mail.act(self._world.action("QUARANTINE_RELEASE", requested_by="api"))
        self._world.ledger.record(self._world.now, request, Operation.RELEASE, "message", mail.id)
        return True

    def _moved(self, mail: Mail, destination: str, request: int) -> list[dict[str, Any]]:
        """One item per recipient, or one without a recipient where the message names none."""
        problem = self.move(mail, destination, request)
        identity = self._identity(mail)
        return [
            self._item(identity, recipient, destination, problem=problem)
            for recipient in mail.addressees or (None,)
        ]

    def _item(
        self, identity: str | None, recipient: str | None, destination: str, *, problem: str | None
    ) -> dict[str, Any]:
        at = stamp(self._world.now)
        item = {
            "success": problem is None,
            "message_id": identity,
            "recipient": recipient,
            "destination": destination,
            "operation": "MOVE",
            "status": problem or "completed",
            "completed_at": None if problem else at,
        }
        old = self._world.options.shape is Shape.OLD
        return (
            item | {"completed_timestamp": at, "item_count": 0 if problem else 1} if old else item
        )

    def _identity(self, mail: Mail) -> str | None:
        match self._world.options.move_identity:
            case MoveIdentity.INVESTIGATE:
                return mail.id
            case MoveIdentity.POSTFIX:
                return mail.postfix_id
            case MoveIdentity.HEADER:
                return mail.message_id

    def _named(self, body: dict[str, Any]) -> list[str]:
        old = self._world.options.shape is Shape.OLD and "ids" not in body
        return read_ids(body.get("postfix_ids" if old else "ids"), "postfix_ids" if old else "ids")

    def _to_release(self, body: object) -> list[str]:
        form = self._world.options.release_body
        if isinstance(body, list) and form is not BodyForm.CURRENT:
            return read_ids(body, "")
        if isinstance(body, dict) and form is not BodyForm.FORMER:
            return read_ids(body.get("ids"), "ids")
        raise invalid(
            "The request body must be "
            + ("an array of ids" if form is BodyForm.FORMER else "an object with ids")
        )

    def _released(self, identity: str, request: int) -> dict[str, Any]:
        mail = look_up(self._world, identity)
        delivered = mail is not None and self.deliver(mail, request)
        recipients = list(mail.addressees) if mail is not None else []
        item: dict[str, Any] = {
            "id": identity,
            "delivered": recipients if delivered else [],
            "failed": [],
        }
        item["undelivered"] = [] if delivered else recipients
        return (
            item | {"postfix_id": mail.postfix_id}
            if mail is not None and self._world.options.shape is Shape.OLD
            else item
        )


def read_destination(body: dict[str, Any]) -> str:
    """The `destination` of a move.

    Raises:
        Refusal: it is missing or not one of the five.

    """
    destination = body.get("destination")
    if destination not in DESTINATIONS:
        raise invalid(f"destination must be one of {', '.join(DESTINATIONS)}", "/destination")
    return str(destination)


def read_disposition(body: dict[str, Any]) -> str:
    """The `expected_disposition` of a submission.

    Raises:
        Refusal: it is missing or not one of the six.

    """
    disposition = body.get("expected_disposition")
    if disposition not in DISPOSITIONS:
        raise invalid(
            f"expected_disposition must be one of {', '.join(DISPOSITIONS)}",
            "/expected_disposition",
        )
    return str(disposition)


def read_ids(value: object, name: str) -> list[str]:
    """A list of 1 to 1,000 ids.

    Raises:
        Refusal: it is something else.

    """
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(item, str) and item for item in value)
    ):
        raise invalid(f"{name or 'The body'} must be an array of ids", f"/{name}")
    if len(value) > MOST_IDS:
        raise invalid(f"{name or 'The body'} may name at most {MOST_IDS} ids", f"/{name}")
    return value


def _check_base64(value: object) -> None:
    try:
        base64.b64decode(str(value), validate=True)
    except binascii.Error:
        raise invalid("eml_content must be base64", "/eml_content") from None
