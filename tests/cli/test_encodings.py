"""What commands print where the encoding of the terminal or pipe lacks characters."""

import json
import subprocess
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import COMMAND, environment_of
from tests.rules.folders import PLAIN, write

RULE = PLAIN.replace("title: A rule", "title: Größe 🐟").replace("a@x.test", "ü@x.test")


def run(encoding: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose streams have an encoding."""
    environment = environment_of(PYTHONIOENCODING=encoding, PYTHONUTF8="0", **settings)
    command = [*COMMAND[:2], f"import sys; sys.argv[1:] = {list(arguments)!r}; {COMMAND[2]}"]
    return subprocess.run(command, capture_output=True, env=environment, check=False, timeout=300)


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [("ascii", ("list",)), ("latin-1", ("test",)), ("cp1252", ("check",))],
    ids=["ascii", "latin-1", "cp1252"],
)
def test_no_character_stops_a_command(
    tmp_path: Path, encoding: str, arguments: tuple[str, ...]
) -> None:
    """A title with characters that the encoding lacks is printed with escapes."""
    folder = write(tmp_path, {"größe 🐟/a_rule.yml": RULE})

    done = run(encoding, "rules", *arguments, CLAWBACK_RULES=str(folder))

    assert done.returncode in {ExitCode.OK, ExitCode.USAGE}, done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_json_is_the_same_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    """Escapes of JSON stand for what the encoding lacks."""
    folder = write(tmp_path, {"a_rule.yml": RULE})

    done = run(encoding, "rules", "list", "--json", CLAWBACK_RULES=str(folder))

    answer = json.loads(done.stdout.decode(encoding))
    assert "Größe 🐟" in {rule["title"] for rule in answer["rules"]}


def test_the_schema_is_utf_8() -> None:
    """A file that is printed is UTF-8, also where the terminal is not."""
    done = run("ascii", "rules", "schema")
    assert json.loads(done.stdout.decode("utf-8"))["title"] == "clawback rule"
