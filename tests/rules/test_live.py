"""Hot reload: the whole set at once or not at all, noticed on the disk, and told."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clawback.model.addresses import PatternKind
from clawback.model.folders import AccountProviders
from clawback.model.providers import Provider
from clawback.rules import RuleErrors, RuleSet
from clawback.rules import live as live_module
from clawback.rules.live import LiveRules, Reload
from clawback.rules.loader import load_reviewed
from tests.rules.folders import PLAIN, is_match, message, write
from tests.rules.mounts import EXCEPTION, MOUNTED, MountedConfigMap

SHIPPED = Path(__file__).parents[2] / "rules"
BEC = Path("bec") / "quarantine_bec.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one of the shipped rules: loading all of them for each test takes seconds."""
    (tmp_path / "rules" / BEC).parent.mkdir(parents=True)
    for file in (BEC, Path("safety.yml")):
        shutil.copy(SHIPPED / file, tmp_path / "rules" / file)
    return tmp_path / "rules"


def edit(path: Path, old: str, new: str) -> None:
    """Reload a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_nothing_changes_while_nothing_changed(folder: Path) -> None:
    """Looking is cheap and silent; touching a file without changing it too."""
    live = LiveRules.load(folder)
    assert await live.reload_if_changed() is None
    (folder / BEC).touch()
    assert await live.reload_if_changed() is None


async def test_a_changed_rule_is_swapped_in(folder: Path) -> None:
    """The old and the new version are told, and a match carries the new one."""
    live = LiveRules.load(folder)
    old = live.current
    edit(folder / BEC, "level: critical", "level: high")
    assert await live.reload_if_changed() == Reload(old.version, live.current.version)
    assert live.current is not old
    assert live.current.rules["quarantine_bec"].version != old.rules["quarantine_bec"].version


async def test_a_bad_set_leaves_the_old_one_running(folder: Path) -> None:
    """The problem names file and line, and is gone when the file is mended."""
    live = LiveRules.load(folder)
    old = live.current
    edit(folder / BEC, "level: critical", "level: terrible")
    change = await live.reload_if_changed()
    assert change is not None
    assert (change.new, live.current) == (None, old)
    assert "quarantine_bec.yml" in (live.problem or "")
    assert await live.reload_if_changed() is None
    edit(folder / BEC, "level: terrible", "level: critical")
    assert await live.reload_if_changed() == Reload(old.version, old.version)
    assert await live.reload_if_changed() is None
    assert (live.problem, live.current.version) == (None, old.version)


async def test_a_folder_that_vanishes_leaves_the_old_set_running(folder: Path) -> None:
    """An unmounted disk is not an empty rule set."""
    live = LiveRules.load(folder)
    shutil.rmtree(folder)
    change = await live.reload_if_changed()
    assert change is not None
    assert change.new is None
    assert live.current.rules


async def test_watching_tells_each_change_once(folder: Path) -> None:
    """A change is noticed without anybody asking."""
    live, told = LiveRules.load(folder), asyncio.Queue[Reload]()
    watching = asyncio.create_task(live.watch(told.put, every=timedelta(milliseconds=20)))
    edit(folder / BEC, "level: critical", "level: high")
    async with asyncio.timeout(20):
        assert (await told.get()).new == live.current.version
    watching.cancel()
    assert told.empty()


def test_a_process_does_not_start_with_bad_rules(folder: Path) -> None:
    """At the start there is no good set to fall back on."""
    edit(folder / BEC, "level: critical", "level: terrible")
    with pytest.raises(RuleErrors):
        LiveRules.load(folder)


async def test_what_check_refuses_never_runs(folder: Path) -> None:
    """A condition that can never be true loads, but cannot be meant.

    Neither a reload nor a start takes it.
    """
    live = LiveRules.load(folder)
    old = live.current
    edit(folder / BEC, "condition: bec", "condition: bec and not bec")
    change = await live.reload_if_changed()
    assert change is not None
    assert (change.new, live.current) == (None, old)
    assert "unreachable" in (live.problem or "")
    with pytest.raises(RuleErrors, match="unreachable"):
        LiveRules.load(folder)


async def test_what_is_known_of_the_account_stays_through_a_reload(folder: Path) -> None:
    """Its domains, and all in them, are forbidden at once and in every later set.

    So it is with the providers of its mailboxes. The version is that of the files.
    """
    live = LiveRules.load(folder)
    before = live.current.version
    assert not live.forbids("boss@eu.own.test", PatternKind.EMAIL)
    assert live.protect_own_domains(frozenset({"own.test"}))
    assert not live.protect_own_domains(frozenset({"own.test"}))
    assert (live.forbids("boss@eu.own.test", PatternKind.EMAIL), live.current.version) == (
        True,
        before,
    )
    providers = AccountProviders({"own.test": Provider.GOOGLE})
    assert live.use_providers(providers)
    assert not live.use_providers(AccountProviders({"own.test": Provider.GOOGLE}))
    edit(folder / BEC, "level: critical", "level: high")
    assert await live.reload_if_changed() is not None
    assert live.current.safety.forbids("own.test", PatternKind.DOMAIN)
    assert live.current.providers is providers
    assert live.protect_own_domains(frozenset())
    assert not live.forbids("own.test", PatternKind.DOMAIN)


async def test_a_link_that_leads_nowhere_is_a_refused_change(tmp_path: Path) -> None:
    """Looking never ends with an error: the folder is refused, and read again once it is mended."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    live = LiveRules.load(folder)
    (folder / "loop.yml").symlink_to("loop.yml")
    refused = await live.reload_if_changed()
    assert refused is not None
    assert "loop.yml:1:1: unreadable" in (refused.problem or "")
    (folder / "loop.yml").unlink()
    recovered = await live.reload_if_changed()
    assert recovered is not None
    assert recovered.is_recovery


