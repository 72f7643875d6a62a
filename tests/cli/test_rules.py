"""`clawback rules` on the shipped rules, and on folders with something wrong."""

import json
from pathlib import Path

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback, sentence

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
