"""A backup taken under load is restored, on a newer server too, and undo and expiry go on."""

import asyncio
import io
import json
import shutil
import sqlite3
import tarfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.actions import BlockSender, Move
from clawback.audit import AuditLog, Verified, read_public_keys, verify
from clawback.backup import (
    Backup,
    BackupDamaged,
    BackupError,
    NotRestorable,
    Restored,
    RestoreOptions,
    restore,
    write_backup,
)
from clawback.cases import CasePlan, CaseState, CaseTiming
from clawback.cases.undo_plan import UndoScope
from clawback.guard import LossReason
from clawback.local import TemporalServer, free_port, temporal_child
from clawback.local.errors import StateFolderLocked
from clawback.local.preflight import lock_state
from clawback.local.server_database import DatabaseUnfit, fit_database, note_writer
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.messages import Destination
from clawback.model.mode import Mode
from clawback.settings import SIMULATED_ACCOUNT, Settings
from clawback.simulator import Simulator, outbreak
from clawback.temporal.block_gateway import BlockGateway
from clawback.temporal.client import connect
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.guard_keeper import build_keeper
from clawback.temporal.guard_memory import GuardMemory, GuardPosition, remember_restored
from clawback.temporal.key_ring import create_key_file
from clawback.temporal.undo_gateway import UndoGateway, UndoSummary
from tests.people import person
from tests.waiting import eventually, until
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import total

CASES, COPIES = 6, 2
OPERATOR = person("ole")
SCOPE = UndoScope(actor=person("ana"), reason="clean mail")


