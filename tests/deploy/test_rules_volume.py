"""The rules as the volumes of the chart bring them: clawback loads them, and sees changes."""

import shutil
from pathlib import Path

from clawback.rules.live import LiveRules
from tests.deploy.chart import environment, example, pods, render
from tests.rules.folders import PLAIN, write
from tests.rules.mounts import MOUNTED, MountedConfigMap


async def test_a_commit_replaces_the_rules_of_git_sync(tmp_path: Path) -> None:
    """git-sync exchanges a link for each commit, and then removes the former working tree."""
    root = tmp_path / "git"

    def sync(commit: str, title: str) -> None:
        rule = {"links/a_rule.yml": PLAIN.replace("A rule", title)}
        write(root / ".worktrees" / commit / "rules", rule)
        (root / ".worktrees" / commit / ".git").write_text("gitdir: elsewhere\n")
        (root / "next").symlink_to(f".worktrees/{commit}")
        (root / "next").replace(root / "current")

    sync("1a", "The first")
    live = LiveRules.load(root / "current" / "rules")
    sync("2b", "The second")
    shutil.rmtree(root / ".worktrees" / "1a")
    assert (await live.reload_if_changed()) is not None
    assert [rule.title for rule in live.current.rules.values()] == ["The second"]
    assert live.problem is None


async def test_each_folder_of_rules_is_a_config_map(tmp_path: Path) -> None:
    """They are mounted beside each other, in a folder of no ConfigMap; safety.yml is apart."""
    rules = tmp_path / "rules"
    parts: dict[str, dict[str, str]] = {}
    for path, text in MOUNTED.items():
        folder, _, name = path.rpartition("/")
        parts.setdefault(folder or "safety", {})[name] = text
    mounts = {
        name: MountedConfigMap(rules / name if name != "safety" else tmp_path / name, files)
        for name, files in parts.items()
    }

    live = LiveRules.load(rules, safety=tmp_path / "safety" / "safety.yml")
    assert (list(live.current.rules), len(live.current.filters)) == (["a_rule"], 1)
    mounts["exceptions"].replace({})
    assert await live.reload_if_changed() is not None
    assert (list(live.current.rules), len(live.current.filters)) == (["a_rule"], 0)


def test_the_chart_reads_the_link_of_git_sync() -> None:
    """Link and folder are those that the sidecar is told to keep."""
    pod = next(pods(render(example("git"))))
    synced = {one["name"]: one.get("value") for one in pod["initContainers"][0]["env"]}
    link = Path(synced["GITSYNC_ROOT"]) / synced["GITSYNC_LINK"]
    assert Path(environment(pod)["CLAWBACK_RULES"]) == link / "rules"
