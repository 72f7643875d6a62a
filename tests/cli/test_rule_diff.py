"""`clawback rules diff`: what changed in rules since a revision, and what that changes."""

import json
import subprocess
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback, sentence
from tests.rules.folders import PLAIN, write

WIDER = (
    PLAIN.replace("sel: {from: a@x.test}", "sel: {from: [b@x.test, c@x.test]}")
    .replace("event: {from: a@x.test}", "event: {from: c@x.test}")
    .replace("event: {from: b@x.test}, expect: no", "event: {from: d@x.test}, expect: no")
)
OTHER = PLAIN.replace("a_rule", "b_rule").replace("7c11", "7c12").replace("a@x", "z@x")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    author = ["-c", "user.name=t", "-c", "user.email=t@x.test", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *author, *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rules, committed."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "b_rule.yml": OTHER})
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of four senders."""
    path = tmp_path / "corpus.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "message": {
                        "id": f"m{n}",
                        "from": f"{one}@x.test",
                        "subject": "\x1b[31mhi",
                        "scanned_at": f"2026-01-0{n + 1}T00:00:00Z",
                    }
                }
            )
            + "\n"
            for n, one in enumerate("abcd")
        )
    )
    return path


def test_without_changes_nothing_differs(folder: Path, corpus: Path) -> None:
    """The work tree is that of the revision."""
    done = clawback("rules", "diff", "--rules", str(folder), "--corpus", str(corpus))
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stdout == "0 rules differ from HEAD, over 4 events\n"


def test_a_change_of_the_condition_shows_matches(folder: Path, corpus: Path) -> None:
    """What is gained and lost is listed with id and sender, without control codes."""
    (folder / "a_rule.yml").write_text(WIDER)
    done = clawback("rules", "diff", "HEAD", "--rules", str(folder), "--corpus", str(corpus))
    assert "changed a_rule: condition, tests" in done.stdout
    assert "matches 1 → 2: 2 gained, 1 lost" in done.stdout
    assert "actions 1 move (enforce) → 2 move (enforce)" in done.stdout
    gained, lost = done.stdout.split("  gained")[1].split("  lost")
    assert [f"  m{n}\n" in gained for n in range(4)] == [False, True, True, False]
    assert "  m0\n" in lost
    assert "\x1b" not in done.stdout


def test_a_change_of_the_response_shows_actions(folder: Path) -> None:
    """Without a history it shows modes and actions as written."""
    changed = PLAIN.replace("status: stable", "status: test").replace("enforce", "approve")
    changed = changed.replace(
        "    - move: {destination: JunkEmail}", "    - reclassify: {disposition: SPAM}"
    )
    (folder / "a_rule.yml").write_text(changed)
    done = clawback("rules", "diff", "--rules", str(folder))
    assert "changed a_rule: actions, status" in done.stdout
    assert "mode enforce → approve" in done.stdout
    assert "- move to JunkEmail\n  + reclassify as SPAM\n" in done.stdout
    assert "matches" not in done.stdout.split("With --corpus")[0]


def test_events_that_wait_for_a_history_count(folder: Path, corpus: Path) -> None:
    """A rule on the history of senders is compared once all of the history is read."""
    first = PLAIN.replace("sel: {from: a@x.test}", "sel: {from: c@x.test, history.messages: 0}")
    tested = first.replace(
        "event: {from: a@x.test}", "event: {from: c@x.test, history: {messages: 0}}"
    )
    (folder / "a_rule.yml").write_text(tested)
    done = clawback("rules", "diff", "--rules", str(folder), "--corpus", str(corpus), "--json")
    (change,) = json.loads(done.stdout)["rules"]
    assert [one["id"] for one in change["effects"]["gained"]] == ["m2"]


def test_added_and_removed_rules(folder: Path, corpus: Path) -> None:
    """Rules that only one version has are named, with what they match."""
    (folder / "b_rule.yml").unlink()
    new = OTHER.replace("b_rule", "c_rule").replace("7c12", "7c13").replace("z@x", "d@x")
    write(folder, {"c_rule.yml": new})
    done = clawback("rules", "diff", "--rules", str(folder), "--corpus", str(corpus), "--json")
    changes = {one["rule"]: one for one in json.loads(done.stdout)["rules"]}
    assert {name: one["change"] for name, one in changes.items()} == {
        "b_rule": "removed",
        "c_rule": "added",
    }
    assert [one["id"] for one in changes["c_rule"]["effects"]["gained"]] == ["m3"]
    assert changes["c_rule"]["mode"] == {"before": None, "after": "enforce"}


def test_a_change_elsewhere_affects_a_rule(folder: Path, corpus: Path) -> None:
    """A rule that stays the same is listed if the safety document changes what it does."""
    (folder / "safety.yml").write_text("allow: {stable: []}\n")
    done = clawback("rules", "diff", "--rules", str(folder), "--corpus", str(corpus))
    assert "affected a_rule\n  mode enforce → approve\n" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "no git revision 'nonsense'"),
        (("HEAD", "--corpus", "x", "--since", "1d"), "not both"),
    ],
)
def test_wrong_commands(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    """Whatever is wrong is a sentence and exit code 2."""
    done = clawback("rules", "diff", *arguments, "--rules", str(folder))
    assert done.returncode == ExitCode.USAGE
    assert said in sentence(done)
