"""The command line as people and scripts meet it.

A real process, its sentences and its exit codes.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawback.audit import AuditLog
from clawback.cli.exits import ExitCode
from clawback.cli.lazy_group import LazyGroup
from clawback.cli.program import COMMANDS, load, run
from clawback.model.audit_record import AuditRecord, RecordKind
from tests.cli.command import COMMAND, clawback, environment_of, sentence


def write_audit(path: Path, count: int = 3) -> Path:
    """Write an audit of some records."""
    records = [
        AuditRecord(id=f"r{number}", at=datetime.now(UTC), kind=RecordKind.ACTED, outcome="moved")
        for number in range(count)
    ]
    AuditLog(path).append(records)
    return path


def run_anew(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `clawback` as people do, from the start of the interpreter to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment_of(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_version_and_help() -> None:
    """`--version` says the version; help names every command there is."""
    assert run_anew("--version").stdout.startswith("clawback 0.")
    done = run_anew("--help")
    assert done.returncode == 0
    assert all(f"  {command}" in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_loads(command: str) -> None:
    """Each command of the tree can be loaded and has help."""
    assert load(command).help


def test_the_summaries_are_those_of_the_commands() -> None:
    """Help lists the commands of a group without importing them, and says what each says."""
    rules = load("rules")
    assert isinstance(rules, LazyGroup)
    told = {**COMMANDS, **{f"rules {name}": one for name, one in rules.lazy.items()}}
    said = {
        **{name: load(name).get_short_help_str(200) for name in COMMANDS},
        **{f"rules {name}": one.get_short_help_str(200) for name, one in rules.commands.items()},
    }
    assert {name: one.summary for name, one in told.items()} == said


@pytest.mark.parametrize("words", ["--help", "rules --help", "rules check --help"])
def test_help_imports_no_client(words: str) -> None:
    """Neither Temporal's nor an HTTP client: each takes a quarter of a second."""
    code = (
        f"import sys; sys.argv = ['clawback', *{words.split()!r}]; "
        "from clawback.cli.program import run; run(sys.argv[1:]); "
        "print({'temporalio', 'httpx', 'clawback.simulator'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_flows_into_the_width_of_the_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of a paragraph are filled, as in the help of the program itself, without boxes."""
    monkeypatch.setenv("COLUMNS", "80")
    loaded = load(command)
    for words in [[command], *([command, name] for name in getattr(loaded, "commands", {}))]:
        assert run([*words, "--help"]) == ExitCode.OK
        shown = capsys.readouterr().out
        assert shown.startswith(f"Usage: clawback {' '.join(words)} [OPTIONS]")
        assert max(map(len, shown.splitlines())) <= 80
        # The summary of each subcommand fits into its line.
        assert not any(line.endswith("...") for line in shown.splitlines()[1:])


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("audit", "verfy"), ("audit", "verify", "--nope")]
)
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    """What is not a command or an option ends with the code for usage and one sentence."""
    done = clawback(*arguments)
    assert done.returncode == ExitCode.USAGE
    assert sentence(done).startswith("clawback: No such")


@pytest.mark.parametrize("missing", ["typer", "temporalio"])
def test_a_missing_package_says_how_to_install_it(missing: str) -> None:
    """Without the requirements, at start or in one command, there is no traceback."""
    code = f"import sys; sys.modules['{missing}'] = None; from clawback.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "stop", "--reason", "a test"],
        env=environment_of(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.ENVIRONMENT
    assert sentence(done) == (
        f"clawback: the package {missing} is not installed: run make env in a checkout, "
        "or install clawback again"
    )


def test_a_wrong_setting_is_named_with_the_nearest_one() -> None:
    """An unknown setting is a usage error that names the nearest setting."""
    done = clawback("audit", "verify", CLAWBACK_INTERVALL="5s")
    assert done.returncode == ExitCode.USAGE
    assert (
        sentence(done)
        == "clawback: CLAWBACK_INTERVALL: unknown setting; did you mean CLAWBACK_INTERVAL?"
    )


def test_audit_verify_of_an_intact_file(tmp_path: Path) -> None:
    """An intact audit is exit code 0, for people and as JSON.

    The state folder is looked into unless a file is named.
    """
    path = write_audit(tmp_path / "simulator" / "audit.jsonl")
    done = clawback("audit", "verify", CLAWBACK_STATE=str(tmp_path))
    assert done.returncode == ExitCode.OK
    assert "is intact: 3 records, 1 to 3" in done.stdout
    answer = json.loads(clawback("audit", "verify", str(path), "--json").stdout)
    assert (answer["intact"], answer["lines"]) == (True, 3)


def test_audit_verify_of_a_broken_file(tmp_path: Path) -> None:
    """A broken audit is exit code 1 and says where."""
    path = write_audit(tmp_path / "audit.jsonl")
    path.write_bytes(path.read_bytes().replace(b"moved", b"mov3d", 1))
    done = clawback("audit", "verify", str(path))
    assert done.returncode == ExitCode.NO
    assert "is broken at line 1: the line was changed" in done.stdout
    assert json.loads(clawback("audit", "verify", str(path), "--json").stdout)["line"] == 1


def test_a_file_that_is_not_there_is_the_environments_fault(tmp_path: Path) -> None:
    """A missing file is named, with the code for the environment."""
    done = clawback("audit", "verify", str(tmp_path / "none.jsonl"))
    assert done.returncode == ExitCode.ENVIRONMENT
    assert sentence(done).endswith("none.jsonl: No such file or directory")


@pytest.mark.parametrize(
    "arguments", [("poll", "status"), ("case", "list"), ("case", "show", "case/x/0")]
)
def test_no_server_is_one_sentence(arguments: tuple[str, ...]) -> None:
    """Without a Temporal server a command names the address it tried and the remedy."""
    done = clawback(*arguments, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert done.returncode == ExitCode.ENVIRONMENT
    assert (
        "no Temporal server answers at 127.0.0.1:1 (check TEMPORAL_ADDRESS, and whether the server "
        "wants TLS: TEMPORAL_TLS_*)" in sentence(done)
    )


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    """Output into a closed pipe ends quietly."""
    path = write_audit(tmp_path / "audit.jsonl", 1)
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, "audit", "verify", str(path), "--json"]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    os.close(writing)
    assert done.stderr == ""
