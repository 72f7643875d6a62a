"""Entries of the index are read page by page, and one that cannot be read spoils no other."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import Memo, WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.converter import DataConverter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from clawback.actions import Move
from clawback.cases import CasePlan, CaseState, CaseTiming, Match
from clawback.cases.summary import CaseSummary, StoredSummary
from clawback.cases.undo_plan import UndoBasis
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from clawback.temporal import case_entries, names
from clawback.temporal.case_entries import CaseLine, list_entries, read_entries
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter, case_attributes
from clawback.temporal.data_converter import data_converter
from clawback.temporal.key_ring import Key, KeyRing
from tests.waiting import eventually

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MINE, OTHERS = (data_converter(KeyRing([Key(32 * letter)])) for letter in (b"a", b"b"))
SUMMARY = StoredSummary(
    rule="r", messages=3, changed=1, undo=UndoBasis(case="c", uid="u", rule="r")
)


async def info(
    converter: DataConverter | None = MINE,
    status: Status.ValueType = Status.WORKFLOW_EXECUTION_STATUS_RUNNING,
    state: CaseState = CaseState.SETTLED,
) -> WorkflowExecutionInfo:
    """Build an entry as the server sends it; without a converter it has no summary."""
    memo = await converter.encode([SUMMARY]) if converter is not None else []
    found = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id="case/r/1", run_id="run"),
        status=status,
        memo=Memo(fields=dict(zip((names.SUMMARY_MEMO,), memo, strict=False))),
    )
    found.start_time.FromDatetime(NOW)
    if status != Status.WORKFLOW_EXECUTION_STATUS_RUNNING:
        found.close_time.FromDatetime(NOW)
    for name, value in ((names.RULE_ATTRIBUTE, "r"), (names.STATE_ATTRIBUTE, state.value)):
        field = found.search_attributes.indexed_fields[name]
        field.CopyFrom(DataConverter.default.payload_converter.to_payload(value))
    return found


async def test_a_strange_attribute_spoils_no_list() -> None:
    """An attribute of another type, or one that is not JSON, counts as missing."""
    page = [await info(), await info()]
    page[0].search_attributes.indexed_fields[names.RULE_ATTRIBUTE].data = b'["r"]'
    page[1].search_attributes.indexed_fields[names.RULE_ATTRIBUTE].data = b""
    lines = [entry.read_line() for entry in await read_entries(MINE, page)]
    assert [(line.rule, line.state) for line in lines] == [("", "settled"), ("", "settled")]


async def test_a_memo_of_another_key_spoils_no_other() -> None:
    """Its line says why it has no summary; the others of the page have theirs."""
    page = [await info(), await info(OTHERS), await info(None), await info()]
    lines = [entry.read_line() for entry in await read_entries(MINE, page)]
    assert [line.unreadable for line in lines] == [
        None,
        "its summary cannot be read: PayloadRefused",
        "it has no summary",
        None,
    ]
    assert [line.summary.messages for line in lines if line.summary] == [3, 3]


async def test_a_list_leaves_the_undo_basis_undecoded() -> None:
    """A line has a plain summary; the basis is decoded for undo alone."""
    (entry,) = await read_entries(MINE, [await info()])
    assert type(entry.read_line().summary) is CaseSummary
    assert entry.read_undo_basis() == SUMMARY.undo


@pytest.mark.parametrize(
    ("status", "state", "shown", "has_basis"),
    [
        ("RUNNING", CaseState.SETTLED, "settled", True),
        ("RUNNING", CaseState.RESPONDING, "responding", False),
        ("COMPLETED", CaseState.SETTLED, "closed", True),
        ("COMPLETED", CaseState.DENIED, "denied", True),
        ("TERMINATED", CaseState.SETTLED, "terminated", False),
        ("TIMED_OUT", CaseState.SETTLED, "timed_out", False),
        ("PAUSED", CaseState.SETTLED, "settled", True),
    ],
)
async def test_the_server_knows_how_a_case_ended(
    status: str, state: CaseState, shown: str, *, has_basis: bool
) -> None:
    """What a case published last is true unless its workflow ended otherwise."""
    value = Status.Value(f"WORKFLOW_EXECUTION_STATUS_{status}")
    (entry,) = await read_entries(MINE, [await info(MINE, value, state)])
    assert entry.read_line().shown_state == shown
    assert (entry.read_undo_basis() is not None) == has_basis


async def test_pages_join_to_one_list(temporal: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any number of pages a list has every case once, as the SDK reads it."""
    cases = CaseGateway(temporal)
    for group in range(5):
        await cases.signal_matches(plan(group), [match(group)], CaseTiming())
    await eventually(lambda: _counted(cases, 5))

    monkeypatch.setattr(case_entries, "LARGEST_PAGE", 2)
    query = f"WorkflowType = '{names.CASE}'"
    for expected in (None, 1, 3, 5, 9):
        found = [one async for one in list_entries(temporal, query, expected)]
        assert len({one.run for one in found}) == len(found) == 5
    for limit in (1, 2, 3, 5, 9):
        assert len(await cases.find(limit=limit)) == min(limit, 5)

    assert {line.run: line for line in await cases.find()} == await _read_by_sdk(temporal, query)