def settings_of(folder: Path, keys: Path, **changes: Any) -> Settings:
    """The settings of an installation whose state is in a folder of its own."""
    return Settings(
        state=folder,
        encryption_key_file=keys,
        api_url="http://127.0.0.1:1/client/v4",
        temporal_port=free_port(),
        age_limit="off",
        **changes,
    )


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Client]:
    """Run the embedded server of an installation."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    server = TemporalServer(settings.folder / "temporal.db", settings.temporal_port)
    child = temporal_child(server, settings, settings.folder / "logs")
    await child.start()
    try:
        yield await connect(settings, address=server.address)
    finally:
        await child.stop(5)


@asynccontextmanager
async def working(
    client: Client, simulator: Simulator, settings: Settings
) -> AsyncIterator[Deployment]:
    """Run the workers of an installation, which remember their guard as a worker does."""
    keeper = build_keeper(settings, client)
    await keeper.open()
    await keeper.keep()
    state, keys = settings.state, settings.encryption_key_file
    async with deployed(
        client, simulator, state, encryption_key_file=keys, guard="unlimited"
    ) as deployment:
        yield replace(deployment, keeper=keeper)


def plan(number: int) -> CasePlan:
    """A case that moves the messages of one sender and blocks it for a month."""
    sender = f"s{number}@bad.test"
    actions = (Move(destination=Destination.RECOVERABLE), BlockSender(pattern=sender))
    return CasePlan(
        rule="r", version="v1", mode=Mode.ENFORCE, group={"from": sender}, actions=actions
    )


async def act(deployment: Deployment, mail: list[list[dict[str, Any]]], first: int) -> list[str]:
    """Have a case for each sender; return their ids."""
    pace = CaseTiming(linger=timedelta())
    plans = [plan(first + number) for number in range(len(mail))]
    await asyncio.gather(
        *(
            deployment.signal_case(one, *map(match_of, lines), pace=pace)
            for one, lines in zip(plans, mail, strict=True)
        )
    )
    return [one.case_id for one in plans]


async def closed(deployment: Deployment, cases: list[str]) -> None:
    """Wait until cases are closed."""
    await asyncio.gather(*(deployment.settled(case, CaseState.CLOSED) for case in cases))


@dataclass(frozen=True)
class Told:
    """What one installation did, and its backups."""

    folder: Path
    settings: Settings
    simulator: Simulator
    under_load: Backup
    backup: Backup
    later: list[str]


@pytest.fixture(scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """An installation that is backed up while it acts and afterwards, acts once more, and is gone.

    Its audit survives.
    """
    folder = tmp_path_factory.mktemp("backup")
    create_key_file(keys := folder / "payload-keys")
    settings = settings_of(folder / "a", keys)
    mail = [
        list(outbreak(COPIES, number, sender=f"s{number}@bad.test", disposition="NONE"))
        for number in range(CASES + 1)
    ]
    simulator = simulated([line for lines in mail for line in lines])
    async with (
        serving(settings) as client,
        working(client, simulator, settings) as deployment,
    ):
        acting = asyncio.create_task(act(deployment, mail[:CASES], 0))
        await until(lambda: len(deployment.ledger) > 0)
        under_load = await asyncio.to_thread(write_backup, settings, folder / "load.tar.gz")
        await closed(deployment, await acting)
        backup = await asyncio.to_thread(
            write_backup, settings, folder / "b.tar.gz", folder / "b.keys"
        )
        await closed(deployment, later := await act(deployment, mail[CASES:], CASES))
    return Told(folder, settings, simulator, under_load, backup, later)


def restored(
    told: Told, backup: Backup, target: Path, **options: Path | None
) -> tuple[Settings, Restored]:
    """Restore a backup into a folder of its own."""
    assert told.settings.encryption_key_file is not None
    settings = settings_of(target, told.settings.encryption_key_file)
    return settings, restore(settings, backup.file, RestoreOptions(**options), OPERATOR)


def age_schema(database: Path) -> None:
    """Take what later versions of the server added away, as in a database of an older one."""
    with closing(sqlite3.connect(database)) as old:
        old.execute("DROP TABLE current_chasm_executions")
        old.execute("DROP INDEX by_temporal_keyword_04")
        old.execute("ALTER TABLE executions_visibility DROP COLUMN TemporalKeyword04")
        old.commit()
    note_writer(database, "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)")


async def test_undo_and_expiry_go_on_after_restore_and_upgrade(told: Told, tmp_path: Path) -> None:
    """The database of an older server is carried; the guard is stopped until a person resumes.

    Everything that the backup knows can be taken back, and each block still ends.
    """
    assert len(told.backup.manifest.members) > 1
    settings, _ = restored(told, told.backup, tmp_path / "b", keys=told.folder / "b.keys")
    database = settings.folder / "temporal.db"
    age_schema(database)
    carried = await fit_database(TemporalServer(database, free_port()))
    assert carried is not None
    assert (carried.before[:22], carried.kept.name) == (
        "temporal version 1.5.1",
        "temporal.db.1.5.1",
    )
    assert await fit_database(TemporalServer(database, free_port())) is None

    async with (
        serving(settings) as client,
        working(client, told.simulator, settings) as deployment,
    ):
        reason = await eventually(lambda: _stop_reason(deployment))
        assert reason == "the guard was lost: older"
        assert await deployment.keeper.is_stopped()
        ends = [block.expires_at async for block in BlockGateway(client).list_active()]
        assert len(ends) == CASES
        assert all(end > datetime.now(UTC) + timedelta(days=29) for end in ends)

        gateway = UndoGateway(client)
        found = [one.case for one in (await gateway.find(SCOPE, rule="r")).candidates]
        done = await total(gateway, await gateway.start(SCOPE, found))
        assert done == UndoSummary(cases=CASES, done=CASES * (COPIES + 1))

    operations = Counter(row["operation"] for row in told.simulator.account.ledger.since(0))
    assert operations["delete"] == CASES
    assert operations["move"] == (2 * CASES + 1) * COPIES


@pytest.mark.parametrize("memories", [1, 0])
def test_a_restored_guard_is_an_older_one_at_any_address(tmp_path: Path, memories: int) -> None:
    """People restore to another machine or other ports, or a backup without a memory."""
    path = tmp_path / "guard.json"
    position = GuardPosition(installation="i", generation=3, run="r", length=7)
    if memories:
        GuardMemory("default@127.0.0.1:7233", path).note(position)
    remember_restored(path)

    memory = GuardMemory("default@127.0.0.1:27233", path)
    assert memory.position is not None
    assert memory.position.describe_change(position) is LossReason.OLDER
    memory.note(position)
    assert GuardMemory("default@127.0.0.1:27233", path).position == position
    assert GuardMemory("default@127.0.0.1:7233", path).position is None


async def _stop_reason(deployment: Deployment) -> str | None:
    status = await GuardGateway(deployment.client).status()
    return status.stopped.reason if status and status.stopped else None


def test_what_was_done_after_the_backup_is_told(told: Told, tmp_path: Path) -> None:
    """With the audit that survived: it goes on from there, and its chain is whole."""
    audit = told.settings.audit_file
    settings, done = restored(
        told, told.backup, tmp_path / "b", keys=told.folder / "b.keys", audit=audit
    )
    assert done.aftermath is not None
    assert (done.aftermath.cases, done.aftermath.total_changes) == (1, COPIES + 1)
    assert {change.case for change in done.aftermath.changes} == set(told.later)
    trusted = read_public_keys(settings.audit_key)
    found = verify(settings.audit_file, trusted)
    assert isinstance(found, Verified)
    lost = verify(audit, trusted)
    assert isinstance(lost, Verified)
    assert found.last == lost.last + 1  # one record says that it was restored


def test_a_backup_taken_under_load_is_whole(told: Told, tmp_path: Path) -> None:
    """Its database is intact, and its audit has everything that the database did."""
    settings, done = restored(told, told.under_load, tmp_path / "b")
    assert done.aftermath is None
    assert told.under_load.secrets == (
        str(told.settings.encryption_key_file),
        str(told.settings.audit_key),
    )
    with closing(sqlite3.connect(settings.folder / "temporal.db")) as database:
        (cases,) = database.execute(
            "SELECT COUNT(*) FROM executions_visibility WHERE workflow_type_name = 'case'"
        ).fetchone()
    assert 0 < cases <= CASES
    assert isinstance(verify(settings.audit_file, None), Verified)


def test_only_an_empty_folder_of_the_same_account_is_restored_to(
    told: Told, tmp_path: Path
) -> None:
    """Each refusal names what is in the way, and leaves everything as it was."""
    keys = told.settings.encryption_key_file
    assert keys is not None
    settings = settings_of(tmp_path / "b", keys)

    def attempt(settings: Settings = settings, backup: Path = told.backup.file) -> Restored:
        return restore(settings, backup, RestoreOptions(), OPERATOR)

    with pytest.raises(NotRestorable, match=r"temporal\.db|audit\.jsonl|keys|guard\.json|logs"):
        attempt(told.settings)
    settings.folder.mkdir(parents=True)
    with lock_state(settings.folder), pytest.raises(StateFolderLocked):
        attempt()
    other = settings.model_copy(
        update={"api_url": "https://api.cloudflare.com", "cloudflare_account_id": "0" * 32}
    )
    with pytest.raises(NotRestorable, match=f"of {SIMULATED_ACCOUNT}, and the settings name 000"):
        attempt(other)
    create_key_file(tmp_path / "others")
    foreign = settings_of(tmp_path / "c", tmp_path / "others")
    with pytest.raises(NotRestorable, match=r"encrypted with key .* not here: name the archive"):
        attempt(foreign)
    for one in (settings, foreign):
        assert [file.name for file in one.folder.iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data[: len(data) // 2], "is no backup, or incomplete"),
        (lambda _: b"not an archive", "is no backup, or incomplete"),
        (lambda data: repacked(data, alter="guard.json"), "guard.json in .* was changed or"),
        (lambda data: repacked(data, drop="guard.json"), "lacks guard.json"),
        (lambda data: repacked(data, add="../outside"), r"has \.\./outside, which its manifest"),
        (lambda data: repacked(data, name="../outside"), "manifest of .* cannot be read"),
    ],
)
def test_a_changed_backup_is_refused(told: Told, tmp_path: Path, change: Any, text: str) -> None:
    """Cut off, altered, with a file less or more: nothing is written, inside or outside."""
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(change(told.under_load.file.read_bytes()))
    assert told.settings.encryption_key_file is not None
    settings = settings_of(tmp_path / "b", told.settings.encryption_key_file)
    with pytest.raises(BackupDamaged, match=text):
        restore(settings, broken, RestoreOptions(), OPERATOR)
    left = {file.name for file in tmp_path.rglob("*")}
    assert left == {"broken.tar.gz", "b", "simulator", "lock"}


def repacked(
    data: bytes, *, alter: str = "", drop: str = "", add: str = "", name: str = ""
) -> bytes:
    """Write an archive anew: one member altered, dropped, added, or named in the manifest."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=out, mode="w:gz") as new,
    ):
        for entry in old:
            content = (old.extractfile(entry) or io.BytesIO()).read()
            if entry.name == drop:
                continue
            if entry.name == alter:
                content = content[:-1] + b" "
            if entry.name == "manifest.json" and name:
                known = json.loads(content)
                known["members"][0]["name"] = name
                content = json.dumps(known).encode()
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
        if add:
            new.addfile(tarfile.TarInfo(add), io.BytesIO())
    return out.getvalue()


