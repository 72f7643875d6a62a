"""The published head of the audit: what a verifier can hold against the file later."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from clawback.audit import (
    AuditLog,
    AuditUnavailable,
    Broken,
    Head,
    Verified,
    read_public_keys,
    verify,
)
from clawback.services.audit_keeper import AuditKeeper
from clawback.settings import Settings
from clawback.telemetry import metrics
from tests.audit.test_audit import record


def keeper_of(folder: Path) -> AuditKeeper:
    """The keeper of an audit in this folder."""
    return AuditKeeper(Settings(audit=folder / "audit.jsonl"), lambda _: None)


def published(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The heads in the log."""
    return [str(one["head"]) for one in logs if one["event"] == "audit.head_published"]


async def test_a_head_is_published_everywhere_and_stays_true(tmp_path: Path) -> None:
    """The log, the metrics and people get one that `verify` finds, until lines are cut off."""
    keeper = keeper_of(tmp_path)
    path = tmp_path / "audit.jsonl"
    await keeper.look()
    assert keeper.published == ""

    keeper.log.append([record("a"), record("b")])
    with capture_logs() as logs:
        await keeper.look()
    (logged,) = published(logs)
    keys = read_public_keys(path.with_name("audit.jsonl.key"))
    heads = [Head.parse(logged), Head.parse(keeper.published)]
    assert isinstance(verify(path, keys, heads), Verified)
    assert metrics.REGISTRY.get_sample_value("clawback_audit_sequence") == 2
    assert metrics.REGISTRY.get_sample_value("clawback_audit_head_info", {"head": logged}) == 1

    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert isinstance(verify(path, keys, heads), Broken)


async def test_heads_are_published_at_a_bounded_rate(tmp_path: Path) -> None:
    """A burst gives one head, and one more for each file that is full."""
    keeper = keeper_of(tmp_path)
    keeper.log = AuditLog(tmp_path / "audit.jsonl", max_bytes=3000)
    with capture_logs() as logs:
        for number in range(10):
            keeper.log.append([record(f"r{number}")])
            await keeper.look()
    assert keeper.log.rotations > 1
    assert len(published(logs)) == 1 + keeper.log.rotations


async def test_an_audit_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    """It is said once more in the log each time; the keeper goes on."""
    (tmp_path / "file").touch()
    keeper = keeper_of(tmp_path / "file")
    with capture_logs() as logs:
        await keeper.look()
    assert [one["event"] for one in logs] == ["audit.head_unreadable"]


async def test_each_failed_write_counts_whoever_asked_for_it(tmp_path: Path) -> None:
    """Few records are written by the activity of the audit; the alert is about all of them."""
    keeper = keeper_of(tmp_path)
    before = metrics.REGISTRY.get_sample_value("clawback_audit_failures_total")
    assert before is not None
    (tmp_path / "audit.jsonl").mkdir()
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            await keeper.writer.append([record("a")])
    assert metrics.REGISTRY.get_sample_value("clawback_audit_failures_total") == before + 2
