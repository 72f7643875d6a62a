"""The `/_sim/` endpoints: inject mail, read the witnesses, change faults and rate.

Never limited, never faulted, never in the request log.

Answers are bare JSON, without the API's envelope; a refusal is a 400 with `{"error": …}`.
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
from clawback.simulator.envelopes import dumps
from clawback.simulator.faults import parse_faults
from clawback.simulator.mail_stream import stamped
from clawback.simulator.rate_limit import parse_rate

PREFIX = "/_sim"


class Control:
    """What a test or a rehearsal does to the simulator behind the API's back."""

    def __init__(self, world: AccountState) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The routes below `/_sim/`."""
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
        """POST corpus lines (a JSON list or JSON lines.

        Bare message records will do), all or none; `?stamp=now` makes them arrive now.
        """
        return await self._inject(request, "message")

    async def reports(self, request: Request) -> Response:
        """POST PhishGuard reports, as a JSON list or JSON lines."""
        return await self._inject(request, "report")

    async def submissions(self, request: Request) -> Response:
        """POST submissions, as a JSON list or JSON lines; one whose id is known replaces it."""
        return await self._inject(request, "submission")

    async def ledger(self, request: Request) -> Response:
        """GET every effective change after `?since=SEQ`, in order."""
        return _answer(self._world.ledger.since(_since(request)))

    async def requests(self, request: Request) -> Response:
        """GET every API request after `?since=SEQ`, in order."""
        return _answer(self._world.requests.since(_since(request)))

    async def counts(self, _: Request) -> Response:
        """GET how many requests there were by endpoint, status and fault, and how many changes by operation."""
        asked = self._world.requests.asked
        return _answer(
            {
                "requests": len(asked),
                "by_endpoint": Counter(
                    f"{entry.method} {_short(entry.template)}" for entry in asked
                ),
                "by_status": Counter(str(entry.status) for entry in asked),
                "by_fault": Counter(entry.fault for entry in asked if entry.fault),
                "changes": len(self._world.ledger.rows),
                "by_operation": Counter(str(row["operation"]) for row in self._world.ledger.rows),
            }
        )

    async def state(self, _: Request) -> Response:
        """GET how much there is of everything, and what is in force."""
        world = self._world
        return _answer(
            {
                "messages": len(world.mailroom.by_id),
                "folders": Counter(str(mail.folder) for mail in world.mailroom.by_id.values()),
                "reports": len(world.reports),
                "submissions": len(world.submissions),
                "policies": {name: len(held) for name, held in world.policies.items()},
                "faults": str(world.dice.faults),
                "rate_limit": str(world.limiter.rate or "off"),
            }
        )

    async def faults(self, request: Request) -> Response:
        """POST another specification of faults, as text or as `{"faults": …}`; empty means none."""
        try:
            faults = parse_faults(await _spec(request, "faults"))
        except ValueError as error:
            return _refuse(error)
        self._world.dice.faults = faults
        return _answer({"faults": str(faults)})

    async def rate_limit(self, request: Request) -> Response:
        """POST another limit, `N/SECONDS` or `off`, as text or as `{"limit".

        …}`; all counts and blocks are forgotten.
        """
        try:
            rate = parse_rate(await _spec(request, "limit"))
        except ValueError as error:
            return _refuse(error)
        self._world.limiter.change(rate)
        return _answer({"limit": str(rate or "off")})

    async def reset(self, _: Request) -> Response:
        """POST to empty the account and both witnesses.

        Faults, dice and the limit are as at the start again.
        """
        self._world.reset()
        return _answer({"reset": True})

    async def _inject(self, request: Request, kind: Kind) -> Response:
        try:
            lines = list(_lines(await request.body(), kind))
        except ValueError as error:
            return _refuse(error)
        if request.query_params.get("stamp") == "now":
            lines = [stamped(line, self._world.now) for line in lines]
        return _answer({"injected": self._world.take(lines)})


def _lines(body: bytes, kind: Kind) -> Iterator[Line]:
    text = body.decode()
    values = json.loads(text) if text.lstrip().startswith("[") else _each_line(text)
    for number, value in enumerate(values, 1):
        try:
            yield parse_record(value, kind)
        except ValueError as error:
            raise ValueError(f"item {number}: {error}") from None


def _each_line(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None


async def _spec(request: Request, name: str) -> str:
    text = (await request.body()).decode()
    if not text.lstrip().startswith("{"):
        return text.strip()
    value = json.loads(text).get(name)
    if not isinstance(value, str):
        raise ValueError(f'the body needs "{name}" as a text')  # noqa: TRY004 - it is the caller's value
    return value


def _since(request: Request) -> int:
    value = request.query_params.get("since", "0")
    return int(value) if value.isdecimal() else 0


def _short(template: str) -> str:
    return template.partition("/email-security")[2] or template


def _answer(value: object) -> Response:
    return Response(dumps(value), media_type="application/json")


def _refuse(error: ValueError) -> Response:
    return Response(dumps({"error": str(error)}), 400, media_type="application/json")
