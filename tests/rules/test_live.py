"""Hot reload: the whole set at once or not at all, noticed on the disk, and told."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from clawback.model.addresses import PatternKind
from clawback.model.folders import AccountProviders
from clawback.model.providers import Provider
from clawback.rules import RuleErrors
from clawback.rules.live import LiveRules, Reload

SHIPPED = Path(__file__).parents[2] / "rules"
BEC = Path("bec") / "quarantine_bec.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped rules."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


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
