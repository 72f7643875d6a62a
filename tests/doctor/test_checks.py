"""Checks against real servers and files, and the thresholds of their findings."""

import math
import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry, Gauge, Info
from temporalio.client import Client
from temporalio.service import ConnectConfig

from clawback.cloudflare import RateLimitStatus
from clawback.doctor.account_checks import clock_finding, rate_limit_finding
from clawback.doctor.check import CheckStatus, Finding, run_check
from clawback.doctor.file_checks import check_audit, check_privacy, check_rules
from clawback.doctor.identity_checks import check_provider_clock, provider_clock_finding
from clawback.doctor.suite import run_checks
from clawback.doctor.temporal_checks import (
    check_attributes,
    check_guard,
    check_pollers,
    check_temporal,
    check_watchdog,
    connection_findings,
    encryption_finding,
    poller_finding,
)
from clawback.doctor.worker_checks import (
    WorkerPage,
    check_health,
    check_never_block,
    check_running_rules,
)
from clawback.guard import Binding
from clawback.local.installation import plan_installation
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.settings import Settings
from clawback.simulator import Simulator, outbreak
from clawback.telemetry import serve_metrics
from clawback.temporal import names
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.key_ring import Key, KeyRing
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.watchdog import WATCHDOG_SCHEDULE, create_watchdog
from tests.cli.test_program import write_audit
from tests.identity.providers import CLIENT, local_provider
from tests.people import person
from tests.rules.folders import PLAIN, write
from tests.shipped import shipped_rules
from tests.workflows.deployment import RULES, deployed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def statuses(findings: Iterable[Finding]) -> list[CheckStatus]:
    return [one.status for one in findings]


def test_files_that_others_can_access_are_named(tmp_path: Path) -> None:
    """With the command that closes them; before the first start there is nothing to say."""
    settings = Settings(state=tmp_path / "state", audit=tmp_path / "audit.jsonl")
    assert statuses(check_privacy(settings)) == [CheckStatus.OK]
    (tmp_path / "audit.jsonl").touch()
    (tmp_path / "audit.jsonl").chmod(0o640)
    (finding,) = check_privacy(settings)
    assert finding.status is CheckStatus.WARNING
    assert str(finding.remedy).endswith(f"chmod go= {tmp_path}/audit.jsonl")


@pytest.mark.parametrize(
    ("host", "tls", "expected"),
    [
        ("temporal.test:7233", False, [CheckStatus.OK, CheckStatus.WARNING]),
        ("temporal.test:7233", True, [CheckStatus.OK]),
        ("127.0.0.1:7233", False, [CheckStatus.OK]),
        ("[::1]:7233", False, [CheckStatus.OK]),
        ("localhost:7233", False, [CheckStatus.OK]),
    ],
)
def test_a_server_elsewhere_needs_tls(host: str, tls: bool, expected: list[CheckStatus]) -> None:  # noqa: FBT001 - a parameter of the test
    """Without it, the doctor warns; a mesh may still encrypt the connection."""
    connection = ConnectConfig(target_host=host, tls=tls)
    assert statuses(connection_findings(connection, "default")) == expected


@pytest.mark.parametrize(
    ("encryption", "has_key", "status", "found"),
    [
        ("on", True, CheckStatus.OK, "encrypts; 1 key can read"),
        ("migrate", True, CheckStatus.WARNING, "without a key are accepted too"),
        ("off", False, CheckStatus.WARNING, "not encrypted"),
    ],
)
def test_it_says_what_encrypts(
    encryption: Literal["on", "migrate", "off"],
    has_key: bool,  # noqa: FBT001 - a parameter of the test
    status: CheckStatus,
    found: str,
) -> None:
    """The current key by its id, plaintext that is accepted, and no encryption at all."""
    keys = KeyRing([Key.generate()]) if has_key else None
    finding = encryption_finding(Settings(encryption=encryption), keys)
    assert finding.status is status
    assert found in finding.found


async def test_a_check_that_raises_is_one_row() -> None:
    """The exception becomes a problem in one line."""

    async def broken() -> list[Finding]:
        raise RuntimeError("no\nsuch luck")

    (finding,) = await run_check("luck", broken)
    assert (finding.check, finding.status) == ("luck", CheckStatus.PROBLEM)
    assert finding.found == "the check failed: RuntimeError: no such luck"


