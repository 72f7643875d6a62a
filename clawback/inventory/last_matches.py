"""When each rule last opened a case, from the index of the server."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from temporalio.client import Client

from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter

_AT_ONCE = 8


async def read_last_matches(client: Client, rules: Iterable[str]) -> dict[str, datetime]:
    """Read when the newest case of each rule was opened; rules without a case are left out.

    Raises:
        RPCError: the server does not answer.

    """
    cases, turn = CaseGateway(client), asyncio.Semaphore(_AT_ONCE)

    async def read_newest(name: str) -> tuple[str, datetime] | None:
        async with turn:
            lines = await cases.find(CaseFilter(rule=name), limit=1)
            return (name, lines[0].opened_at) if lines else None

    answers = await asyncio.gather(*map(read_newest, rules))
    return dict(answer for answer in answers if answer is not None)