async def test_a_case_opened_when_its_first_run_did(temporal: Client) -> None:
    """Its age, and the filters by time, do not begin anew when it continues as new."""
    opened = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    cases = CaseGateway(temporal)
    runner = UnsandboxedWorkflowRunner()
    async with Worker(
        temporal, task_queue="renewing", workflows=[Renewing], workflow_runner=runner
    ):
        await temporal.start_workflow(
            names.CASE,
            1,
            id="case/r/1",
            task_queue="renewing",
            search_attributes=case_attributes(plan(1), opened),
        )
        await eventually(lambda: _renewed(cases))

    (line,) = await cases.find()
    assert line.opened_at == opened
    assert line.lasted(opened + timedelta(minutes=11)) == 660
    lately = datetime.now(UTC) - timedelta(minutes=30)
    assert await cases.find(CaseFilter(since=lately)) == []
    assert await cases.find(CaseFilter(until=lately)) == [line]
    assert await cases.find(CaseFilter(since=opened, until=lately)) == [line]


@workflow.defn(name=names.CASE)
class Renewing:
    """Continues as new once, as a large case does."""

    @workflow.run
    async def run(self, left: int) -> None:
        """Continue as new while runs are left, then stay open."""
        if left:
            workflow.continue_as_new(left - 1)
        await workflow.wait_condition(lambda: False)


async def _renewed(cases: CaseGateway) -> bool | None:
    described = await cases.client.get_workflow_handle("case/r/1").describe()
    first = described.raw_description.workflow_execution_info.first_run_id
    return (described.run_id != first and bool(await cases.find())) or None


def plan(group: int) -> CasePlan:
    """Build the plan of one group."""
    return CasePlan(
        rule="r",
        version="v1",
        mode=Mode.ENFORCE,
        group={"sender": str(group)},
        actions=(Move(destination=Destination.JUNK),),
    )


def match(group: int) -> Match:
    """Build a match of one message."""
    target = Target(id=f"4{group}-x-1", at=NOW, sender=f"s{group}@bad.test")
    return Match(key=f"message/{group}", at=NOW, seen_at=NOW, targets=(target,))


async def _counted(cases: CaseGateway, count: int) -> bool | None:
    return await cases.count() == count or None


async def _read_by_sdk(client: Client, query: str) -> dict[str, CaseLine]:
    lines = {}
    async for one in client.list_workflows(query):
        rule, state, mode = (
            one.typed_search_attributes[SearchAttributeKey.for_keyword(name)]
            for name in (names.RULE_ATTRIBUTE, names.STATE_ATTRIBUTE, names.MODE_ATTRIBUTE)
        )
        lines[one.run_id] = CaseLine(
            id=one.id,
            run=one.run_id,
            rule=rule,
            state=state,
            mode=mode,
            opened_at=one.typed_search_attributes[
                SearchAttributeKey.for_datetime(names.OPENED_ATTRIBUTE)
            ],
            changed_at=one.typed_search_attributes[
                SearchAttributeKey.for_datetime(names.CHANGED_ATTRIBUTE)
            ],
            summary=await one.memo_value(names.SUMMARY_MEMO, type_hint=CaseSummary),
        )
    return lines
