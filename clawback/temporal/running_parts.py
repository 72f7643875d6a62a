"""Which campaigns have open parts, without a request for each case that asks."""

import asyncio
import time

from temporalio.client import Client
from temporalio.service import RPCError

from clawback.temporal import names

_FRESH = 2.0
"""Seconds for which one list of all open parts is good; there are few large campaigns."""
_QUERY = f"WorkflowType = '{names.CASE_PART}' AND ExecutionStatus = 'Running'"


class RunningParts:
    """The cases that have open parts, as the server listed them last."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._cases: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def has_any(self, case_id: str) -> bool:
        """Whether a case has open parts. If the server does not list them, what was known holds."""
        async with self._lock:
            if time.monotonic() - self._read_at > _FRESH:
                await self._read()
        return case_id in self._cases

    async def _read(self) -> None:
        try:
            found = [one.id async for one in self._client.list_workflows(_QUERY)]
        except RPCError:
            return
        self._cases = frozenset(id_.rpartition("/")[0] for id_ in found)
        self._read_at = time.monotonic()
