"""`clawback rules list`.

What is loaded, how far it may go, when it last matched; with a server, with an audit, with neither.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.audit import AuditLog, latest_matches
from clawback.cases import CasePlan, CaseTiming, Match
from clawback.cli.exits import ExitCode
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from tests.cli.command import clawback
from tests.rules.folders import PLAIN, block, write
from tests.waiting import eventually

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
NOBODY = "127.0.0.1:9"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rule that responds and a building block."""
    folder = tmp_path / "rules"
    return write(
        folder, {"a_rule.yml": PLAIN, "a_block.yml": block("sel: {from: a}\ncondition: sel")}
    )


def listed(rules: Path, state: Path, **environment: str) -> dict[str, Any]:
    """The list as JSON; by default no server is there."""
    given = {"TEMPORAL_ADDRESS": NOBODY, "CLAWBACK_STATE": str(state), **environment}
    done = clawback("rules", "list", str(rules), "--json", **given)
    assert done.returncode == ExitCode.OK, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def record(number: int, kind: RecordKind, at: datetime, rule: str = "a_rule") -> AuditRecord:
    """One record of the audit."""
    return AuditRecord(id=f"r{number}", at=at, kind=kind, rule=rule)


def test_everything_about_a_rule_is_listed(rules: Path, tmp_path: Path) -> None:
    """Name, title, status, mode, level, kind, version, file and tests; a block has no mode."""
    a_block, a_rule = listed(rules, tmp_path, CLAWBACK_MODE="enforce")["rules"]
    assert len(a_rule.pop("version")) == 12
    assert a_rule == {
        "name": "a_rule",
        "title": "A rule",
        "status": "stable",
        "mode": "enforce",
        "mode_of_rule": "enforce",
        "level": "medium",
        "kind": "message",
        "correlation": None,
        "file": f"{rules}/a_rule.yml",
        "line": 1,
        "tests": 2,
        "clean_mail": True,
        "last_match": None,
    }
    assert (a_block["name"], a_block["mode"], a_block["tests"]) == ("a_block", None, 0)


def test_the_ceiling_counts(rules: Path, tmp_path: Path) -> None:
    """Against Cloudflare nothing acts until somebody says so.

    The rule's own mode is still shown.
    """
    token = {"CLOUDFLARE_API_TOKEN": "t", "CLOUDFLARE_ACCOUNT_ID": "a" * 32}
    answer = listed(rules, tmp_path, **token)
    assert answer["ceiling"] == "shadow"
    assert [(rule["mode"], rule["mode_of_rule"]) for rule in answer["rules"]] == [
        (None, None),
        ("shadow", "enforce"),
    ]
    assert listed(rules, tmp_path)["ceiling"] == "enforce"


def test_without_server_and_audit_nothing_is_known(rules: Path, tmp_path: Path) -> None:
    """It says so and does not fail; piped, each rule is one aligned line without colour."""
    done = clawback(
        "rules", "list", str(rules), TEMPORAL_ADDRESS=NOBODY, CLAWBACK_STATE=str(tmp_path)
    )
    head, *lines, summary, polling = done.stdout.splitlines()
    assert done.returncode == ExitCode.OK
    assert [line.split()[0] for line in (head, *lines)] == ["name", "a_block", "a_rule"]
    files = zip((head, *lines), ("file", f"{rules}/a_block", f"{rules}/a_rule"), strict=True)
    assert len({line.index(file) for line, file in files}) == 1
    assert lines[1][head.index("last match")] == "-"
    assert "\x1b" not in done.stdout
    assert "last matches unknown: no server, no audit" in summary
    assert polling == "polling reads clean mail too: 1 rule may match it (a_rule)"


def test_the_audit_knows_without_a_server(rules: Path, tmp_path: Path) -> None:
    """The newest match in the audit is shown where no server answers."""
    kinds = (RecordKind.CASE_OPENED, RecordKind.EVENT_JOINED, RecordKind.CASE_CLOSED)
    (tmp_path / "simulator").mkdir()
    audit = AuditLog(tmp_path / "simulator" / "audit.jsonl")
    audit.append(
        [record(number, kind, AT + timedelta(hours=number)) for number, kind in enumerate(kinds)]
    )
    answer = listed(rules, tmp_path)
    assert answer["rules"][1]["last_match"] == "2026-11-20T09:00:00Z"
    assert answer["last_match_from"].endswith("audit.jsonl")


def test_only_the_newest_part_of_the_audit_is_read(tmp_path: Path) -> None:
    """Reading is bounded, includes rotated files and skips broken lines."""
    path = tmp_path / "audit.jsonl"
    audit = AuditLog(path, max_bytes=20_000)
    for number in range(200):
        audit.append(
            [
                record(
                    number,
                    RecordKind.EVENT_JOINED,
                    AT + timedelta(minutes=number),
                    "old" if number < 50 else "new",
                )
            ]
        )
    with path.open("ab") as file:
        file.write(b'nonsense "event_joined"\n{"torn": "event_joined')
    assert len(list(tmp_path.glob("audit.jsonl.*"))) > 1
    assert latest_matches(path) == {
        "old": AT + timedelta(minutes=49),
        "new": AT + timedelta(minutes=199),
    }
    assert latest_matches(path, max_bytes=5_000) == {"new": AT + timedelta(minutes=199)}
    assert latest_matches(tmp_path / "nothing.jsonl") == {}


async def test_the_server_knows_best(temporal: Client, rules: Path, tmp_path: Path) -> None:
    """The newest case of a rule is its last match, whatever the audit says."""
    cases = CaseGateway(temporal)
    plan = CasePlan(rule="a_rule", version="v", group={"from": "a@x.test"})
    await cases.signal_matches(plan, [Match(key="message/1", at=AT, seen_at=AT)], CaseTiming())

    async def visible() -> datetime | None:
        return next(
            iter([line.opened_at for line in await cases.find(CaseFilter(rule="a_rule"))]), None
        )

    opened = await eventually(visible)
    address = temporal.service_client.config.target_host
    answer = await asyncio.to_thread(listed, rules, tmp_path, TEMPORAL_ADDRESS=address)
    assert answer["last_match_from"] == "Temporal"
    assert datetime.fromisoformat(answer["rules"][1]["last_match"]) == opened
