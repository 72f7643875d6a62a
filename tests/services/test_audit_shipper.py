"""Shipping: at least once, in order, through failures, crashes, rotation and compression."""

import asyncio
import gzip
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from clawback.audit import AuditLine, AuditLog, audit_files, compress_rotated, open_audit_file
from clawback.doctor.check import CheckStatus
from clawback.doctor.file_checks import check_collector
from clawback.services import audit_shipper
from clawback.services.audit_keeper import AuditKeeper
from clawback.services.audit_shipper import AuditShipper, build_shipper
from clawback.settings import Settings
from clawback.shipping import CollectorUnavailable, read_cursor
from clawback.telemetry import metrics
from tests.audit.test_audit import record
from tests.audit.test_retention import age
from tests.shipping.receivers import http_receiver
from tests.waiting import eventually


class Store:
    """A collector that fails before or after it has stored a batch, as it is told."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.plan: list[str] = []

    async def send(self, lines: Sequence[AuditLine]) -> None:
        """Store lines, or fail as planned."""
        step = self.plan.pop(0) if self.plan else "store"
        if step != "refuse":
            self.lines += [line.text for line in lines]
        if step != "store":
            raise CollectorUnavailable(step)


def written(path: Path) -> list[bytes]:
    """All lines of an audit."""
    lines: list[bytes] = []
    for file in audit_files(path):
        with open_audit_file(file) as content:
            lines += content
    return lines


async def drain(shipper: AuditShipper) -> None:
    """Ship until there is nothing left."""
    while await shipper.ship():
        pass


steps = st.lists(
    st.sampled_from(["write", "ship", "refuse", "lose", "crash", "compress"]), max_size=14
)


@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_every_line_arrives_in_order_whatever_happens(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Repeats are allowed; what is new comes in the order of the audit, and nothing is missing."""
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    log, store = AuditLog(path, max_bytes=2_000), Store()

    async def play() -> None:
        shipper = AuditShipper(path, store)
        for number, step in enumerate(steps):
            match step:
                case "write":
                    log.append([record(f"r{number}.{part}") for part in range(3)])
                case "compress":
                    compress_rotated(path)
                case "crash":
                    shipper = AuditShipper(path, store)
                case _:
                    store.plan = [{"refuse": "refuse", "lose": "lose"}.get(step, "store")]
                    try:
                        await shipper.ship()
                    except CollectorUnavailable:
                        assert step != "ship"
        store.plan = []
        await drain(shipper)

    log.append([record("first")])
    asyncio.run(play())
    assert list(dict.fromkeys(store.lines)) == written(path)


async def test_a_batch_is_bounded_and_the_cursor_survives(tmp_path: Path) -> None:
    """A restart sends what follows the cursor; a damaged cursor sends all again."""
    path, store = tmp_path / "audit.jsonl", Store()
    AuditLog(path).append([record(f"r{number}") for number in range(1_200)])
    shipper = AuditShipper(path, store)
    assert [await shipper.ship() for _ in range(4)] == [500, 500, 200, 0]
    assert read_cursor(path).sequence == 1_200

    AuditLog(path).append([record("next")])
    assert await AuditShipper(path, store).ship() == 1
    path.with_name("audit.jsonl.shipped").write_text("{")
    assert await AuditShipper(path, store).ship() == 500


async def test_an_audit_that_was_begun_anew_is_shipped_whole(tmp_path: Path) -> None:
    """Shorter or longer than the one before; the collector sees the break, and the log says it."""
    path, store = tmp_path / "audit.jsonl", Store()
    AuditLog(path).append([record(f"r{number}") for number in range(5)])
    await drain(AuditShipper(path, store))
    for count in (3, 9):
        path.unlink()
        AuditLog(path).append([record(f"n{count}.{number}") for number in range(count)])
        store.lines = []
        with capture_logs() as logs:
            await drain(AuditShipper(path, store))
        assert store.lines == written(path)
        assert [one["event"] for one in logs] == ["audit.shipping_gap"]


