"""`pytest rules/` as rule writers run it: a process of its own, in a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clawback.pytest_plugin import _carries_tests
from tests.rules.folders import PLAIN, write

BROKEN = PLAIN.replace(
    "event: {from: b@x.test}, expect: no match", "event: {from: A@x.test}, expect: no match"
)
OTHER = PLAIN.replace("a_rule", "b_rule").replace("6f1c3a52", "7f1c3a52")


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder as its root, without what the environment could bring in."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_each_test_of_a_rule_is_one_test(tmp_path: Path) -> None:
    """Every test in a file is an item with the names of its rule and itself."""
    done = run_pytest(write(tmp_path, {"a_rule.yml": PLAIN}), "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a_rule.yml::a_rule: yes it is PASSED" in done.stdout
    assert "a_rule.yml::a_rule: no it is not PASSED" in done.stdout
    assert "2 passed" in done.stdout


def test_a_failure_shows_the_condition(tmp_path: Path) -> None:
    """A failing test shows the expected result and the condition with its answers, no traceback."""
    done = run_pytest(write(tmp_path, {"a_rule.yml": BROKEN}))
    assert done.returncode == 1
    assert "a_rule.yml:15: a_rule: 'no it is not' expected no match, found match" in done.stdout
    assert "from is a@x.test" in done.stdout
    assert "← a@x.test" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_rules_that_cannot_be_loaded_are_an_error_of_their_file(tmp_path: Path) -> None:
    """A problem is shown with its place in the file that has it; the other files point there."""
    files = {
        "a_rule.yml": PLAIN.replace("from: a@x.test}\n", "fromm: a@x.test}\n"),
        "sub/b_rule.yml": OTHER,
    }
    done = run_pytest(write(tmp_path, files))
    assert done.returncode == 2
    assert done.stdout.count("unknown-field: 'fromm'") == 1
    assert "because of problems in a_rule.yml" in done.stdout


def test_other_yaml_is_left_alone(tmp_path: Path) -> None:
    """YAML that is no rule is not collected, and the engine is not imported."""
    files = {
        "rules/safety.yml": "{}\n",
        "rules/lists/one.yml": "values: [a]\n",
        "elsewhere/a_rule.yml": PLAIN,
        "ci.yaml": "tests:\n  - 1\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    assert 'clawback.pytest_plugin' in sys.modules\n"
        "    assert 'clawback.rules' not in sys.modules\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_limits_may_be_outside_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the folder is that of the settings."""
    folder = write(tmp_path / "rules", {"sub/a_rule.yml": PLAIN})
    outside = (folder / "safety.yml").rename(tmp_path / "limits.yml")
    monkeypatch.setenv("CLAWBACK_SAFETY", str(outside))
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_links_out_of_the_folder_and_pipes_are_not_read(tmp_path: Path) -> None:
    """A file elsewhere is no rule file, whatever it says, and a pipe holds nobody up."""
    outside = write(tmp_path / "elsewhere", {"b_rule.yml": OTHER})
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    inside = folder.resolve()
    (inside / "linked.yml").symlink_to(outside / "b_rule.yml")
    os.mkfifo(inside / "pipe.yml")
    assert _carries_tests(inside / "a_rule.yml", inside)
    assert not _carries_tests(inside / "linked.yml", inside)
    assert not _carries_tests(inside / "pipe.yml", inside)
