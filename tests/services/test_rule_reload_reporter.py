"""Reloads in metric and audit: a refusal is shown until it is over, and its end is recorded."""

from pathlib import Path

from clawback.audit import AuditLog, AuditWriter, read_records
from clawback.model.audit_record import RecordKind
from clawback.rules.live import LiveRules
from clawback.services.rule_reload_reporter import RuleReloadReporter
from clawback.telemetry import metrics
from tests.rules.folders import PLAIN, block, write


async def test_a_refusal_ends_with_the_same_good_file(tmp_path: Path) -> None:
    """Good, bad and the same good file again: the gauge that an alert watches goes back to 0."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    live = LiveRules.load(folder)
    audit = AuditWriter(AuditLog(tmp_path / "audit.jsonl"), lambda _: None)
    reporter, seen = RuleReloadReporter(live, audit), []
    for text in (f"{PLAIN}oops: [\n", PLAIN):
        write(folder, {"a_rule.yml": text})
        change = await live.reload_if_changed()
        assert change is not None
        await reporter.report(change)
        seen.append(metrics.REGISTRY.get_sample_value("clawback_rules_refused"))

    assert seen == [1, 0]
    records = list(read_records(tmp_path / "audit.jsonl"))
    assert [record.kind for record in records] == [
        RecordKind.RULES_REFUSED,
        RecordKind.RULES_LOADED,
    ]
    assert records[1].detail == f"{live.current.version} is on the disk again; the refusal is over"


async def test_building_blocks_alone_count_as_no_rule(tmp_path: Path) -> None:
    """They load and contain nothing, which ClawbackNoRules is about."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    live = LiveRules.load(folder)
    audit = AuditWriter(AuditLog(tmp_path / "audit.jsonl"), lambda _: None)
    (folder / "a_rule.yml").unlink()
    write(folder, {"a_block.yml": block("sel: {from: a@x.test}\ncondition: sel")})
    change = await live.reload_if_changed()
    assert change is not None
    assert change.new is not None
    await RuleReloadReporter(live, audit).report(change)
    assert metrics.REGISTRY.get_sample_value("clawback_rules_loaded") == 0
