"""Reading cases: the lists, one case, its messages."""

from dataclasses import asdict, replace
from typing import Final

from temporalio.client import WorkflowExecutionStatus

from clawback.case_files.case_file import CaseFile
from clawback.case_files.case_ids import AmbiguousCase, CaseIdError, find_case_id
from clawback.case_files.message_pages import NoSuchPlace, read_messages
from clawback.cases import CaseState
from clawback.console.api.answers import CaseDetails, CasePage, MessagePage
from clawback.console.api.api_services import ApiServices
from clawback.console.api.case_answers import describe_file, describe_line, describe_messages
from clawback.console.api.cursors import read_cursor, write_cursor
from clawback.console.api.operations import Call, Reply
from clawback.console.api.parameters import (
    CaseParameters,
    HistoryKind,
    HistoryParameters,
    MessageParameters,
)
from clawback.console.api.problems import Changed, InputError, InvalidInput, NotFound
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine, read_entries
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.case_pages import BadPageToken
from clawback.temporal.case_reader import CaseReading
from clawback.temporal.workflow_calls import NoSuchWorkflow

_CONTINUED: Final = WorkflowExecutionStatus.CONTINUED_AS_NEW


async def list_cases(call: Call) -> Reply:
    """List cases, open and closed."""
    asked: CaseParameters = call.query
    wanted = CaseFilter(
        state=asked.state,
        rule=asked.rule,
        level=asked.level,
        sender=asked.sender,
        mailbox=asked.mailbox,
        message=asked.message,
        since=asked.since,
    )
    return Reply(await _read_page(call, wanted, asked.limit, asked.cursor))


async def list_history(call: Call) -> Reply:
    """List what happened: cases that acted, or were denied, expired or undone."""
    asked: HistoryParameters = call.query
    wanted = CaseFilter(
        rule=asked.rule,
        sender=asked.sender,
        mailbox=asked.mailbox,
        message=asked.message,
        since=asked.since,
        until=asked.until,
    )
    if asked.kind is HistoryKind.ACTED:
        wanted = replace(wanted, changed=True)
    else:
        wanted = replace(wanted, state=CaseState(asked.kind))
    return Reply(await _read_page(call, wanted, asked.limit, asked.cursor))


async def _read_page(call: Call, wanted: CaseFilter, limit: int, cursor: str | None) -> CasePage:
    listed = asdict(wanted)
    token = read_cursor(listed, cursor) or ""
    try:
        page = await call.services.cases.read_page(wanted, limit, token)
    except BadPageToken:
        error = InputError(place="query.cursor", detail="the server no longer knows this place")
        raise InvalidInput([error]) from None

    items = [describe_line(line) for line in page.lines]
    return CasePage(items=items, next=write_cursor(listed, page.token) if page.token else None)


async def show_case(call: Call) -> Reply:
    """Show one case with everything but its messages."""
    case_id = await find_case(call.services, call.path["id"])
    return Reply(await read_details(call.services, case_id, call.query.run))


async def list_messages(call: Call) -> Reply:
    """List the messages of a case. They only grow, so a cursor stays right.

    Of a campaign of many parts, a page reads those that it needs.
    """
    case_id = await find_case(call.services, call.path["id"])
    asked: MessageParameters = call.query
    run = await _find_run(call.services, case_id, asked.run)
    reading, cases = await _read_outline(call.services, case_id, run), call.services.cases
    listed = ["messages", case_id, run]
    after = read_cursor(listed, asked.cursor) or ""
    try:
        page = await read_messages(cases.read_part, reading.case, after, asked.limit)
    except NoSuchPlace:
        error = InputError(place="query.cursor", detail="there is no such place in the messages")
        raise InvalidInput([error]) from None

    own = len(reading.case.snapshot.all_targets) if reading.case.snapshot else 0
    return Reply(
        MessagePage(
            items=describe_messages(reading.case.plan, page),
            total=own + sum(part.messages for part in reading.summaries),
            next=write_cursor(listed, page.after) if page.after else None,
        )
    )


async def _read_outline(services: ApiServices, case_id: str, run: str | None) -> CaseReading:
    try:
        if run is not None:
            return await services.cases.read_run(case_id, run)
        return await services.cases.outline(case_id)
    except NoSuchWorkflow:
        raise NotFound("there is no such case") from None


async def find_case(services: ApiServices, text: str) -> str:
    """Find the id of the case that a path names.

    Raises:
        NotFound: there is no such case.
        Changed: several cases have a hash that begins so; the answer names them.

    """
    try:
        return await find_case_id(services.client, text)
    except AmbiguousCase as error:
        candidates = [one.removeprefix(f"{names.CASE}/") for one in error.candidates]
        raise Changed(f"several cases begin with {text}", {"candidates": candidates}) from None
    except CaseIdError:
        raise NotFound("there is no such case") from None


async def read_details(services: ApiServices, case_id: str, run: str | None = None) -> CaseDetails:
    """Read everything about one case but its messages.

    Raises:
        NotFound: there is no such case, or no such campaign of it is kept.

    """
    earlier = await _find_run(services, case_id, run)
    file = await read_file(services, case_id, run=earlier)
    return describe_file(await _read_line(services, case_id, earlier), file)


async def read_file(services: ApiServices, case_id: str, *, run: str | None = None) -> CaseFile:
    """Collect the file of a case, or of an earlier campaign of it by its last run.

    Raises:
        NotFound: there is no such case.

    """
    try:
        return await (await services.open_files()).read(case_id, run=run, whole=False)
    except NoSuchWorkflow:
        raise NotFound("there is no such case") from None


async def _find_run(services: ApiServices, case_id: str, digits: str | None) -> str | None:
    """Find the last run of an earlier campaign by the first digits of any; None for the newest.

    Raises:
        NotFound: the server keeps no such run.

    """
    if digits is None:
        return None
    query = f"WorkflowId = {names.quote_value(case_id)}"
    found = [one async for one in services.client.list_workflows(query, page_size=100)]
    runs = sorted(found, key=lambda one: one.start_time)
    named = next((one for one in runs if one.run_id.startswith(digits)), None)
    if named is None:
        # The first run of a case that goes on for long is not kept, and notifications name it.
        if await _is_newest(services, case_id, digits):
            return None
        raise NotFound("the server keeps no campaign of this case with such a run")

    # One run follows another, and the last one of a campaign does not continue as new.
    ended = (one for one in runs if one.start_time >= named.start_time)
    last = next(one for one in ended if one.status is not _CONTINUED or one is runs[-1])
    return None if last is runs[-1] else last.run_id


async def _is_newest(services: ApiServices, case_id: str, digits: str) -> bool:
    try:
        snapshot = (await services.cases.status(case_id)).snapshot
    except NoSuchWorkflow:
        return False
    return snapshot is not None and snapshot.uid.rpartition("/")[2].startswith(digits)


async def _read_line(services: ApiServices, case_id: str, run: str | None) -> CaseLine:
    described = await services.client.get_workflow_handle(case_id, run_id=run).describe()
    (entry,) = await read_entries(services.client.data_converter, [described.raw_info])
    return entry.read_line()
