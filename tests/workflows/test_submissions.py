"""Submissions on a real server, against the simulator.

What people submit and what reviews come to is acted on, our own is not.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio.client import Client

from clawback.cloudflare import Resubmission
from clawback.model.events import EventKind
from clawback.model.messages import Disposition
from clawback.services.configuration import connect_api
from clawback.simulator import Simulator, SimulatorOptions, outbreak, parse_faults
from clawback.temporal.correlation_gateway import CorrelationGateway
from tests.waiting import eventually
from tests.workflows.deployment import RULES, Deployment, deployed

LOGSOURCE = "logsource: {product: cloudflare, service: email_security, category: submission}"
FOLLOW = f"""
title: Follow the submissions of a threat
id: 6a3dfb6e-3f0c-4f04-9d0f-0d4b1a4d2c21
name: follow
status: stable
{LOGSOURCE}
detection: {{sel: {{requested_disposition: MALICIOUS}}, condition: sel}}
level: high
response: {{mode: enforce, actions: [move: {{destination: JunkEmail}}]}}
tests:
  - {{name: a threat, event: {{requested_disposition: MALICIOUS}}, expect: match}}
  - {{name: none, event: {{requested_disposition: SPAM}}, expect: no match}}
"""
RECLASSIFY = """
title: Tell Cloudflare of what it missed
id: 6a3dfb6e-3f0c-4f04-9d0f-0d4b1a4d2c22
name: tell
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection: {sel: {final_disposition: SUSPICIOUS}, condition: sel}
level: high
response: {mode: enforce, actions: [reclassify: {disposition: MALICIOUS}]}
tests:
  - {name: suspicious, event: {final_disposition: SUSPICIOUS}, expect: match}
  - {name: clean, event: {final_disposition: NONE}, expect: no match}
"""
COUNT = f"""
title: A submission
name: submitted
{LOGSOURCE}
detection: {{sel: {{requested_disposition: MALICIOUS}}, condition: sel}}
---
title: Two submissions of a campaign
id: 6a3dfb6e-3f0c-4f04-9d0f-0d4b1a4d2c23
name: two
status: stable
correlation:
  type: event_count
  rules: [submitted]
  group-by: [original_edf_hash]
  timespan: 24h
  condition: {{gte: 2}}
level: high
response: {{mode: enforce, actions: [move: {{destination: JunkEmail}}]}}
tests:
  - name: two of them
    events:
      - {{at: 0h, requested_disposition: MALICIOUS, original_edf_hash: aa}}
      - {{at: 1h, requested_disposition: MALICIOUS, original_edf_hash: aa}}
    expect: {{fires: 1}}
  - name: one
    events: [{{at: 0h, requested_disposition: MALICIOUS, original_edf_hash: aa}}]
    expect: {{fires: 0}}
"""


def simulated(lines: list[dict[str, Any]], faults: str = "", **options: Any) -> Simulator:
    """Build a simulator that holds these messages."""
    simulator = Simulator(
        replace(SimulatorOptions(rate=None, **options), faults=parse_faults(faults))
    )
    simulator.add(lines)
    return simulator


def submission(line: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Build the submission of a message by its recipient, a minute ago."""
    message = line["message"]
    record = {
        "submission_id": f"of {message['id']}",
        "requested_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "requested_by": message["client_recipients"][0],
        "requested_disposition": "MALICIOUS",
        "original_disposition": "NONE",
        "outcome_disposition": None,
        "status": "submitted",
        "type": "User",
        "subject": message["subject"],
        "customer_status": "unreviewed",
        "original_postfix_id": message["postfix_id"],
        "original_edf_hash": message["edf_hash"],
    }
    return {"submission": {**record, **changes}}


def acting(folder: Path, name: str) -> Path:
    """Put one shipped rule, and those that it counts, into a folder of its own, where it acts."""
    text = (RULES / "submissions" / f"{name}.yml").read_text()
    counted = yaml.safe_load(text).get("correlation", {}).get("rules", [])
    parts = {one: (RULES / "submissions" / f"{one}.yml").read_text() for one in counted}
    stable = text.replace("status: experimental", "status: stable")
    return written(folder, {**parts, name: stable.replace("mode: shadow", "mode: enforce")})


def written(folder: Path, rules: Mapping[str, str]) -> Path:
    """Write rules into a folder of their own."""
    folder.mkdir()
    for name, text in {"safety": "{}", **rules}.items():
        (folder / f"{name}.yml").write_text(text)
    return folder


def moves(deployment: Deployment) -> list[tuple[str, str]]:
    """What was moved and where to, in order."""
    return [
        (row["id"], row["destination"]) for row in deployment.ledger if row["operation"] == "move"
    ]


