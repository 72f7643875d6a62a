"""Finds which campaign of a case a link means: a case gets the id again with its next campaign."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from clawback.console.errors import BadRequest, NoSuchObject
from clawback.console.services import Services
from clawback.console.sources.read_model import ListedCase
from clawback.temporal import names
from clawback.temporal.workflow_calls import NoSuchWorkflow

_RULE: Final = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_HASH: Final = re.compile(r"[0-9a-f]{16}")
_RUN: Final = re.compile(r"[0-9a-f-]{1,36}")


@dataclass(frozen=True)
class CampaignRun:
    """One campaign of a case.

    `run` is what to ask about an earlier campaign, None for the newest one. `listed` is its line in
    the lists, None if they do not have it (yet). `path` is that of its page, without a query.
    """

    id: str
    path: str
    query: str
    run: str | None = None
    listed: ListedCase | None = None

    @property
    def page(self) -> str:
        """The address of its page."""
        return self.path + self.query

    @property
    def is_newest(self) -> bool:
        """Whether people can still decide about it, if it is open."""
        return self.run is None


async def find_campaign(request: Request, services: Services, run: str) -> CampaignRun:
    """Find the campaign that the path of a request names; `run` are the first digits of a run.

    Raises:
        BadRequest: the run has another form.
        NoSuchObject: there is no such case, or no such campaign of it.

    """
    rule, digest = request.path_params["rule"], request.path_params["hash"]
    if _RULE.fullmatch(rule) is None or _HASH.fullmatch(digest) is None:
        raise NoSuchObject("There is no such case. Search for its subject or sender above.")
    if run and _RUN.fullmatch(run) is None:
        raise BadRequest("run: give the first digits of a run, such as 019ac5e1")

    case_id, path = f"{names.CASE}/{rule}/{digest}", f"/cases/{rule}/{digest}"
    query = f"?run={run}" if run else ""
    newest, listed = services.read_model.find(case_id), services.read_model.find(case_id, run)
    if listed is not None and newest is not None:
        earlier = listed.run if listed.key != newest.key else None
        return CampaignRun(case_id, path, query, earlier, listed)
    if run and not await _is_newest(services, case_id, run):
        raise NoSuchObject(
            "This link is about an earlier campaign of the case, which is not kept any more. "
            f"Its short id is {digest[:8]}: search for it to see the newest one."
        )
    return CampaignRun(case_id, path, query, None, newest)


async def _is_newest(services: Services, case_id: str, run: str) -> bool:
    """Whether a run, by its first digits, belongs to the newest campaign of a case.

    A case goes on under new runs, and a notification names the first of them.
    """
    try:
        snapshot = (await services.cases.status(case_id)).snapshot
    except NoSuchWorkflow:
        return False
    if snapshot is not None and snapshot.uid.rpartition("/")[2].startswith(run):
        return True

    newest = await services.client.get_workflow_handle(case_id).describe()
    first = newest.raw_info.first_run_id
    query = f"WorkflowId = {names.quote_value(case_id)}"
    async for one in services.client.list_workflows(query, page_size=100):
        if one.run_id.startswith(run):
            return bool(first) and one.raw_info.first_run_id == first
    return False
