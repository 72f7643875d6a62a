"""`clawback backup` and `clawback restore` as a person runs them: files, sentences, exit codes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawback.audit import AuditLog, read_records
from clawback.cli.exits import ExitCode
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.temporal.key_ring import create_key_file
from tests.cli.command import clawback, sentence

ADDRESS = "127.0.0.1:1"
"""A Temporal server of the operator's: its database is in no backup, and nobody asks it."""


@pytest.fixture
def installation(tmp_path: Path) -> dict[str, str]:
    """An installation with one record in its audit, and a rule."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.yml").write_text("title: r\n", encoding="utf-8")
    create_key_file(tmp_path / "keys")
    audit = tmp_path / "state" / "simulator" / "audit.jsonl"
    AuditLog(audit).append([AuditRecord(id="a", at=datetime.now(UTC), kind=RecordKind.STOPPED)])
    return {
        "CLAWBACK_STATE": str(tmp_path / "state"),
        "CLAWBACK_RULES": str(tmp_path / "rules"),
        "CLAWBACK_ENCRYPTION_KEY_FILE": str(tmp_path / "keys"),
        "TEMPORAL_ADDRESS": ADDRESS,
    }


def test_a_backup_is_made_and_restored(installation: dict[str, str], tmp_path: Path) -> None:
    """Each command says what it did, and what people must do now."""
    file, keys = tmp_path / "b.tar.gz", tmp_path / "b.keys"
    made = clawback("backup", str(file), "--keys", str(keys), **installation)
    assert made.returncode == ExitCode.OK, made.stderr
    assert f"Wrote {file}" in made.stdout
    assert "back up the database of your Temporal server" in made.stdout
    assert f"Keys and channels are in {keys}" in made.stdout

    elsewhere = installation | {
        "CLAWBACK_STATE": str(tmp_path / "other"),
        "CLAWBACK_ENCRYPTION_KEY_FILE": str(tmp_path / "other-keys"),
    }
    words = ("restore", str(file), "--keys", str(keys), "--rules", str(tmp_path / "restored"))
    done = clawback(*words, **elsewhere)
    assert done.returncode == ExitCode.OK, done.stderr
    assert (
        "Containment is stopped: look at `clawback doctor`, then `clawback resume`" in done.stdout
    )
    assert (tmp_path / "restored" / "r.yml").read_text("utf-8") == "title: r\n"
    assert (tmp_path / "other-keys").read_bytes() == (tmp_path / "keys").read_bytes()
    audit = tmp_path / "other" / "simulator" / "audit.jsonl"
    assert [record.kind for record in read_records(audit)] == [
        RecordKind.STOPPED,
        RecordKind.RESTORED,
    ]
    again = clawback(*words, **elsewhere)
    assert again.returncode == ExitCode.NO
    assert "a backup is restored into an empty state folder only" in sentence(again)


def test_what_is_kept_apart_is_named(installation: dict[str, str], tmp_path: Path) -> None:
    """Without a file for the keys, the command says which files need copies elsewhere."""
    made = clawback("backup", str(tmp_path / "b.tar.gz"), "--json", **installation)
    told = json.loads(made.stdout)
    assert told["keys"] is None
    assert str(tmp_path / "keys") in told["kept_apart"]
    assert told["audit_head"]["sequence"] == 1
    over = clawback("backup", str(tmp_path / "b.tar.gz"), **installation)
    assert over.returncode == ExitCode.ENVIRONMENT
    assert sentence(over).endswith("exists; name a new file")
