"""Reading cases: the lists, one case, its messages."""

from dataclasses import asdict, replace

from clawback.case_files.case_file import CaseFile
from clawback.case_files.case_ids import AmbiguousCase, CaseIdError, find_case_id
from clawback.cases import CaseState
from clawback.console.api.answers import CaseDetails, CasePage, MessagePage
from clawback.console.api.api_services import ApiServices
from clawback.console.api.case_answers import describe_file, describe_line, describe_messages
from clawback.console.api.cursors import read_cursor, write_cursor
from clawback.console.api.operations import Call, Reply
from clawback.console.api.parameters import CaseParameters, HistoryKind, HistoryParameters
from clawback.console.api.problems import Changed, InputError, InvalidInput, NotFound
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine, read_entries
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.case_pages import BadPageToken
from clawback.temporal.workflow_calls import NoSuchWorkflow


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
    """List the messages of a case. They only grow, so a cursor stays right."""
    case_id = await find_case(call.services, call.path["id"])
    file = await read_file(call.services, case_id, whole=True)
    messages = describe_messages(file)
    after = read_cursor(["messages", case_id], call.query.cursor) or "0"
    start = int(after) if after.isdecimal() else 0
    end = start + call.query.limit
    following = write_cursor(["messages", case_id], str(end)) if end < len(messages) else None
    return Reply(MessagePage(items=messages[start:end], total=len(messages), next=following))


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
        NotFound: there is no such case, or a later campaign has opened it since.

    """
    file = await read_file(services, case_id)
    line = await _read_line(services, case_id)
    details = describe_file(line, file)
    first_run = file.case.snapshot.uid.rpartition("/")[2] if file.case.snapshot else file.run
    if run and not details.run.startswith(run) and not first_run.startswith(run):
        raise NotFound("a later campaign has opened this case since; ask for it without `run`")
    return details


async def read_file(services: ApiServices, case_id: str, *, whole: bool = False) -> CaseFile:
    """Collect the file of a case.

    Raises:
        NotFound: there is no such case.

    """
    try:
        return await (await services.open_files()).read(case_id, whole=whole)
    except NoSuchWorkflow:
        raise NotFound("there is no such case") from None


async def _read_line(services: ApiServices, case_id: str) -> CaseLine:
    described = await services.client.get_workflow_handle(case_id).describe()
    (entry,) = await read_entries(services.client.data_converter, [described.raw_info])
    return entry.read_line()
