"""The room of keeping: the disk, the audit, and credentials that end."""

import asyncio
import base64
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from bench.alerts.cause import Cause, Room
from clawback.audit import AuditLog
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.simulator import outbreak

DISK = 48 * 1024 * 1024
FEW, SOME, MANY = timedelta(days=1), timedelta(days=10), timedelta(days=90)
CROWD = 400
MOVING = """title: Move the mail of a sender
name: move_plain
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7d04
status: stable
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  sel: {from|endswith: "@plain.test"}
  condition: sel
level: high
response:
  mode: enforce
  actions:
    - move: {destination: JunkEmail}
tests:
  - {name: the sender, event: {from: a@plain.test}, expect: match}
  - {name: another, event: {from: a@other.test}, expect: no match}
"""


class Keeping(Room):
    """An installation whose state folder is a small disk of its own; mounting it needs root."""

    name = "keeping"
    settings: ClassVar[Mapping[str, str]] = {"TEMPORAL_TLS": "false"}

    @classmethod
    def prepare(cls, folder: Path, environment: dict[str, str], rules: Path) -> None:
        """Mount the disk; write an audit line of an hour ago and a key that ends in ten days."""
        (rules / "move_plain.yml").write_text(MOVING)
        state = Path(environment["CLAWBACK_STATE"])
        state.mkdir(mode=0o700)
        _call("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "bench", str(state))
        record = AuditRecord(
            id="bench/1", at=datetime.now(UTC) - timedelta(hours=1), kind=RecordKind.STOPPED
        )
        audit = state / "audit.jsonl"
        AuditLog(audit, audit.with_name(f"{audit.name}.key")).append([record])

        key = folder / "api-key"
        key.write_text(build_token(SOME))
        environment["CLAWBACK_TEMPORAL_API_KEY_FILE"] = str(key)
        environment["CLAWBACK_AUDIT_COLLECTOR"] = read_url(Path(environment["CLAWBACK_CHANNELS"]))

    async def open(self) -> None:
        """Let the collector refuse lines from the start."""
        self.installation.receiver.status = 500

    async def close(self) -> None:
        """Unmount the disk; the worker may still have files on it."""
        _call("umount", "--lazy", str(self.installation.state))

    def causes(self) -> Iterator[Cause]:
        """Give the causes in order."""
        yield Cause(("ClawbackAuditNotShipped",), self._wait, self._accept_lines)
        yield Cause(("ClawbackCredentialExpires",), self._wait)
        yield Cause(("ClawbackCredentialExpiresNow",), self._shorten_key, self._renew_key)
        yield Cause(
            ("ClawbackDiskFull", "ClawbackAuditFailing"),
            self._fill_disk,
            self._free_disk,
            settle=True,
        )
        yield Cause(("ClawbackDiskFillsUp",), self._fill_slowly, self._free_disk)
        yield Cause(("ClawbackAuditShrank",), self._cut_audit, self._restore_audit)
        yield Cause(("ClawbackBackgroundTaskFails",), self._spoil_lock, self._mend_lock)
        yield Cause(("ClawbackAuditNotGrowing",), self._hang_disk, self._release_disk)

    async def _wait(self) -> None:
        """Do nothing: the cause is there from the start."""

    # ---- the collector and the key

    async def _accept_lines(self) -> None:
        self.installation.receiver.status = 204

    async def _shorten_key(self) -> None:
        (self.installation.folder / "api-key").write_text(build_token(FEW))

    async def _renew_key(self) -> None:
        (self.installation.folder / "api-key").write_text(build_token(MANY))

    # ---- the disk

    @property
    def _filler(self) -> Path:
        return self.installation.state / "filler"

    async def _fill_disk(self) -> None:
        """Fill the disk to the last byte, while mail keeps arriving."""
        with self._filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(64 * 1024))
        self._arriving = asyncio.create_task(self._send_mail(1000))

    async def _send_mail(self, seed: int) -> None:
        for number in range(seed, seed + 60):
            self._inject(number)
            await asyncio.sleep(3)

    def _inject(self, number: int) -> None:
        """Inject mail that opens a case and counts towards no correlation."""
        mail = outbreak(1, number, sender=f"a{number}@plain.test", disposition="SPAM")
        self.installation.simulator.inject(mail)

    async def _free_disk(self) -> None:
        self._filler.unlink()

    async def _fill_slowly(self) -> None:
        """Use more and more of the disk, up to three quarters."""
        with self._filler.open("wb", buffering=0) as file:
            for _ in range(30):
                file.write(bytes(DISK // 40))
                await asyncio.sleep(1)

    # ---- the audit

    async def _cut_audit(self) -> None:
        """Take the second half of the lines away while no worker runs."""
        await self.installation.restart()
        await asyncio.sleep(5)
        audit = self.installation.state / "audit.jsonl"
        self._whole = audit.read_bytes()
        lines = self._whole.splitlines(keepends=True)
        audit.write_bytes(b"".join(lines[: len(lines) // 2]))
        await self.installation.restart()

    async def _restore_audit(self) -> None:
        (self.installation.state / "audit.jsonl").write_bytes(self._whole)
        await self.installation.restart()

    async def _spoil_lock(self) -> None:
        lock = self.installation.state / "audit.jsonl.ship.lock"
        lock.unlink(missing_ok=True)
        lock.mkdir()
        await self.installation.restart()

    async def _mend_lock(self) -> None:
        (self.installation.state / "audit.jsonl.ship.lock").rmdir()

    async def _hang_disk(self) -> None:
        """Hold the lock of the audit, as a disk that hangs would, while many cases open."""
        self._lock = os.open(self.installation.state / "audit.jsonl.lock", os.O_RDWR)
        await asyncio.to_thread(fcntl.flock, self._lock, fcntl.LOCK_EX)
        for number in range(CROWD):
            self._inject(2000 + number)
        self._arriving = asyncio.create_task(self._send_mail(3000))

    async def _release_disk(self) -> None:
        os.close(self._lock)


def _call(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - programs of this module


def build_token(lifetime: timedelta) -> str:
    """Build a token that says when it ends; nobody checks its signature here."""
    ends: dict[str, object] = {"exp": int(time.time() + lifetime.total_seconds())}
    parts: list[dict[str, object]] = [{"alg": "none"}, ends, {}]
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts
    )


def read_url(channels: Path) -> str:
    """Read the address of the receiver from the channel file."""
    return channels.read_text().partition('url = "')[2].partition('"')[0]
