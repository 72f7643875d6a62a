"""`clawback rules` on the shipped rules, and on folders with something wrong."""

import json
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback, sentence
from tests.rules.folders import PLAIN, write

SHIPPED = str(Path(__file__).parents[2] / "rules")


def copied(tmp_path: Path, **changes: str) -> str:
    """The shipped rule against BEC in a folder of its own, with texts replaced."""
    source = (Path(SHIPPED) / "bec" / "quarantine_bec.yml").read_text()
    for before, after in changes.items():
        assert before in source
        source = source.replace(before, after)
    (tmp_path / "bec").mkdir()
    (tmp_path / "bec" / "quarantine_bec.yml").write_text(source)
    (tmp_path / "safety.yml").write_text((Path(SHIPPED) / "safety.yml").read_text())
    return str(tmp_path)


def test_the_shipped_rules_are_good_and_pass_their_tests() -> None:
    """What is shipped loads, and each of its tests passes."""
    done = clawback("rules", "check", SHIPPED)
    assert (done.returncode, " is good: " in done.stdout) == (ExitCode.OK, True)
    answer = json.loads(clawback("rules", "test", SHIPPED, "--json").stdout)
    assert answer["good"]
    assert len(answer["tests"]) >= 10


def test_a_bad_rule_is_named_with_its_place(tmp_path: Path) -> None:
    """Everything that is wrong is printed with file, line and column; as JSON it is in fields."""
    line, misspelt = (
        "final_disposition: MALICIOUS-BEC}\n  filter",
        "final_dispositon: MALICIOUS-BEC}",
    )
    folder = copied(tmp_path, **{line: f"{misspelt}\n  filter"})
    done = clawback("rules", "check", folder)
    assert done.returncode == ExitCode.NO
    assert "quarantine_bec.yml:" in done.stdout
    problem = json.loads(clawback("rules", "check", folder, "--json").stdout)["problems"][0]
    assert problem["line"] > 1
    assert "final_disposition" in problem["remedy"]


def test_a_failing_test_says_why(tmp_path: Path) -> None:
    """A test that fails is exit code 1, with its line and the condition as it came out."""
    event = "final_disposition: MALICIOUS}, expect:"
    folder = copied(tmp_path, **{f"{event} no match": f"{event} match"})
    done = clawback("rules", "test", folder, "--rule", "quarantine_bec")
    assert done.returncode == ExitCode.NO
    assert "'another verdict' expected match, found no match" in done.stdout
    assert "final_disposition is MALICIOUS-BEC" in done.stdout
    assert "← MALICIOUS" in done.stdout


def test_an_unknown_rule_is_a_usage_error() -> None:
    """A rule that does not exist is answered with those that do."""
    done = clawback("rules", "test", SHIPPED, "--rule", "nonsense")
    assert done.returncode == ExitCode.USAGE
    assert "there is no rule 'nonsense'; use one of" in sentence(done)


def test_every_command_writes_paths_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the current directory, so that an editor opens them; for a file of the folder too."""
    monkeypatch.chdir(tmp_path)
    path = "set/bec/a_rule.yml"
    failing = PLAIN + "  - {name: third, event: {from: a@x.test}, expect: no match}\n"
    write(Path("set"), {"bec/a_rule.yml": failing})
    Path("event.json").write_text('{"id": "one", "from": "a@x.test"}')

    for where in ("set", path, str(tmp_path / "set")):
        assert clawback("rules", "test", where).stdout.startswith(f"{path}:16: "), where
        listed = clawback("rules", "list", where, "--json", TEMPORAL_ADDRESS="127.0.0.1:9")
        assert [one["file"] for one in json.loads(listed.stdout)["rules"]] == [path]
        event = ("--event", "event.json", "--json")
        why = clawback("rules", "explain", "a_rule", "--rules", where, *event)
        assert json.loads(why.stdout)["rule"]["path"] == path
        assert clawback("rules", "fmt", "--check", where).stdout.splitlines()[:-1] in ([], [path])

    Path(path).write_text("title: 010\n")
    for where in ("set", path, str(tmp_path / "set")):
        for command in ("check", "test", "list"):
            done = clawback("rules", command, where)
            assert f"{path}:1:8: " in done.stdout + done.stderr, (command, where)


def test_a_safety_document_by_another_name_is_refused(tmp_path: Path) -> None:
    """Its limits would not apply, whether there is a second one or not."""
    write(tmp_path, {"a_rule.yml": PLAIN, "Safety.YAML": "hard_delete: false\n"})
    done = clawback("rules", "check", str(tmp_path))
    assert "Safety.YAML:1:1: error: safety: the file is not read by this name; remove it" in (
        done.stdout
    )
    (tmp_path / "safety.yml").unlink()
    done = clawback("rules", "check", str(tmp_path))
    assert "not read by this name; rename it to safety.yml" in done.stdout
    assert done.stdout.count(": error: ") == 1


def test_rules_in_files_of_any_spelling_are_read(tmp_path: Path) -> None:
    """`.YML` and `.yaml` are checked and tested like the others."""
    second = PLAIN.replace("a_rule", "b_rule").replace("6f1c3a52", "7f1c3a52")
    other = second.replace("JunkEmail", "DeletedItems").replace("a@x.test", "c@x.test")
    write(tmp_path, {"a_rule.YML": PLAIN, "sub/b_rule.yaml": other})
    assert "2 rules" in clawback("rules", "check", str(tmp_path)).stdout
    assert "4 of 4 tests" in clawback("rules", "test", str(tmp_path)).stdout
    assert "2 of 2 tests" in clawback("rules", "test", str(tmp_path / "a_rule.YML")).stdout
    assert "1 file would" in clawback("rules", "fmt", "--check", f"{tmp_path}/a_rule.YML").stdout
