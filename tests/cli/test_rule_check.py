"""`clawback rules check` as people, pull requests and pre-commit meet it."""

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback, sentence
from tests.rules.folders import PLAIN, block, write

ROOT = Path(__file__).parents[2]
SHIPPED = str(ROOT / "rules")
UNUSED = {"x.yml": block("sel: {subject: a}\nother: {subject: b}\ncondition: sel")}
WRONG = {
    "a_rule.yml": PLAIN.replace("from: a@x.test}\n", "form: a@x.test}\n"),
    "b.yml": "title: 010\n",
}


def test_the_shipped_rules_have_not_even_a_warning() -> None:
    """What is shipped passes with --strict."""
    done = clawback("rules", "check", SHIPPED, "--strict")
    assert done.returncode == ExitCode.OK, done.stdout


def test_folders_that_the_providers_lack_are_named() -> None:
    """With the folder that is used instead; that is no problem of the rules."""
    google = {"CLAWBACK_PROVIDERS": "Microsoft 365, google"}
    done = clawback("rules", "check", SHIPPED, "--strict", **google)
    assert done.returncode == ExitCode.OK, done.stdout
    assert "Google Workspace has no RecoverableItemsDeletions" in done.stdout
    assert "and 3 more move: mail there goes to DeletedItems" in done.stdout
    (folder,) = json.loads(clawback("rules", "check", SHIPPED, "--json", **google).stdout)[
        "folders"
    ]
    assert len(folder["elsewhere"]) == 1
    assert "Google" not in clawback("rules", "check", SHIPPED).stdout


def test_a_provider_that_is_none_is_refused() -> None:
    """The error names the setting and what it takes."""
    done = clawback("rules", "check", SHIPPED, CLAWBACK_PROVIDERS="Microsoft, Yahoo")
    assert done.returncode == ExitCode.USAGE
    assert "CLAWBACK_PROVIDERS: unknown provider Yahoo: write Microsoft or Google" in done.stderr


def test_every_problem_is_one_line_with_its_place(tmp_path: Path) -> None:
    """Piped output has one line a problem, which opens from here, and a summary."""
    done = clawback("rules", "check", str(write(tmp_path, {**UNUSED, **WRONG})))
    *lines, summary = done.stdout.splitlines()
    assert done.returncode == ExitCode.NO
    assert [line.removeprefix(f"{tmp_path}/").split(": ")[:3] for line in lines] == [
        ["a_rule.yml:7:9", "error", "unknown-field"],
        ["b.yml:1:8", "error", "ambiguous-scalar"],
        ["x.yml:6:3", "warning", "unused-selection"],
    ]
    assert "did you mean 'from'?" in lines[0]
    assert summary == f"{tmp_path} is not good: 2 errors and 1 warning"
    assert "\x1b" not in done.stdout


def test_warnings_fail_only_if_asked(tmp_path: Path) -> None:
    """A warning is exit code 0, with --strict 1."""
    folder = str(write(tmp_path, UNUSED))
    assert (done := clawback("rules", "check", folder)).returncode == ExitCode.OK
    assert done.stdout.splitlines()[-1].endswith("; 1 warning")
    assert clawback("rules", "check", folder, "--strict").returncode == ExitCode.NO


def test_json_has_everything_in_fields(tmp_path: Path) -> None:
    """As JSON each problem has severity, place, code, text, message and remedy.

    A good folder its counts.
    """
    answer = json.loads(clawback("rules", "check", str(write(tmp_path, UNUSED)), "--json").stdout)
    (problem,) = answer["problems"]
    assert answer["good"] is True
    assert {
        key: problem[key] for key in ("severity", "path", "file", "line", "column", "code", "text")
    } == {
        "severity": "warning",
        "path": str(tmp_path / "x.yml"),
        "file": "x.yml",
        "line": 6,
        "column": 3,
        "code": "unused-selection",
        "text": "other",
    }
    (folder,) = answer["folders"]
    assert (folder["rules"], folder["responding"], folder["errors"], folder["warnings"]) == (
        1,
        0,
        0,
        1,
    )


