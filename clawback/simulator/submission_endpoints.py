"""POST submissions: reclassification by alert id, and reports of missed detections.

Source: reference §1.3 (not in the SDK).

Neither the answer's body nor the fields of a missed detection are documented: the answer is a 202
with an empty object, and a missed detection is taken with whatever it brings. All items are checked
before any is accepted.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.containment_endpoints import MOST_IDS, read_disposition
from clawback.simulator.envelopes import HOME, invalid, object_body, succeed
from clawback.simulator.ledger import Operation
from clawback.simulator.mail import Mail
from clawback.simulator.middleware import REQUEST


class Submitting:
    """Making submissions; each leaves a row in the ledger."""

    def __init__(self, world: AccountState) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The route of this endpoint."""
        return [Route(HOME + "/submissions", self.submit, methods=["POST"])]

    async def submit(self, request: Request) -> Response:
        """POST submissions of one type: 202 before anything is decided."""
        body = await object_body(request)
        items = _items(body)
        match body.get("type"):
            case "reclassification":
                self._reclassify(items, request.scope[REQUEST])
            case "missed_detection":
                self._report_missed(items, request.scope[REQUEST])
            case _:
                raise invalid("type must be reclassification or missed_detection", "/type")
        return succeed({}, status=202)

    def _reclassify(self, items: list[dict[str, Any]], request: int) -> None:
        for item, mail, disposition in [
            (item, self._alerted(item), read_disposition(item)) for item in items
        ]:
            self._world.submit(
                mail, disposition, "reclassification", item.get("escalated_submission_id")
            )
            self._world.ledger.record(
                self._world.now,
                request,
                Operation.RECLASSIFY,
                "message",
                mail.id,
                disposition=disposition,
            )

    def _report_missed(self, items: list[dict[str, Any]], request: int) -> None:
        for item in items:
            disposition = str(item.get("expected_disposition") or "MALICIOUS")
            mail = self._world.mailroom.by_alert_id.get(str(item.get("alert_id")))
            identity = (
                self._world.submit(mail, disposition, "missed_detection", None)
                if mail
                else self._world.submit_unknown(disposition)
            )
            self._world.ledger.record(
                self._world.now,
                request,
                Operation.RECLASSIFY,
                "submission",
                identity,
                disposition=disposition,
            )

    def _alerted(self, item: dict[str, Any]) -> Mail:
        mail = self._world.mailroom.by_alert_id.get(str(item.get("alert_id")))
        if mail is None:
            raise invalid("alert_id is not known", "/messages/alert_id")
        return mail


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("messages")
    if (
        not isinstance(items, list)
        or not 0 < len(items) <= MOST_IDS
        or not all(isinstance(item, dict) for item in items)
    ):
        raise invalid(f"messages must be an array of 1 to {MOST_IDS} objects", "/messages")
    return items
