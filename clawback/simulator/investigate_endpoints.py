"""The endpoints that read messages: the search, one message, its detections and its action log.

Source: reference §1.3.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator import query_parameters
from clawback.simulator.account_state import AccountState
from clawback.simulator.envelopes import (
    HOME,
    cursor_info,
    invalid,
    not_found,
    succeed,
    succeed_encoded,
    succeed_one_encoded,
)
from clawback.simulator.mail import Mail
from clawback.simulator.mailbox_store import BadCursor, MailboxSearch
from clawback.simulator.message_search import wanted
from clawback.simulator.options import Shape


class Investigate:
    """Reading messages; changes nothing."""

    def __init__(self, world: AccountState) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The routes of these endpoints."""
        one = HOME + "/investigate/{investigate_id}"
        return [
            Route(HOME + "/investigate", self.search, methods=["GET"]),
            Route(one, self.get, methods=["GET"]),
            Route(one + "/detections", self.detections, methods=["GET"]),
            Route(one + "/action_log", self.action_log, methods=["GET"]),
        ]

    async def search(self, request: Request) -> Response:
        """GET investigate: a page of messages with a cursor `result_info`.

        `page` still works where there is no cursor.
        """
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        start, end = query_parameters.window(params, self._world.now)
        search = MailboxSearch(start, end, wanted(params), self._world.now)
        cursor = params.get("cursor")
        try:
            found = self._world.mailroom.page(
                search, per_page, cursor, 0 if cursor else (page - 1) * per_page
            )
        except BadCursor:
            raise invalid("cursor is not valid", "cursor") from None
        lean = self._world.options.shape is Shape.LEAN
        info = cursor_info(len(found.mails), per_page, found.following, None, lean=lean)
        return succeed_encoded((mail.record for mail in found.mails), result_info=info)

    async def get(self, request: Request) -> Response:
        """GET one message; `submission=true` looks only in the submissions datastore, otherwise only in the regular one."""
        submission = query_parameters.boolean(request.query_params, "submission", default=False)
        mail = self.known(request)
        if mail.submission is not submission:
            raise not_found("Message not found")
        return succeed_one_encoded(mail.record)

    async def detections(self, request: Request) -> Response:
        """GET the detections of a message that has one; a benign message answers 404."""
        mail = self.known(request)
        if mail.detections is None or not mail.is_detection:
            raise not_found("No detections for this message")
        return succeed_one_encoded(mail.detections)

    async def action_log(self, request: Request) -> Response:
        """GET what was done to a message, oldest first."""
        return succeed(self.known(request).actions)

    def known(self, request: Request) -> Mail:
        """The message that the path names.

        Raises:
            Refusal: 404, nobody knows it.

        """
        return find_mail(self._world, str(request.path_params["investigate_id"]))


def find_mail(world: AccountState, identity: str) -> Mail:
    """The message with that investigate id; in the old shape a postfix id will do.

    Raises:
        Refusal: 404, nobody knows it.

    """
    mail = look_up(world, identity)
    if mail is None:
        raise not_found("Message not found")
    return mail


def look_up(world: AccountState, identity: str) -> Mail | None:
    """The message with that investigate id (in the old shape: or postfix id), or None."""
    mail = world.mailroom.by_id.get(identity)
    if mail is None and world.options.shape is Shape.OLD:
        return next(iter(world.mailroom.by_postfix_id.get(identity, ())), None)
    return mail
