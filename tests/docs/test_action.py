"""The GitHub Action runs commands that exist, on rules as they are."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import COMMAND, environment_of
from tests.rules.folders import PLAIN, write

ROOT = Path(__file__).parents[2]


def step(name: str) -> dict[str, Any]:
    """A step of the action."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    found: dict[str, Any] = next(one for one in action["runs"]["steps"] if one.get("name") == name)
    return found


def run(name: str, folder: Path, **inputs: str) -> "subprocess.CompletedProcess[str]":
    """Run a step as GitHub does, with `clawback` in the path."""
    program = folder / "bin" / "clawback"
    program.parent.mkdir()
    quoted = " ".join(f"'{part}'" for part in COMMAND)
    program.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n')
    program.chmod(0o755)
    settings = environment_of(
        PATH=f"{program.parent}:/usr/bin:/bin",
        PYTHONPATH=str(ROOT),
        GITHUB_STEP_SUMMARY=str(folder / "summary.md"),
        **inputs,
    )
    shell = ["/bin/bash", "-e", "-o", "pipefail", "-c", step(name)["run"]]
    return subprocess.run(
        shell, env=settings, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [(PLAIN, 0), (PLAIN.replace("    - move", "    -   move"), 1)],
    ids=["good", "not formatted"],
)
def test_rules_are_checked(tmp_path: Path, text: str, code: int) -> None:
    """Good rules pass; rules that are not formatted fail."""
    write(tmp_path / "rules", {"a_rule.yml": text})
    done = run("Check and test the rules", tmp_path, RULES="rules")
    assert done.returncode == code, done.stdout + done.stderr


def test_rules_are_compared(tmp_path: Path) -> None:
    """The summary of the run says how the rules differ, here from another folder."""
    write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    write(tmp_path / "old", {"a_rule.yml": PLAIN.replace("title: A rule", "title: Old")})
    done = run("Compare the rules", tmp_path, RULES="rules", CORPUS="", REVISION="old")
    assert done.returncode == 0, done.stderr
    assert "changed a_rule: texts" in (tmp_path / "summary.md").read_text()
