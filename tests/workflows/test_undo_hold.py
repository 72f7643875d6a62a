"""Undos that wait for a second person, on a real server."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.cases import CaseTiming
from clawback.cases.undo_judgement import UndoHold
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.rules.source.safety import UndoDocument
from clawback.simulator import outbreak
from clawback.temporal import names
from clawback.temporal.undo_decisions import UndoDecisions
from clawback.temporal.undo_gateway import UndoGateway, UndoSummary
from clawback.temporal.workflow_calls import NoSuchWorkflow, UpdateRefused
from tests.notifications.receivers import WebReceiver, web_receiver
from tests.people import person
from tests.rules.folders import PLAIN, write
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_notifications import webhook
from tests.workflows.test_undo import SCOPE, candidates, plan, rows, total


def mail(count: int, disposition: str = "MALICIOUS") -> list[dict[str, Any]]:
    """Messages of one campaign with a verdict."""
    return list(outbreak(count, disposition=disposition))


def called(line: dict[str, Any], disposition: str) -> dict[str, Any]:
    """The same message with another verdict."""
    return {**line, "message": {**line["message"], "final_disposition": disposition}}


async def begin(deployment: Deployment, *lines: dict[str, Any]) -> str:
    """Let a case move messages, and ask to undo that; return the id of the undo."""
    await deployment.signal_case(plan(), *map(match_of, lines))
    await deployment.settled(plan().case_id)
    gateway = UndoGateway(deployment.client)
    found = await eventually(lambda: candidates(gateway, plan().case_id))
    (page,) = await gateway.start(SCOPE, found)
    return page


async def hold_of(deployment: Deployment, page: str) -> UndoHold:
    """Wait until an undo is held."""

    async def there() -> UndoHold | None:
        held = await UndoDecisions(deployment.client).held()
        return held.given.get(page.rpartition("/")[0])

    return await eventually(there)


def returned(deployment: Deployment) -> list[str]:
    """The messages that are back in the inbox."""
    return [row["id"] for row in rows(deployment, "move") if row["destination"] == "Inbox"]


async def test_malicious_mail_returns_only_if_two_people_want_it(
    temporal: Client, tmp_path: Path
) -> None:
    """Whoever asked for it does not count twice, and the record names both."""
    lines = mail(3)
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        page = await begin(deployment, *lines)
        hold = await hold_of(deployment, page)
        assert hold.assessment.reasons == ("3 messages are malicious now",)
        assert returned(deployment) == []

        decisions, undo = UndoDecisions(temporal), page.rpartition("/")[0]
        with pytest.raises(UpdateRefused, match="another person"):
            await decisions.approve(undo, person("ANA"), hold.assessment.digest)
        with pytest.raises(UpdateRefused, match="has changed"):
            await decisions.approve(undo, person("bob"), "3-000000000000")
        await decisions.approve(undo, person("bob"), hold.assessment.digest, "it is a drill")

        gateway = UndoGateway(temporal)
        assert await total(gateway, [page]) == UndoSummary(cases=1, done=3)
        assert len(returned(deployment)) == 3
        records = [one for one in deployment.audit() if one.case == page]
        assert [(one.kind, one.actor) for one in records] == [
            (RecordKind.HELD, "ana"),
            (RecordKind.APPROVED, "bob"),
        ]
        with pytest.raises(NoSuchWorkflow):
            await decisions.find(undo)


@pytest.mark.parametrize("disposition", ["NONE", "SUSPICIOUS"])
async def test_innocent_mail_returns_at_once(
    temporal: Client, tmp_path: Path, disposition: str
) -> None:
    """What was called malicious when the case acted need not be so now."""
    lines = mail(3)
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        deployment.simulator.add([called(line, disposition) for line in lines])
        page = await begin(deployment, *lines)
        assert (await total(UndoGateway(temporal), [page])).done == 3


async def test_a_large_undo_of_innocent_mail_is_held(temporal: Client, tmp_path: Path) -> None:
    """By default more than 100 changes are large, or more than 20 cases."""
    lines = mail(101, "SPAM")
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        page = await begin(deployment, *lines)
        hold = await hold_of(deployment, page)
        assert hold.assessment.reasons == ("it takes back more than 100 changes or 20 cases",)
        assert hold.assessment.verdicts == {"SPAM": 101}
        await UndoDecisions(temporal).deny(page.rpartition("/")[0], person("ana"), "a mistake")
        assert await total(UndoGateway(temporal), [page]) == UndoSummary(refused=1)
        assert returned(deployment) == []


async def undo_one(deployment: Deployment, who: str, message: str) -> str:
    """Ask to take one message back; return the id of the undo."""
    gateway = UndoGateway(deployment.client)
    scope = UndoScope(actor=person(who), reason="clean mail", messages=(message,))
    found = await eventually(lambda: candidates(gateway, scope=scope))
    (page,) = await gateway.start(scope, found)
    return page


def limit_undo(deployment: Deployment, **limits: int) -> None:
    """Let one person undo so much alone."""
    undo = UndoDocument.model_validate(limits)
    safety = deployment.rules.current.safety.model_copy(update={"undo": undo})
    deployment.rules.current = deployment.rules.current.with_safety(safety)


async def test_message_by_message_is_no_way_around_the_limit(
    temporal: Client, tmp_path: Path
) -> None:
    """The sum of an hour is held like one undo; an approval is for one, and others may go on."""
    lines = mail(5, "SPAM")
    ids = [line["message"]["id"] for line in lines]
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        limit_undo(deployment, changes=2)
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        gateway, decisions = UndoGateway(temporal), UndoDecisions(temporal)
        for message in ids[:2]:
            assert (await total(gateway, [await undo_one(deployment, "ana", message)])).done == 1

        page = await undo_one(deployment, "ana", ids[2])
        hold = await hold_of(deployment, page)
        reason = "ana has taken back 2 of 2 changes within 1h, and this undo has 1"
        assert hold.assessment.reasons == (reason,)
        await decisions.approve(page.rpartition("/")[0], person("bob"), hold.assessment.digest)
        assert (await total(gateway, [page])).done == 1

        again = await hold_of(deployment, await undo_one(deployment, "ana", ids[3]))
        assert "3 of 2 changes" in again.assessment.reasons[0]
        other = await undo_one(deployment, "bob", ids[4])
        assert (await total(gateway, [other])).done == 1
        assert sorted(returned(deployment)) == sorted(ids[:3] + ids[4:])


async def test_without_a_guard_an_undo_needs_two(temporal: Client, tmp_path: Path) -> None:
    """Nobody knows what was taken back before; with an approval it goes on without a guard."""
    lines = mail(1, "SPAM")
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        await temporal.get_workflow_handle(names.GUARD_ID).terminate()
        page = await undo_one(deployment, "ana", lines[0]["message"]["id"])
        hold = await hold_of(deployment, page)
        assert hold.assessment.reasons == ("what ana has taken back within 1h is not known",)
        await UndoDecisions(temporal).approve(
            page.rpartition("/")[0], person("bob"), hold.assessment.digest
        )
        await eventually(lambda: _returned(deployment, 1))


async def test_mail_that_joins_after_the_hold_needs_another_approval(
    temporal: Client, tmp_path: Path
) -> None:
    """Nobody has seen it."""
    lines = mail(4)
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        page = await begin(deployment, *lines[:2])
        hold = await hold_of(deployment, page)
        await deployment.signal_case(plan(), *map(match_of, lines[2:]))
        await eventually(lambda: _moved(deployment, 4))
        await deployment.settled(plan().case_id)

        decisions, undo = UndoDecisions(temporal), page.rpartition("/")[0]
        await decisions.approve(undo, person("bob"), hold.assessment.digest)
        again = await eventually(lambda: _held_again(deployment, page, hold))
        assert again.assessment.messages == 4
        assert returned(deployment) == []
        await decisions.approve(undo, person("carl"), again.assessment.digest)
        assert (await total(UndoGateway(temporal), [page])).done == 4


async def test_silence_ends_an_undo(temporal: Client, tmp_path: Path) -> None:
    """As it ends a held case."""
    lines = mail(1)
    async with deployed(temporal, simulated(lines), tmp_path, judges_undo=True) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        found = await eventually(lambda: candidates(UndoGateway(temporal), plan().case_id))
        soon = CaseTiming(approval_timeout=timedelta(milliseconds=200))
        gateway = UndoGateway(temporal)
        (page,) = await gateway.start(SCOPE, found, soon)
        assert await asyncio.wait_for(total(gateway, [page]), 60) == UndoSummary(refused=1)
        assert returned(deployment) == []
        kinds = [one.kind for one in deployment.audit() if one.case == page]
        assert kinds == [RecordKind.HELD, RecordKind.EXPIRED]


TOLD_AFTER = PLAIN.replace("name: a_rule", "name: r").replace(
    "actions:", "actions:\n    - notify: {channel: soc, when: [undone]}"
)
NOTIFYING = PLAIN.replace("actions:", "actions:\n    - notify: {channel: soc}")


async def test_people_are_told_of_a_held_undo_and_how_it_ended(
    temporal: Client, tmp_path: Path
) -> None:
    """As of a held case: what it is, how to approve it, a reminder, and that nobody answered."""
    lines = mail(2)
    rules = write(tmp_path / "rules", {"a_rule.yml": NOTIFYING})
    timing = CaseTiming(approval_timeout=timedelta(seconds=2), warning=timedelta(seconds=1))
    with web_receiver() as receiver:
        async with deployed(
            temporal,
            simulated(lines),
            tmp_path,
            webhook(receiver),
            judges_undo=True,
            rules=rules,
        ) as deployment:
            await deployment.signal_case(plan(), *map(match_of, lines))
            await deployment.settled(plan().case_id)
            found = await eventually(lambda: candidates(UndoGateway(temporal), plan().case_id))
            (page,) = await UndoGateway(temporal).start(SCOPE, found, timing)
            told = await eventually(lambda: _accepted(receiver, 3))
            first, reminder, end = sorted(told, key=lambda one: one["timestamp"])
            await eventually(lambda: _notified(deployment, page, 3))

    assert [one["type"] for one in (first, reminder, end)] == [
        "undo.held",
        "undo.held",
        "undo.expired",
    ]
    assert f"clawback undo approve {page}" in first["data"]["text"]
    assert first["data"]["reason"] == (
        "ana wants to take back 2 changes of 1 case, 2 messages of them to the inbox (clean mail): "
        "2 messages are malicious now"
    )
    assert first["data"]["answer_by"] is not None
    kinds = [one.kind for one in deployment.audit() if one.case == page]
    assert sorted(kinds) == sorted(
        [
            RecordKind.HELD,
            RecordKind.EXPIRY_WARNED,
            RecordKind.EXPIRED,
            *[RecordKind.NOTIFIED] * 3,
        ]
    )


async def test_people_are_told_who_denied_an_undo(temporal: Client, tmp_path: Path) -> None:
    """By name."""
    lines = mail(1)
    rules = write(tmp_path / "rules", {"a_rule.yml": NOTIFYING})
    with web_receiver() as receiver:
        channels = webhook(receiver)
        async with deployed(
            temporal, simulated(lines), tmp_path, channels, judges_undo=True, rules=rules
        ) as deployment:
            page = await begin(deployment, *lines)
            await hold_of(deployment, page)
            undo = page.rpartition("/")[0]
            await UndoDecisions(temporal).deny(undo, person("bob"), "it is phishing")
            told = await eventually(lambda: _accepted(receiver, 2))

    (denied,) = [one for one in told if one["type"] == "undo.denied"]
    assert denied["data"]["decided_by"] == ["bob"]
    assert "Denied by bob" in denied["data"]["text"]


async def _accepted(receiver: WebReceiver, count: int) -> list[dict[str, Any]] | None:
    return receiver.accepted if len(receiver.accepted) == count else None


async def _returned(deployment: Deployment, count: int) -> bool | None:
    return len(returned(deployment)) == count or None


async def _moved(deployment: Deployment, count: int) -> bool | None:
    return len(rows(deployment, "move")) == count or None


async def _held_again(deployment: Deployment, page: str, before: UndoHold) -> UndoHold | None:
    held = await UndoDecisions(deployment.client).held()
    found = held.given.get(page.rpartition("/")[0])
    is_new = found is not None and found.assessment.digest != before.assessment.digest
    return found if is_new else None


async def test_people_are_told_once_what_was_undone(temporal: Client, tmp_path: Path) -> None:
    """With the counts, by whom and why."""
    lines = mail(2)
    rules = write(tmp_path / "rules", {"r.yml": TOLD_AFTER})
    with web_receiver() as receiver:
        async with deployed(
            temporal, simulated(lines), tmp_path, webhook(receiver), rules=rules
        ) as deployment:
            page = await begin(deployment, *lines)
            (told,) = await eventually(lambda: _accepted(receiver, 1))
            assert await total(UndoGateway(temporal), [page]) == UndoSummary(cases=1, done=2)

    assert told["type"] == "undo.undone"
    assert told["data"]["text"].startswith(
        "[high] Undo by ana: Undone: 2 taken back\nundo 1 case: 2 taken back\nReason: clean mail\n"
    )
    assert len(receiver.accepted) == 1


async def _notified(deployment: Deployment, page: str, count: int) -> bool | None:
    """Whether so many notifications about an undo are in the audit."""
    kinds = [one.kind for one in deployment.audit() if one.case == page]
    return kinds.count(RecordKind.NOTIFIED) == count or None
