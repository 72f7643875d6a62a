"""What the console does without, so that it stays small."""

import subprocess
import sys
from pathlib import Path

from clawback.console.sources.rule_folder import RuleFolder
from clawback.settings import Settings

UNWANTED = (
    "clawback.rules.loader",
    "clawback.rules.engine.compiler",
    "clawback.doctor.suite",
    "clawback.backtest",
    "clawback.ingest.ingest",
    "temporalio.worker",
    "sigma",
    "re2",
)


def test_the_console_has_no_rule_engine_in_memory() -> None:
    """Rules, doctor and backtests are for processes of their own: together they take 30 MiB."""
    code = f"import sys, clawback.console.launch; print({{*{UNWANTED!r}}} & {{*sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout == "set()\n"


async def test_a_change_of_a_mounted_file_is_noticed(tmp_path: Path) -> None:
    """A ConfigMap swaps a folder behind a link; hidden files of editors and git do not count.

    What cannot be loaded keeps what the safety document says, because workers take it over too.
    """
    folder, versions = tmp_path / "rules", (tmp_path / "rules/..1", tmp_path / "rules/..2")
    for one, most in zip(versions, (7, 8), strict=True):
        one.mkdir(parents=True)
        safety = f"budgets:\n  overall: [{{blocks: {most}, per: 1h}}]\n"
        (one / "safety.yml").write_text(safety, encoding="utf-8")
        (one / "broken.yml").write_text("title: nothing else\n", encoding="utf-8")
    link = folder / "..data"
    link.symlink_to("..1")
    for name in ("safety.yml", "broken.yml"):
        (folder / name).symlink_to(f"..data/{name}")

    rules = RuleFolder(Settings(rules=folder))
    first = await rules.read()
    assert first.problem
    assert first.facts.has_safety

    (folder / ".git").mkdir()
    (folder / ".git/index").write_text("x", encoding="utf-8")
    assert await rules.read() is first

    (folder / "..new").symlink_to("..2")
    (folder / "..new").replace(link)

    second = await rules.read()
    assert [one.facts.budgets.overall[0].blocks for one in (first, second)] == [7, 8]