async def test_an_update_of_a_config_map_is_taken_over(tmp_path: Path) -> None:
    """The kubelet switches one link; exceptions that it brings or removes count at once."""
    mount = MountedConfigMap(tmp_path / "rules", MOUNTED)
    live, mail = LiveRules.load(mount.folder), message(from_="a@x.test", subject="training")
    assert not is_match(live.current, mail)
    mount.replace({name: text for name, text in MOUNTED.items() if "exceptions" not in name})
    assert await live.reload_if_changed() is not None
    assert is_match(live.current, mail)
    mount.replace(MOUNTED)
    assert await live.reload_if_changed() is not None
    assert not is_match(live.current, mail)
    mount.replace({"safety.yml": "{}\n"})
    assert "no-rules" in str((await live.reload_if_changed() or Reload(None, "")).problem)


async def test_half_an_update_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changed while it was read may be half old and half new: it is read again."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    live = LiveRules.load(folder)
    edit(folder / "a_rule.yml", "title: A rule", "title: Another rule")

    def load_while_it_changes(*given: Any, **named: Any) -> RuleSet:
        found = load_reviewed(*given, **named)
        write(folder, {"exceptions/ours.yml": EXCEPTION, "lists/words.txt": "training\n"})
        return found

    monkeypatch.setattr(live_module, "load_reviewed", load_while_it_changes)
    assert await live.reload_if_changed() is None
    assert (live.current.rules["a_rule"].title, len(live.current.filters)) == ("A rule", 0)
    monkeypatch.undo()
    assert await live.reload_if_changed() is not None
    assert (live.current.rules["a_rule"].title, len(live.current.filters)) == ("Another rule", 1)


async def test_a_report_that_failed_is_made_again(tmp_path: Path) -> None:
    """The watcher that starts after that reports the refusal, although nothing changed since."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    live, every = LiveRules.load(folder), timedelta(milliseconds=1)

    async def fail(_: Reload) -> None:
        raise ConnectionResetError

    write(folder, {"x.yml": "title: [\n"})
    with pytest.raises(ConnectionResetError):
        await live.watch(fail, every)

    told = asyncio.Queue[Reload]()
    watching = asyncio.create_task(live.watch(told.put, every))
    async with asyncio.timeout(20):
        assert (await told.get()).new is None
    watching.cancel()