def test_github_annotations_name_the_place_and_are_escaped(tmp_path: Path) -> None:
    """Each problem is a workflow command that GitHub takes, whatever is in the text."""
    write(tmp_path, {"a,b:100%.yml": "title: |\n  a\nname: 'x\n\n  y%'\n"})
    commands = [
        line
        for line in clawback(
            "rules", "check", str(tmp_path), "--format", "github"
        ).stdout.splitlines()
        if line[:2] == "::"
    ]
    assert commands
    for command in commands:
        found = re.fullmatch(
            r"::(error|warning) file=([^,:]+),line=(\d+),col=(\d+),title=([a-z-]+)::(.+)", command
        )
        assert found is not None, command
        assert found[2].endswith("/a%2Cb%3A100%25.yml")
        assert "%" not in re.sub(r"%(25|0A|0D)", "", found[6])


def test_a_terminal_shows_the_line_and_a_mark(tmp_path: Path) -> None:
    """On a terminal the line of the file is shown with a mark under the offending text."""
    write(tmp_path, {"x.yml": block("sel: {subjct: a}\ncondition: sel")})
    shown = re.sub(
        r"\x1b\[[0-9;]*m", "", on_a_terminal("rules", "check", str(tmp_path))
    ).splitlines()
    line = next(number for number, text in enumerate(shown) if "sel: {subjct: a}" in text)
    assert shown[line + 1].index("^") == shown[line].index("subjct")
    assert shown[line + 3].startswith("  → did you mean 'subject'?")


def on_a_terminal(*arguments: str) -> str:
    """Run a command whose output is a terminal, and give what it shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from clawback.cli import main; main()", *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        process.wait(60)
    os.close(ours)
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side was closed
        return b""


def test_what_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """A missing path, or a file outside of a folder of rules, is a usage error."""
    assert clawback("rules", "check", str(tmp_path / "nowhere")).returncode == ExitCode.USAGE
    (tmp_path / "x.yml").write_text("title: x\n")
    done = clawback("rules", "check", str(tmp_path / "x.yml"))
    assert done.returncode == ExitCode.USAGE
    assert "safety.yml" in sentence(done)


def test_the_hook_runs_as_pre_commit_runs_it(tmp_path: Path) -> None:
    """The hook, given changed files from the top of a repository, stops a bad set only."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (hook,) = [hook for hook in hooks if hook["id"] == "clawback-rules-check"]
    rules = tmp_path / "rules"
    shutil.copytree(SHIPPED, rules)
    changed = sorted(str(path.relative_to(tmp_path)) for path in rules.rglob("*.yml"))
    assert all(re.search(hook["files"], name) for name in changed)
    assert run_hook(hook["entry"], changed, tmp_path).returncode == ExitCode.OK

    (rules / "bec" / "quarantine_bec.yml").write_text("title: 010\n")
    done = run_hook(hook["entry"], ["rules/bec/quarantine_bec.yml"], tmp_path)
    assert done.returncode == ExitCode.NO
    assert done.stdout.startswith("rules/bec/quarantine_bec.yml:1:8: error: ")


def run_hook(entry: str, files: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the entry of a hook at the top of a repository, with this environment's commands."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        [*shlex.split(entry), *files],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_limits_outside_the_folder_apply_to_every_command(tmp_path: Path) -> None:
    """A check refuses a status that they do not allow; the list shows the mode that holds."""
    rules = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    outside = (rules / "safety.yml").rename(tmp_path / "limits.yml")
    outside.write_text("allow: {stable: []}\n")
    variables = {"CLAWBACK_SAFETY": str(outside), "CLAWBACK_RULES": str(rules)}

    done = clawback("rules", "check", str(rules / "a_rule.yml"), **variables)
    assert done.returncode == ExitCode.NO
    assert "a_rule.yml:4:9: error: status-not-allowed:" in done.stdout
    (row,) = json.loads(clawback("rules", "list", "--json", **variables).stdout)["rules"]
    assert (row["mode"], row["mode_of_rule"]) == ("approve", "enforce")

    (rules / "safety.yml").write_text("{}\n")
    done = clawback("rules", "check", **variables)
    assert "remove this one, or unset CLAWBACK_SAFETY" in done.stdout
