"""Notifications from a real Temporal server to real receivers."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook
from temporalio.client import Client

from clawback.actions import Move, Notify, Occasion, TellReporter
from clawback.cases import CasePlan, CaseState, CaseTiming, Delivery, Match
from clawback.model.audit_record import RecordKind
from clawback.model.events import EventKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.notifications import Channels
from clawback.notifications.channel_file import parse_channels
from clawback.simulator import Simulator, SimulatorOptions, outbreak, parse_faults
from tests.notifications.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver
from tests.notifications.samples import KEY
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of, unknown_match
from tests.workflows.test_submissions import acting, submission

SOC = Notify(channel="soc")


def webhook(receiver: WebReceiver) -> Channels:
    return parse_channels({"soc": {"kind": "webhook", "url": receiver.url, "key": KEY}})


def helpdesk(receiver: MailReceiver) -> Channels:
    """A mail channel without addresses of its own."""
    settings = {
        "kind": "mail",
        "host": "127.0.0.1",
        "port": receiver.port,
        "security": "none",
        "sender": "soc@own.example",
    }
    return parse_channels({"desk": settings})


def plan(*notifications: Notify | TellReporter, **changes: Any) -> CasePlan:
    """A plan that moves messages and notifies."""
    move = Move(destination=Destination.JUNK)
    return CasePlan(
        **{
            "rule": "r",
            "version": "v1",
            "mode": Mode.ENFORCE,
            "actions": (move,),
            "notifications": notifications or (SOC,),
            **changes,
        }
    )


def simulated(count: int, faults: str = "") -> tuple[Simulator, list[Match]]:
    """A simulator with mail, and the matches of that mail."""
    simulator = Simulator(SimulatorOptions(rate=None, faults=parse_faults(faults), seed=5))
    lines = list(outbreak(count))
    simulator.add(lines)
    return simulator, [match_of(line) for line in lines]


async def outcomes(deployment: Deployment, case: CasePlan, count: int = 1) -> Sequence[Delivery]:
    """Wait until the case knows the outcomes of `count` notifications."""

    async def ended() -> Sequence[Delivery] | None:
        memory = (await deployment.cases.status(case.case_id)).snapshot
        return (
            memory.notifications
            if memory and sum(bool(one.outcome) for one in memory.notifications) == count
            else None
        )

    return await eventually(ended)


async def test_a_receiver_that_fails_three_times_gets_one_notification_and_no_action_is_repeated(
    temporal: Client, tmp_path: Path
) -> None:
    """The notification is signed and reports the real outcomes."""
    simulator, matches = simulated(3, "lost_answer=0.3")
    with web_receiver(500, 503, 429, retry_after="1") as receiver:
        async with deployed(temporal, simulator, tmp_path, webhook(receiver)) as deployment:
            await deployment.signal_case(plan(), *matches, _handled())
            (delivery,) = await outcomes(deployment, plan())
            assert (delivery.occasion, delivery.outcome) == (Occasion.DONE, "notified")
            moved = [row["id"] for row in deployment.ledger]
            assert sorted(moved) == sorted(
                target.id for match in matches for target in match.targets
            )
            (record,) = [
                record for record in deployment.audit() if record.kind is RecordKind.NOTIFIED
            ]
            assert (record.action, record.target, record.outcome) == ("notify", "soc", "notified")
    assert len(receiver.accepted) == 1
    assert len(receiver.requests) == 4
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    payloads = [Webhook(KEY).verify(body, headers) for headers, body in receiver.requests]
    assert payloads[-1]["data"]["done"] == [
        {"action": "move to JunkEmail", "outcomes": {"moved": 3, "already_there": 1}}
    ]


async def test_a_notification_that_cannot_arrive_does_not_fail_its_case(
    temporal: Client, tmp_path: Path
) -> None:
    """The case closes as usual; its snapshot has the failure."""
    simulator, matches = simulated(1)
    pace = CaseTiming(linger=timedelta(seconds=2))
    with web_receiver(404) as receiver:
        async with deployed(temporal, simulator, tmp_path, webhook(receiver)) as deployment:
            await deployment.signal_case(plan(), *matches, pace=pace)
            assert (
                await deployment.client.get_workflow_handle(plan().case_id).result()
                == CaseState.CLOSED
            )
            assert [one.outcome for one in await outcomes(deployment, plan())] == [
                "failed:status_404"
            ]
            assert [row["operation"] for row in deployment.ledger] == ["move"]


async def test_a_held_case_notifies_when_held_and_when_done(
    temporal: Client, tmp_path: Path
) -> None:
    """The second notification names the approver."""
    simulator, matches = simulated(2)
    asking = plan(mode=Mode.APPROVE)
    with web_receiver() as receiver:
        async with deployed(temporal, simulator, tmp_path, webhook(receiver)) as deployment:
            await deployment.signal_case(asking, *matches)
            await outcomes(deployment, asking)
            assert deployment.ledger == []
            shown = await deployment.cases.proposal(asking.case_id)
            await deployment.cases.approve(asking.case_id, person("ana"), shown.digest)
            await outcomes(deployment, asking, 2)
    held, done = receiver.accepted
    assert (held["type"], held["data"]["reason"]) == ("case.held", "the rule asks for approval")
    assert (done["type"], done["data"]["decided_by"]) == ("case.done", ["ana"])


async def test_a_screenshot_is_sent_or_its_absence_is_explained(
    temporal: Client, tmp_path: Path
) -> None:
    """A notification never waits for a screenshot."""
    simulator, matches = simulated(1)
    notify = (Notify(channel="soc", screenshot=True),)
    known, unknown = (
        plan(*notify, group={"edf_hash": "a"}),
        plan(*notify, group={"edf_hash": "b"}),
    )
    with web_receiver() as receiver:
        async with deployed(temporal, simulator, tmp_path, webhook(receiver)) as deployment:
            await deployment.signal_case(known, *matches)
            await outcomes(deployment, known)
            await deployment.signal_case(unknown, _handled())
            await outcomes(deployment, unknown)
            details = [
                record.detail for record in deployment.audit() if record.kind is RecordKind.NOTIFIED
            ]
    first, second = receiver.accepted
    assert base64.b64decode(first["data"]["screenshot"]).startswith(b"\x89PNG")
    assert second["data"]["screenshot"] is None
    assert "No screenshot of the message: NotFound." in second["data"]["text"]
    assert details == [None, "No screenshot of the message: NotFound."]


async def test_a_webhook_for_tickets_carries_the_whole_case(
    temporal: Client, tmp_path: Path
) -> None:
    """One id for each notification, and one for all of the campaign."""
    simulator, matches = simulated(2)
    asking = plan(mode=Mode.APPROVE)
    with web_receiver() as receiver:
        settings = {"kind": "webhook", "url": receiver.url, "key": KEY, "payload": "case"}
        channels = parse_channels({"soc": settings})
        async with deployed(temporal, simulator, tmp_path, channels) as deployment:
            await deployment.signal_case(asking, *matches)
            await outcomes(deployment, asking)
            shown = await deployment.cases.proposal(asking.case_id)
            await deployment.cases.approve(asking.case_id, person("ana"), shown.digest)
            await outcomes(deployment, asking, 2)
    held, done = (body["data"] for body in receiver.accepted)
    assert held["document"]["hold"]["digest"] == shown.digest
    assert [one["outcomes"] for one in done["document"]["messages"]] == [{"move": "moved"}] * 2
    assert done["document"]["decisions"][0]["by"] == "ana"
    assert held["uid"] == done["uid"] == done["document"]["uid"]


async def test_reporters_get_one_mail_and_only_inside_the_account(
    temporal: Client, tmp_path: Path
) -> None:
    """No address is in a workflow id or in the audit."""
    simulator, matches = simulated(4)
    asking = plan(TellReporter(channel="desk"))
    reporters = ["u@own.example", "u@own.example", "V@own.example", "x@elsewhere.example"]
    reported = [
        match.model_copy(update={"reporter": who})
        for match, who in zip(matches, reporters, strict=True)
    ]
    async with (
        mail_receiver() as receiver,
        deployed(temporal, simulator, tmp_path, helpdesk(receiver)) as deployment,
    ):
        deployment.services.never_block._rules.protect_own_domains(frozenset({"own.example"}))
        await deployment.signal_case(asking, *reported)
        deliveries = await outcomes(deployment, asking, 3)
        assert [one.outcome for one in deliveries] == [
            "notified",
            "notified",
            "failed:not_our_domain",
        ]
        await deployment.signal_case(
            asking, reported[0].model_copy(update={"key": "message/again"})
        )
        await eventually(lambda: _joined(deployment, asking, 5))
        assert sorted(receiver.recipients) == [["V@own.example"], ["u@own.example"]]
        ids = [
            found.id
            async for found in deployment.client.list_workflows("WorkflowType = 'notification'")
        ]
        assert len(ids) == 3
        assert (
            "example" not in f"{ids}{[record.model_dump_json() for record in deployment.audit()]}"
        )


async def test_the_reporter_of_a_confirmed_submission_gets_a_mail(
    temporal: Client, tmp_path: Path
) -> None:
    """From the polled submission to the mail, which reports the outcome."""
    (line,) = outbreak(1, disposition="NONE")
    rules = acting(tmp_path / "rules", "quarantine_confirmed_submission")
    file = rules / "quarantine_confirmed_submission.yml"
    file.write_text(
        file.read_text().replace("  limits:", "    - tell_reporter: {channel: desk}\n  limits:")
    )
    simulator = Simulator(SimulatorOptions(rate=None))
    simulator.add([line])
    async with (
        mail_receiver() as receiver,
        deployed(
            temporal, simulator, tmp_path / "state", helpdesk(receiver), rules=rules
        ) as deployment,
    ):
        reporter = line["message"]["client_recipients"][0]
        deployment.services.never_block._rules.protect_own_domains(
            frozenset({reporter.partition("@")[2]})
        )
        deployment.simulator.add(
            [
                submission(
                    line, outcome_disposition="MALICIOUS", outcome="accepted", status="completed"
                )
            ]
        )
        await deployment.poll(EventKind.SUBMISSION)
        await eventually(lambda: _mailed(receiver))
    assert receiver.recipients == [[reporter]]
    assert "move to RecoverableItemsDeletions: 1 moved" in receiver.mails[0].get_content()


async def test_shadow_mode_notifies_nobody(temporal: Client, tmp_path: Path) -> None:
    """The audit says that it would have."""
    simulator, matches = simulated(1)
    with web_receiver() as receiver:
        async with deployed(temporal, simulator, tmp_path, webhook(receiver)) as deployment:
            await deployment.signal_case(plan(mode=Mode.SHADOW), *matches)
            await eventually(lambda: _would(deployment, ["move", "notify"]))
    assert receiver.requests == []


def _handled() -> Match:
    return unknown_match("4none-2026-01-01T00:00:00-1").model_copy(update={"handled": True})


async def _would(deployment: Deployment, actions: list[str]) -> bool | None:
    return [
        record.action for record in deployment.audit() if record.kind is RecordKind.WOULD_HAVE_ACTED
    ] == actions or None


async def _mailed(receiver: MailReceiver) -> bool | None:
    return bool(receiver.mails) or None


async def _joined(deployment: Deployment, case: CasePlan, count: int) -> bool | None:
    memory = (await deployment.cases.status(case.case_id)).snapshot
    return (
        memory is not None and memory.state is CaseState.SETTLED and len(memory.events) == count
    ) or None
