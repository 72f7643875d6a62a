"""Reads a list of cases page by page, in the order of the server.

The server's own token says where the next page starts: open cases, the newest first, then closed
ones, the last closed first. A case that closes meanwhile may come twice, and none is skipped.
"""

import base64
from dataclasses import dataclass

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.service import RPCError, RPCStatusCode

from clawback.temporal.case_entries import CaseLine, read_entries
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.fan_out import gather_limited


class BadPageToken(ValueError):
    """The server does not know the token of a page."""


@dataclass(frozen=True)
class CasePage:
    """Cases, and the token of the next page; empty if this is the last one."""

    lines: tuple[CaseLine, ...]
    token: str = ""


class CasePages(CaseGateway):
    """Typed access to lists of cases of any length, over one Temporal client."""

    async def read_page(self, wanted: CaseFilter, size: int, token: str = "") -> CasePage:
        """Read one page; it may have fewer cases than `size` although another one follows.

        Raises:
            BadPageToken: the token is none of this list.
            RPCError: the server does not answer.

        """
        request = ListWorkflowExecutionsRequest(
            namespace=self.client.namespace,
            query=wanted.query(self.index_keys),
            page_size=size,
            next_page_token=_decode(token),
        )
        try:
            page = await self.client.workflow_service.list_workflow_executions(request, retry=True)
        except RPCError as error:
            if token and error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise BadPageToken from error
            raise

        lines: list[CaseLine] = []
        for entry in await read_entries(self.client.data_converter, page.executions):
            if not wanted.touches or not entry.is_truncated:
                lines.append(entry.read_line())
            elif (line := await self._look_into(entry, wanted)) is not None:
                lines.append(line)
        counted = await gather_limited(self._add_parts, lines)
        return CasePage(tuple(counted), base64.b64encode(page.next_page_token).decode())


def _decode(token: str) -> bytes:
    try:
        return base64.b64decode(token, validate=True)
    except ValueError as error:
        raise BadPageToken from error