async def test_a_campaign_that_three_people_submit_is_moved(
    temporal: Client, tmp_path: Path
) -> None:
    """Two of them change nothing; with the third, each one's copy goes."""
    lines = list(outbreak(3, disposition="NONE"))
    rules = acting(tmp_path / "rules", "junk_widely_submitted")
    async with deployed(temporal, simulated(lines), tmp_path / "state", rules=rules) as deployment:
        deployment.simulator.add([submission(line) for line in lines[:2]])
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 2
        assert moves(deployment) == []
        deployment.simulator.add([submission(lines[2])])
        await deployment.poll(EventKind.SUBMISSION)
        await eventually(lambda: _moved(deployment, 3))
        assert sorted(moves(deployment)) == sorted(
            (line["message"]["id"], "JunkEmail") for line in lines
        )


async def test_mail_beyond_the_age_limit_is_left_alone_whenever_it_is_submitted(
    temporal: Client, tmp_path: Path
) -> None:
    """Of two that are submitted now, the one that came four days ago stays where it is."""
    old = list(outbreak(1, disposition="NONE", start=datetime.now(UTC) - timedelta(days=4)))
    new = list(outbreak(1, seed=1, disposition="NONE"))
    rules = written(tmp_path / "rules", {"follow": FOLLOW})
    async with deployed(
        temporal, simulated([*old, *new]), tmp_path / "state", rules=rules, age_limit="72h"
    ) as deployment:
        deployment.simulator.add([submission(line) for line in (*old, *new)])
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 1
        await eventually(lambda: _moved(deployment, 1))
        await deployment.idle()
        assert moves(deployment) == [(new[0]["message"]["id"], "JunkEmail")]


async def test_a_verdict_that_changed_takes_the_message_out(
    temporal: Client, tmp_path: Path
) -> None:
    """The submission alone changes nothing.

    The outcome of its review, which comes later, does, and once.
    """
    (line,) = outbreak(1, disposition="NONE")
    rules = acting(tmp_path / "rules", "quarantine_confirmed_submission")
    async with deployed(temporal, simulated([line]), tmp_path / "state", rules=rules) as deployment:
        deployment.simulator.add([submission(line)])
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 0
        deployment.simulator.add(
            [
                submission(
                    line, outcome_disposition="MALICIOUS", outcome="accepted", status="completed"
                )
            ]
        )
        await deployment.poll(EventKind.SUBMISSION)
        await eventually(lambda: _moved(deployment, 1))
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 1
        assert moves(deployment) == [(line["message"]["id"], "RecoverableItemsDeletions")]


async def test_what_a_review_found_harmless_goes_back(temporal: Client, tmp_path: Path) -> None:
    """A review that finds a moved message harmless returns it, even if the response is lost."""
    (line,) = outbreak(1, disposition="MALICIOUS")
    rules, asked = (
        acting(tmp_path / "rules", "restore_benign_submission"),
        {"requested_disposition": "NONE", "original_disposition": "MALICIOUS"},
    )
    async with (
        deployed(temporal, simulated([line]), tmp_path / "state", rules=rules) as deployment,
        connect_api(deployment.settings) as api,
    ):
        await api.move([line["message"]["id"]], "JunkEmail")
        deployment.simulator.add([submission(line, **asked)])
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 0
        deployment.simulator.add(
            [submission(line, outcome_disposition="NONE", outcome="accepted", **asked)]
        )
        deployment.simulator.account.faults.rates = parse_faults("lost_answer=0.4")
        await deployment.poll(EventKind.SUBMISSION)
        await eventually(lambda: _moved(deployment, 2))
        await deployment.idle()
        assert moves(deployment)[1:] == [(line["message"]["id"], "Inbox")]


async def test_what_we_submit_ourselves_never_comes_back_as_an_event(
    temporal: Client, tmp_path: Path
) -> None:
    """Neither while it is reviewed, nor after, nor for a worker that remembers nothing.

    What people submit of other mail does.
    """
    lines = [*outbreak(1, disposition="SUSPICIOUS"), *outbreak(1, seed=1, disposition="SPAM")]
    simulator = simulated(lines[:1], outcome_after=0.0)
    rules = written(tmp_path / "rules", {"follow": FOLLOW, "tell": RECLASSIFY})
    async with deployed(temporal, simulator, tmp_path / "state", rules=rules) as deployment:
        await deployment.poll()
        await eventually(lambda: _did(deployment, "reclassify"))
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 0
    async with (
        deployed(temporal, simulator, tmp_path / "state", rules=rules) as deployment,
        connect_api(deployment.settings) as api,
    ):
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 0
        assert moves(deployment) == []
        deployment.simulator.add(lines[1:])
        await deployment.poll()
        await api.submit([Resubmission(lines[1]["message"]["alert_id"], Disposition.MALICIOUS)])
        await deployment.poll(EventKind.SUBMISSION)
        await eventually(lambda: _moved(deployment, 1))
        assert moves(deployment) == [(lines[1]["message"]["id"], "JunkEmail")]


