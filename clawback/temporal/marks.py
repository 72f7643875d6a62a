"""Marks on the server that all workers share: workflows that never do anything (ADR 10).

A mark is found by its id for as long as the server keeps it, and its start is when it was made.
"""

import hashlib
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

MARK_LIFETIME = timedelta(days=30)
"""Longer than any poll reads submissions again.

After that, the mark is found for as long as the server keeps closed workflows.
"""


def mark_key(*parts: str) -> str:
    """Return the key of what a mark is about: 32 hexadecimal digits."""
    text = "\0".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


async def find_mark(client: Client, id_: str) -> WorkflowExecutionDescription | None:
    """Read a mark; None if there is none.

    Raises:
        RPCError: the server does not answer.

    """
    try:
        return await client.get_workflow_handle(id_).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