def test_another_audit_is_no_continuation(told: Told, tmp_path: Path) -> None:
    """An audit of somebody else is refused instead of going on from it."""
    other = tmp_path / "audit.jsonl"
    AuditLog(other).append(
        [
            AuditRecord(id=f"x{number}", at=datetime.now(UTC), kind=RecordKind.COMMENTED)
            for number in range(200)
        ]
    )
    with pytest.raises(NotRestorable, match="does not continue that of the backup"):
        restored(told, told.backup, tmp_path / "b", keys=told.folder / "b.keys", audit=other)


def test_a_backup_never_overwrites(told: Told) -> None:
    """A file that exists may be the only good backup."""
    with pytest.raises(BackupError, match="exists; name a new file"):
        write_backup(told.settings, told.backup.file)


def test_no_secret_is_in_the_backup(told: Told) -> None:
    """Not the keys of the payloads, nor the one that signs the audit."""
    with tarfile.open(told.backup.file) as archive:
        held = {entry.name for entry in archive}
    assert {"manifest.json", "temporal.db", "guard.json", "audit/audit.jsonl"} <= held
    assert not {"keys", "audit.key", "channels.toml"} & held
    with tarfile.open(told.folder / "b.keys") as archive:
        assert {"keys", "audit.key"} <= {entry.name for entry in archive}
    for file in (told.backup.file, told.folder / "b.keys"):
        assert file.stat().st_mode & 0o077 == 0


async def test_a_database_of_a_newer_server_is_refused(told: Told, tmp_path: Path) -> None:
    """Rows that have no place here are not dropped; the database stays as it is."""
    shutil.copy(told.settings.folder / "temporal.db", tmp_path / "temporal.db")
    with closing(sqlite3.connect(tmp_path / "temporal.db")) as newer:
        newer.execute("ALTER TABLE namespaces ADD COLUMN future BLOB")
        newer.commit()
    note_writer(tmp_path / "temporal.db", "temporal version 9.0.0")
    before = (tmp_path / "temporal.db").read_bytes()
    with pytest.raises(DatabaseUnfit, match=r"a newer Temporal server: .* namespaces\(future\)"):
        await fit_database(TemporalServer(tmp_path / "temporal.db", free_port()))
    assert (tmp_path / "temporal.db").read_bytes() == before