async def test_a_submission_that_changes_counts_once(temporal: Client, tmp_path: Path) -> None:
    """Three states of one submission are three events of one group, and no threshold of two.

    Another submission meets it.
    """
    lines = list(outbreak(2, disposition="NONE"))
    rules = written(tmp_path / "rules", {"two": COUNT})
    async with deployed(temporal, simulated(lines), tmp_path / "state", rules=rules) as deployment:
        for status in ("submitted", "processing", "completed"):
            deployment.simulator.add([submission(lines[0], status=status)])
            status_of_poller = await deployment.poll(EventKind.SUBMISSION)
        assert status_of_poller.matched == 3
        assert await eventually(lambda: _counted(deployment)) == (3, 1, 2)
        assert moves(deployment) == []
        deployment.simulator.add([submission(lines[1])])
        await deployment.poll(EventKind.SUBMISSION)
        await eventually(lambda: _moved(deployment, 2))


async def test_a_submission_without_its_message_is_still_seen_and_recorded(
    temporal: Client, tmp_path: Path
) -> None:
    """The rule matches it, the case has it, and that there was nothing to move is on record."""
    (line,) = outbreak(1, disposition="NONE")
    rules = written(tmp_path / "rules", {"follow": FOLLOW})
    async with deployed(temporal, simulated([]), tmp_path / "state", rules=rules) as deployment:
        deployment.simulator.add(
            [submission(line, requested_at=(datetime.now(UTC) - timedelta(minutes=10)).isoformat())]
        )
        assert (await deployment.poll(EventKind.SUBMISSION)).matched == 1
        await eventually(lambda: _recorded(deployment, "failed:no_message"))


@pytest.mark.parametrize("polled_before", [True, False])
async def test_submissions_of_one_campaign_cost_one_search_at_most(
    temporal: Client, tmp_path: Path, *, polled_before: bool
) -> None:
    """Two hundred people submit it.

    None where the messages went by lately, else one; what no rule wants costs nothing but its page.
    Clean mail does not go by: no rule here matches it, so polls ask for detections only.
    """
    lines = list(outbreak(200, disposition="SPAM" if polled_before else "NONE"))
    rules = written(tmp_path / "rules", {"follow": FOLLOW})
    async with deployed(temporal, simulated(lines), tmp_path / "state", rules=rules) as deployment:
        deployment.simulator.add([submission(line) for line in lines[:100]])
        deployment.simulator.add(
            [
                submission(line, requested_disposition="SPAM", subject=f"{n}")
                for n, line in enumerate(lines[100:])
            ]
        )
        if polled_before:
            await deployment.poll()
        before = deployment.requests("/investigate")
        status = await deployment.poll(EventKind.SUBMISSION)
        assert (status.seen, status.matched) == (200, 100)
        assert deployment.requests("/investigate") - before == (0 if polled_before else 1)
        await eventually(lambda: _moved(deployment, 100))
        assert deployment.requests("/submissions") == status.pages


@pytest.mark.parametrize("fault", ["500=0.3", "429=0.3", "malformed=0.3", "reset=0.3"])
async def test_no_fault_loses_a_submission(temporal: Client, tmp_path: Path, fault: str) -> None:
    """Whatever fails in pages and searches, the message of each submission is moved once."""
    lines = list(outbreak(30, disposition="NONE"))
    rules = written(tmp_path / "rules", {"follow": FOLLOW})
    async with deployed(
        temporal, simulated(lines, fault, seed=3), tmp_path / "state", rules=rules
    ) as deployment:
        deployment.simulator.add([submission(line) for line in lines])
        await deployment.poll(EventKind.SUBMISSION, page_size=10)
        await eventually(lambda: _moved(deployment, 30))
        assert len(moves(deployment)) == len(set(moves(deployment)))


async def _counted(deployment: Deployment) -> tuple[int, float, float] | None:
    windows = list((await CorrelationGateway(deployment.client).windows()).found)
    return next(((one.events, one.seen, one.wanted) for one in windows), None)


async def _moved(deployment: Deployment, count: int) -> bool | None:
    return len(moves(deployment)) >= count or None


async def _did(deployment: Deployment, operation: str) -> bool | None:
    return any(row["operation"] == operation for row in deployment.ledger) or None


async def _recorded(deployment: Deployment, outcome: str) -> bool | None:
    return any(record.outcome == outcome for record in deployment.audit()) or None