async def test_of_two_processes_one_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other takes over when it ends, and repeats nothing."""
    monkeypatch.setattr(audit_shipper, "LOOK_EVERY", timedelta(milliseconds=20))
    path, store = tmp_path / "audit.jsonl", Store()
    log = AuditLog(path)
    log.append([record("a")])
    tasks = [asyncio.create_task(AuditShipper(path, store).watch()) for _ in range(2)]

    async def has(count: int) -> bool | None:
        await asyncio.sleep(0)
        return len(store.lines) >= count or None

    await eventually(lambda: has(1))
    log.append([record("b")])
    await eventually(lambda: has(2))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert store.lines == written(path)


async def test_a_collector_that_is_down_is_said_once_and_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In log, metrics and doctor; writing goes on, and all arrives when it is back."""
    monkeypatch.setattr(audit_shipper, "FIRST_PAUSE", timedelta(milliseconds=1))
    monkeypatch.setattr(audit_shipper, "LONGEST_PAUSE", timedelta(milliseconds=5))
    monkeypatch.setattr(audit_shipper, "LOOK_EVERY", timedelta(milliseconds=20))
    path, store = tmp_path / "audit.jsonl", Store()
    log = AuditLog(path)
    log.append([record(f"r{number}") for number in range(3)])
    store.plan = ["refuse"] * 5
    configured = Settings(audit=path, audit_collector="http://127.0.0.1:9/")
    with capture_logs() as logs:
        task = asyncio.create_task(AuditShipper(path, store).watch())
        (finding,) = check_collector(configured)
        assert (finding.status, "3 lines" in finding.found) == (CheckStatus.WARNING, True)

        async def arrived() -> bool | None:
            await asyncio.sleep(0)
            return (not store.plan and read_cursor(path).sequence == 3) or None

        await eventually(arrived)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert [one["event"] for one in logs] == [
        "audit.collector_unavailable",
        "audit.collector_recovered",
    ]
    (finding,) = check_collector(configured)
    assert finding.status is CheckStatus.OK
    assert metrics.REGISTRY.get_sample_value("clawback_audit_unshipped_seconds") is not None


async def test_the_next_batch_has_the_new_token(tmp_path: Path) -> None:
    """A token that was never there is trouble that is tried again, not the end of shipping."""
    path, file = tmp_path / "audit.jsonl", tmp_path / "token"
    with http_receiver() as receiver:
        shipper = build_shipper(
            Settings(audit=path, audit_collector=receiver.url, audit_collector_token_file=file)
        )
        assert shipper is not None
        AuditLog(path).append([record("r0")])
        with pytest.raises(CollectorUnavailable, match="cannot read the collector token"):
            await shipper.ship()
        for number, token in enumerate(("first", "second"), start=1):
            file.write_text(f"{token}\n")
            AuditLog(path).append([record(f"r{number}")])
            await drain(shipper)
            assert receiver.headers[-1]["authorization"] == f"Bearer {token}"
    assert receiver.accepted == written(path)


async def test_nothing_is_removed_before_the_collector_has_it(tmp_path: Path) -> None:
    """However old it is. What it has goes."""
    path = tmp_path / "audit.jsonl"
    with http_receiver() as receiver:
        configured = Settings(
            audit=path,
            audit_file_bytes=10_000,
            audit_keep=timedelta(days=30),
            audit_collector=receiver.url,
        )
        keeper = AuditKeeper(configured, lambda _: None)
        for number in range(60):
            keeper.log.append([record(f"r{number}")])
        age(audit_files(path)[:-1], days=40)
        files = len(audit_files(path))
        keeper.tidy()
        assert len(audit_files(path)) == files

        shipper = build_shipper(configured)
        assert shipper is not None
        before = written(path)
        await drain(shipper)
        assert receiver.accepted == before
        keeper.tidy()
        assert len(audit_files(path)) < files


async def test_compressed_files_are_shipped(tmp_path: Path) -> None:
    """Also those that somebody compressed by hand."""
    path, store = tmp_path / "audit.jsonl", Store()
    log = AuditLog(path, max_bytes=2_000)
    for number in range(9):
        log.append([record(f"r{number}")])
    before = written(path)
    for file in audit_files(path)[:-1]:
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    await drain(AuditShipper(path, store))
    assert store.lines == before
