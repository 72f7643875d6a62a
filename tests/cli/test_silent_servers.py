"""Commands that ask several workflows, or again and again, while one does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from clawback.cases import CaseState
from clawback.cli.case.watch import Watcher
from clawback.cli.exits import ExitCode
from clawback.cli.poll import commands as poll
from clawback.cli.program import run
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow, QueryFailed

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def pollers(monkeypatch: pytest.MonkeyPatch) -> dict[EventKind, Exception]:
    """The pollers that give no answer, and what they raise instead."""
    errors: dict[EventKind, Exception] = {}

    async def status(_: PollerGateway, source: EventKind) -> PollerStatus:
        if source in errors:
            raise errors[source]
        return PollerStatus(source=source, state="waiting", cursor=NOW)

    def call(ask: Callable[[Client], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            return await ask(cast("Client", None))

        return asyncio.run(connected())

    monkeypatch.setattr(PollerGateway, "status", status)
    monkeypatch.setattr(poll, "call_temporal", call)
    return errors


def test_a_poller_that_does_not_answer_hides_no_other(
    pollers: dict[EventKind, Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are shown, it is named, and the exit code says that something is missing."""
    silent, *others = EventKind
    pollers[silent] = QueryFailed(f"poll/{silent} cannot answer: it is poisoned")
    assert run(["poll", "status"]) == ExitCode.NO
    shown = capsys.readouterr()
    assert all(source in shown.out for source in others)
    assert f"the poller of {silent}: poll/{silent} cannot answer: it is poisoned" in shown.err


def test_a_poller_that_never_ran_is_no_error(
    pollers: dict[EventKind, Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    """Not every installation polls every source."""
    absent, *_ = EventKind
    pollers[absent] = NoSuchWorkflow(f"there is no poll/{absent}")
    assert run(["poll", "status"]) == ExitCode.OK
    assert capsys.readouterr().err == ""


async def test_a_watch_outlives_a_server_that_restarts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says once that it waits, and goes on to the end of its case."""
    gone = RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
    line = CaseLine(
        id="case/r/1", run="1", rule="r", state=CaseState.SETTLED, mode="enforce", opened_at=NOW
    )
    closed = line.model_copy(update={"state": CaseState.CLOSED, "closed_at": NOW})
    answers: list[CaseLine | RPCError] = [line, gone, gone, closed]

    class Cases:
        async def find_held_first(self, _: CaseFilter, __: int) -> list[CaseLine]:
            answer = answers.pop(0)
            if isinstance(answer, RPCError):
                raise answer
            return [answer]

    cases = cast("CaseGateway", Cases())
    watcher = Watcher(cases, CaseFilter(), limit=1, until_end=True, every=0.0)
    assert await watcher.run(as_json=False) == [closed]
    shown = capsys.readouterr()
    assert [text.split()[1] for text in shown.out.splitlines()] == ["settled", "settled"]
    assert shown.err.count("does not answer: connection refused; waiting") == 1
