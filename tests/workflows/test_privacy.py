"""A whole installation on mail full of canaries: none reaches logs, metrics or Temporal's index."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import generate_latest
from temporalio.client import Client

from clawback.cloudflare import client as cloudflare_client
from clawback.cloudflare.http_client import open_http_client
from clawback.model.audit_record import RecordKind
from clawback.model.events import EventKind
from clawback.notifications.channel_file import parse_channels
from clawback.simulator import Simulator, SimulatorOptions
from clawback.telemetry.metrics import REGISTRY
from tests.cloudflare.support import closed_port, envelope, refusal
from tests.rules.folders import write
from tests.telemetry.log_capture import captured_logs, log_lines
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed

CANARY = "Zq7canary"
SUBJECT = f"{CANARY} overdue invoice"
ADDRESS = f"{CANARY}@corp.test"
ODD_IDS = (None, "", 7, True, [ADDRESS], {"id": ADDRESS})

RULE = """title: Everything malicious
name: a_rule
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  sel: {final_disposition: MALICIOUS}
  condition: sel
response:
  mode: enforce
  group-by: [from]
  actions:
    - move: {destination: JunkEmail}
    - reclassify: {disposition: SPAM}
    - block_sender: {pattern: "{from}", kind: email, expires_after: 1d}
    - notify: {channel: soc}
tests:
  - {name: malicious, event: {final_disposition: MALICIOUS, from: a@x.test}, expect: match}
  - {name: clean, event: {final_disposition: NONE, from: a@x.test}, expect: no match}
"""


def messages() -> Iterator[Any]:
    """One usable message, then records without an id, of wrong types, and no records at all."""
    now = datetime.now(UTC).isoformat()
    good = {
        "id": "4Njp3P0STMz2c02Q-2024-01-05T10:00:00-12345678",
        "postfix_id": "4Njp3P0STMz2c02Q",
        "message_id": f"<{ADDRESS}>",
        "final_disposition": "MALICIOUS",
        "delivery_mode": "API",
        "scanned_at": now,
        "subject": SUBJECT,
        "from": ADDRESS,
        "from_name": SUBJECT,
        "envelope_from": ADDRESS,
        "replyto": ADDRESS,
        "to": [ADDRESS],
        "envelope_to": [ADDRESS],
        "client_recipients": [ADDRESS],
        "detection_reasons": [SUBJECT],
        "properties": {"x": SUBJECT},
    }
    yield good
    yield from ({**good, "id": identity} for identity in ODD_IDS)
    yield {**good, "id": "f1", "scanned_at": SUBJECT, "to": {"to": ADDRESS}, "subject": [SUBJECT]}
    yield from (SUBJECT, [ADDRESS], None)


def answer(request: httpx.Request) -> httpx.Response:
    """The API: odd lists, and every write refused with an explanation that quotes mail."""
    endpoint = request.url.path.partition("/email-security/")[2]
    if request.method == "GET" and endpoint == "investigate":
        return envelope(list(messages()))
    if request.method == "GET" and endpoint in {"submissions", "phishguard/reports"}:
        return envelope([{"subject": SUBJECT, "requested_by": ADDRESS}, SUBJECT, {"id": [ADDRESS]}])
    if request.method == "GET" and endpoint.startswith("settings/"):
        return envelope([])
    return refusal(400, (1001, f"mailbox {ADDRESS} refuses {SUBJECT}"))


@pytest.fixture
def odd_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client of the worker talk to `answer`."""

    def open_client(*given: Any) -> httpx.AsyncClient:
        url, token, _, timeout = given
        return open_http_client(url, token, httpx.MockTransport(answer), timeout)

    monkeypatch.setattr(cloudflare_client, "open_http_client", open_client)


@pytest.mark.usefixtures("odd_api")
async def test_nothing_of_mail_reaches_logs_metrics_or_the_index(
    temporal: Client, tmp_path: Path
) -> None:
    """Odd records, refused actions and a notification that cannot be delivered."""
    rules = write(tmp_path / "rules", {"a_rule.yml": RULE})
    url = f"http://127.0.0.1:{closed_port()}/{CANARY}"
    channels = parse_channels({"soc": {"kind": "webhook", "url": url, "key": "whsec_" + "A" * 44}})
    with captured_logs() as logs:
        async with deployed(
            temporal, Simulator(SimulatorOptions()), tmp_path, channels, rules=rules
        ) as deployment:
            for source in EventKind:
                await deployment.poll(source)
            await eventually(lambda: _acted(deployment))
            await eventually(lambda: _logged(logs, "deliver"))
            index = await _index(temporal)

    assert "poll.page_read" in logs.getvalue()
    assert "audit.event_rejected" in logs.getvalue()
    assert "case.acted" in logs.getvalue()
    assert CANARY.lower() not in logs.getvalue().lower()
    assert CANARY.lower().encode() not in generate_latest(REGISTRY).lower()
    assert "case/a_rule/" in index
    assert CANARY.lower() not in index.lower()


async def _acted(deployment: Deployment) -> bool | None:
    kinds = [record.kind for record in deployment.audit()]
    return (RecordKind.ACTED in kinds and RecordKind.EVENT_REJECTED in kinds) or None


async def _logged(logs: io.StringIO, activity: str) -> bool | None:
    """Wait for a failed attempt of an activity."""
    lines = log_lines(logs)
    return any(activity in line.get("activity", "") and "error" in line for line in lines) or None


async def _index(client: Client) -> str:
    """Every workflow id and search attribute of the server."""
    rows = []
    async for workflow in client.list_workflows():
        attributes = {pair.key.name: pair.value for pair in workflow.typed_search_attributes}
        rows.append(f"{workflow.id} {workflow.workflow_type} {json.dumps(attributes, default=str)}")
    return "\n".join(rows)