async def test_a_busy_machine_has_time_to_compile_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What waits for others is given up soon, compiling rules is not."""
    monkeypatch.setattr("clawback.doctor.suite.TIMEOUT", 0.0)
    monkeypatch.setenv("CLAWBACK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CLAWBACK_RULES", str(tmp_path / "rules"))
    (tmp_path / "rules").mkdir()
    shutil.copy(RULES / "bec" / "quarantine_bec.yml", tmp_path / "rules")
    (tmp_path / "rules" / "safety.yml").write_text("{}")

    findings = {finding.check: finding for finding in await run_checks()}
    assert findings["rules"].status is CheckStatus.OK
    assert findings["channels"].status is CheckStatus.OK
    assert findings["temporal"].found == "no answer within 0 s"


async def test_a_namespace_that_does_not_exist_is_one_problem(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that creates it, and not every check on the server failing."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    (finding,) = await check_temporal(Settings())
    assert (finding.check, finding.status) == ("temporal", CheckStatus.PROBLEM)
    assert finding.found.endswith("has no namespace nowhere")
    assert str(finding.remedy).startswith("create it with `temporal operator namespace create")


async def test_the_watchdog_is_missing_present_or_paused(temporal: Client) -> None:
    """A missing schedule is a problem; a pause is a warning with its reason."""
    assert statuses(await check_watchdog(temporal)) == [CheckStatus.PROBLEM]
    await create_watchdog(temporal, Binding(account="simulator", installation="one"))
    assert statuses(await check_watchdog(temporal)) == [CheckStatus.OK]
    assert statuses(await check_attributes(temporal)) == [CheckStatus.OK]
    await temporal.get_schedule_handle(WATCHDOG_SCHEDULE).pause(note="moving house")
    (finding,) = await check_watchdog(temporal)
    assert (finding.status, finding.found) == (
        CheckStatus.WARNING,
        "the schedule is paused: moving house",
    )


async def test_the_kill_switch_says_who_stopped_and_whose_namespace_it_is(
    temporal: Client, tmp_path: Path
) -> None:
    """A missing or lost guard is a problem, a stop a warning with its reason."""
    guard, settings = GuardGateway(temporal), Settings(state=tmp_path)
    assert statuses(await check_guard(guard, settings)) == [CheckStatus.PROBLEM]
    async with deployed(temporal, Simulator(), tmp_path):
        assert statuses(await check_guard(guard, settings)) == [CheckStatus.OK]
        await guard.stop(person("ana"), "too much")
        (finding,) = await check_guard(guard, settings)
        assert (finding.status, finding.found) == (
            CheckStatus.WARNING,
            "containment is stopped by ana: too much",
        )
        other = Settings(state=tmp_path, cloudflare_account_id="acc")
        (_, foreign) = await check_guard(guard, other)
        assert (foreign.check, foreign.status) == ("account", CheckStatus.PROBLEM)
        await temporal.get_workflow_handle(names.GUARD_ID).terminate()
        (finding,) = await check_guard(guard, settings)
        assert (finding.status, "lost" in finding.found) == (CheckStatus.PROBLEM, True)


async def test_pollers_are_missing_polling_or_paused(temporal: Client, tmp_path: Path) -> None:
    """No poller at all is a problem; a paused one is a warning."""
    settings = Settings(state=tmp_path)
    assert statuses(await check_pollers(PollerGateway(temporal), settings)) == [CheckStatus.PROBLEM]
    simulator = Simulator()
    simulator.add(outbreak(3))
    async with deployed(temporal, simulator, tmp_path) as installation:
        await installation.poll()
        (finding,) = await check_pollers(installation.pollers, settings)
        assert (finding.check, finding.status) == ("poller message", CheckStatus.OK)
        assert "3 seen" in finding.found
        await installation.pollers.pause(EventKind.MESSAGE, person("ana"), "holidays")
        (finding,) = await check_pollers(installation.pollers, settings)
    assert finding.status is CheckStatus.WARNING
    assert "holidays" in finding.found


@pytest.mark.parametrize(
    ("state", "age", "status"),
    [
        ("polling", 10, CheckStatus.OK),
        ("polling", 600, CheckStatus.PROBLEM),
        ("degraded", 10, CheckStatus.PROBLEM),
        ("paused", 600, CheckStatus.WARNING),
    ],
)
def test_how_a_poller_is_judged(state: str, age: int, status: CheckStatus) -> None:
    """By its state, then by the age of its last complete poll."""
    poller = PollerStatus(
        source=EventKind.MESSAGE,
        state=state,
        cursor=NOW,
        drained_at=NOW - timedelta(seconds=age),
        detail="why",
    )
    assert poller_finding(poller, NOW, Settings()).status is status


async def test_the_worker_is_checked_through_its_pages() -> None:
    """A worker with other rules, or that refused them, is a warning; 503 is a problem."""
    registry, problems = CollectorRegistry(), list[str]()
    refused = Gauge("clawback_rules_refused", "1 while refused.", registry=registry)
    version = Info("clawback_rules", "The version.", registry=registry)
    version.info({"version": shipped_rules().version})
    with serve_metrics(
        "127.0.0.1:0", health=lambda: problems[0] if problems else None, registry=registry
    ) as server:
        page = WorkerPage(plan_installation(Settings(metrics=f"0.0.0.0:{server.port}")))
        assert statuses(await check_health(page)) == [CheckStatus.OK]
        assert statuses(await check_running_rules(page, RULES)) == [CheckStatus.OK]
        version.info({"version": "0ther"})
        assert "the worker runs 0ther" in next(iter(await check_running_rules(page, RULES))).found
        refused.set(1)
        assert "refused the rules" in next(iter(await check_running_rules(page, RULES))).found
        problems.append("no complete poll of message for 3m")
        (finding,) = await check_health(page)
    assert finding.status is CheckStatus.PROBLEM
    assert finding.found.endswith("/healthz: no complete poll of message for 3m")


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        (0, CheckStatus.OK),
        (-4, CheckStatus.OK),
        (30, CheckStatus.WARNING),
        (-30, CheckStatus.WARNING),
        (600, CheckStatus.PROBLEM),
    ],
)
def test_how_a_clock_is_judged(seconds: int, status: CheckStatus) -> None:
    """Seconds are noise, half a minute is a warning, ten minutes are a problem."""
    assert clock_finding(timedelta(seconds=seconds)).status is status


@pytest.mark.parametrize(
    ("seconds", "status", "what"),
    [
        (-29, CheckStatus.OK, "within 30 s"),
        (45, CheckStatus.WARNING, "45 s ahead of"),
        (61, CheckStatus.PROBLEM, "expired before they are"),
        (-61, CheckStatus.PROBLEM, "not valid yet"),
    ],
)
def test_how_the_clock_of_a_provider_is_judged(
    seconds: float, status: CheckStatus, what: str
) -> None:
    """By the leeway of tokens, and by what each direction breaks."""
    finding = provider_clock_finding("the identity provider", timedelta(seconds=seconds))
    assert finding.status is status
    assert what in finding.found


async def test_the_clock_of_each_provider_is_read() -> None:
    """From the date of any answer; one that does not answer is a problem."""
    assert await check_provider_clock(Settings()) == []
    with local_provider() as provider:
        set_ = Settings(
            identity_issuer=provider.url,
            identity_client_id=CLIENT,
            identity_access_team=provider.url,
            identity_access_audience="x",
        )
        assert statuses(await check_provider_clock(set_)) == [CheckStatus.OK, CheckStatus.OK]
    found = await check_provider_clock(set_)
    assert statuses(found) == [CheckStatus.PROBLEM, CheckStatus.PROBLEM]


@pytest.mark.parametrize(
    ("left", "status"),
    [(1_200, CheckStatus.OK), (120, CheckStatus.OK), (119, CheckStatus.WARNING)],
)
def test_how_the_rate_limit_is_judged(left: int, status: CheckStatus) -> None:
    """Less than a tenth left is a warning."""
    assert (
        rate_limit_finding(
            RateLimitStatus(left, 1_200, timedelta(seconds=200), 0, timedelta())
        ).status
        is status
    )


def test_the_end_of_a_long_audit_is_checked(tmp_path: Path) -> None:
    """A removed line near the end is found; an incomplete last line is no damage."""
    path = write_audit(tmp_path / "audit.jsonl", 3_000)
    settings = Settings(audit=path)
    assert path.stat().st_size > 1024 * 1024
    assert statuses(check_audit(settings)) == [CheckStatus.OK]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + b'{"half')
    assert statuses(check_audit(settings)) == [CheckStatus.OK]
    path.write_bytes(b"".join(lines[:-5] + lines[-4:]))
    (finding,) = check_audit(settings)
    assert "lines are missing or were moved" in finding.found


async def test_the_never_block_list_is_checked_through_the_worker() -> None:
    """No or unknown own domains and forbidden blocks are warnings with their remedy."""
    registry = CollectorRegistry()
    domains, forbidden = (
        Gauge("clawback_own_domains", "", registry=registry),
        Gauge("clawback_blocks_forbidden", "", registry=registry),
    )
    domains.set(3)
    with serve_metrics("127.0.0.1:0", registry=registry) as server:
        page = WorkerPage(plan_installation(Settings(metrics=f"127.0.0.1:{server.port}")))
        assert statuses(await check_never_block(page)) == [CheckStatus.OK, CheckStatus.OK]
        domains.set(0)
        (none, _) = await check_never_block(page)
        assert none.status is CheckStatus.WARNING
        assert "the account has no domains" in none.found
        domains.set(math.nan)
        forbidden.set(2)
        unknown, against = await check_never_block(page)
        assert (unknown.status, against.status) == (CheckStatus.WARNING, CheckStatus.WARNING)
        assert "never_block.suffixes" in (unknown.remedy or "")
        assert "clawback block lift --forbidden" in (against.remedy or "")


def test_limits_that_the_worker_could_change_are_reported(tmp_path: Path) -> None:
    """They are apart from the rules, but not from whoever runs the worker."""
    rules = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    (rules / "safety.yml").unlink()
    outside = tmp_path / "limits.yml"
    outside.write_text("allow: {stable: []}\n")
    found, weakened, *writable = check_rules(rules, outside)
    assert (found.status, weakened.status) == (CheckStatus.OK, CheckStatus.WARNING)
    assert "1 rule: a_rule" in weakened.found
    # Root may write everywhere, which says nothing about the user of the worker.
    assert statuses(writable) == ([] if os.geteuid() == 0 else [CheckStatus.WARNING])
