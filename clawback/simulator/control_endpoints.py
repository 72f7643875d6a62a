"""The `/_sim/` endpoints: add mail, read ledger and request log, change faults and rate limit.

They have no rate limit and no faults, and the request log leaves them out. Responses are JSON
without the API's envelope; errors are a 400 with `{"error": …}`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.corpus import Kind, Line, parse_record
from clawback.simulator.faults import parse_faults
from clawback.simulator.json_text import decode_json, decode_text, split_lines
from clawback.simulator.mail_stream import restamp
from clawback.simulator.rate_limit import parse_rate
from clawback.simulator.responses import dump_json

PREFIX = "/_sim"


class ControlEndpoints:
    """What a test or a rehearsal does to the simulator beside the API."""

    def __init__(self, account: AccountState) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        return [
            Route(PREFIX + "/messages", self.messages, methods=["POST"]),
            Route(PREFIX + "/reports", self.reports, methods=["POST"]),
            Route(PREFIX + "/submissions", self.submissions, methods=["POST"]),
            Route(PREFIX + "/ledger", self.ledger, methods=["GET"]),
            Route(PREFIX + "/requests", self.requests, methods=["GET"]),
            Route(PREFIX + "/counts", self.counts, methods=["GET"]),
            Route(PREFIX + "/state", self.state, methods=["GET"]),
            Route(PREFIX + "/faults", self.faults, methods=["POST"]),
            Route(PREFIX + "/rate-limit", self.rate_limit, methods=["POST"]),
            Route(PREFIX + "/reset", self.reset, methods=["POST"]),
        ]

    async def messages(self, request: Request) -> Response:
        """POST messages as a JSON list or JSON lines, all or none; `?stamp=now` restamps.

        An item is a corpus line or a message record.
        """
        return await self._inject(request, "message")

    async def reports(self, request: Request) -> Response:
        """POST PhishGuard reports, as a JSON list or JSON lines."""
        return await self._inject(request, "report")

    async def submissions(self, request: Request) -> Response:
        """POST submissions, as a JSON list or JSON lines; a known id replaces it."""
        return await self._inject(request, "submission")

    async def ledger(self, request: Request) -> Response:
        """GET the ledger after `?since=SEQ`, in order."""
        return _respond(self._account.ledger.since(_since(request)))

    async def requests(self, request: Request) -> Response:
        """GET the request log after `?since=SEQ`, in order."""
        return _respond(self._account.requests.since(_since(request)))

    async def counts(self, _: Request) -> Response:
        """GET the number of requests by endpoint, status and fault, and of changes by operation."""
        entries = self._account.requests.entries
        return _respond(
            {
                "requests": len(entries),
                "by_endpoint": Counter(
                    f"{entry.method} {_shorten(entry.template)}" for entry in entries
                ),
                "by_status": Counter(str(entry.status) for entry in entries),
                "by_fault": Counter(entry.fault for entry in entries if entry.fault),
                "changes": len(self._account.ledger.rows),
                "by_operation": Counter(str(row["operation"]) for row in self._account.ledger.rows),
            }
        )

    async def state(self, _: Request) -> Response:
        """GET how many records of each kind there are, the faults and the rate limit."""
        account = self._account
        return _respond(
            {
                "messages": len(account.mailboxes.by_id),
                "folders": Counter(str(mail.folder) for mail in account.mailboxes.by_id.values()),
                "reports": len(account.reports),
                "submissions": len(account.submissions),
                "policies": {name: len(held) for name, held in account.policies.items()},
                "faults": str(account.faults.rates),
                "rate_limit": str(account.limiter.rate or "off"),
            }
        )

    async def faults(self, request: Request) -> Response:
        """POST a fault specification, as text or as `{"faults": …}`; empty means none."""
        try:
            faults = parse_faults(await _read_spec(request, "faults"))
        except ValueError as error:
            return _fail(error)
        self._account.faults.rates = faults
        return _respond({"faults": str(faults)})

    async def rate_limit(self, request: Request) -> Response:
        """POST a rate limit, `N/SECONDS` or `off`, as text or as `{"limit": …}`.

        It resets counts.
        """
        try:
            rate = parse_rate(await _read_spec(request, "limit"))
        except ValueError as error:
            return _fail(error)
        self._account.limiter.change(rate)
        return _respond({"limit": str(rate or "off")})

    async def reset(self, _: Request) -> Response:
        """POST to empty the account, the ledger and the request log, and restore the options."""
        self._account.reset()
        return _respond({"reset": True})

    async def _inject(self, request: Request, kind: Kind) -> Response:
        try:
            lines = list(_read_lines(await request.body(), kind))
        except ValueError as error:
            return _fail(error)

        if request.query_params.get("stamp") == "now":
            lines = [restamp(line, self._account.now) for line in lines]

        return _respond({"injected": self._account.add(lines)})


def _read_lines(body: bytes, kind: Kind) -> Iterator[Line]:
    text = decode_text(body)
    values = decode_json(text) if text.lstrip().startswith("[") else _parse_lines(text)
    for number, value in enumerate(values, 1):
        try:
            yield parse_record(value, kind)
        except ValueError as error:
            raise ValueError(f"item {number}: {error}") from None


def _parse_lines(text: str) -> Iterator[Any]:
    for number, line in split_lines(text):
        try:
            yield decode_json(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None


async def _read_spec(request: Request, name: str) -> str:
    text = (await request.body()).decode()
    if not text.lstrip().startswith("{"):
        return text.strip()

    value = json.loads(text).get(name)
    if not isinstance(value, str):
        raise ValueError(f'the body must have a string "{name}"')  # noqa: TRY004 - invalid data

    return value


def _since(request: Request) -> int:
    value = request.query_params.get("since", "0")
    return int(value) if value.isdecimal() else 0


def _shorten(template: str) -> str:
    return template.partition("/email-security")[2] or template


def _respond(value: object) -> Response:
    return Response(dump_json(value), media_type="application/json")


def _fail(error: ValueError) -> Response:
    return Response(dump_json({"error": str(error)}), 400, media_type="application/json")
