"""`clawback rules new` as a person meets it.

An event in, a rule file out, nothing ever overwritten.
"""

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest

from clawback.cli.exits import ExitCode
from clawback.simulator import Simulator
from tests.cli.command import clawback, sentence

SHIPPED = Path(__file__).parents[2] / "rules"
RECORD = {
    "id": "one",
    "scanned_at": "2026-11-20T08:00:00Z",
    "final_disposition": "MALICIOUS",
    "from": "it@evil.test",
    "subject": "Pay",
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the shipped rules."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


def written(folder: Path, *values: object) -> str:
    """A file of JSON lines."""
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(value) + "\n" for value in values))
    return str(file)


def test_an_event_becomes_a_rule_that_passes(rules: Path, tmp_path: Path) -> None:
    """The file is named after the rule, names the schema, and is good among the shipped rules."""
    event = written(tmp_path, {"message": RECORD, "detections": {}})
    done = clawback("rules", "new", "--event", event, "--out", str(rules / "drafts"))
    path = rules / "drafts" / "malicious_evil_test.yml"
    assert done.returncode == ExitCode.OK
    assert done.stdout.startswith(f"wrote {path}\n3 of its 3 tests pass")
    assert path.read_text().startswith("# yaml-language-server: $schema=../schema.json\n")
    assert clawback("rules", "check", str(path)).returncode == ExitCode.OK


def test_nothing_is_overwritten(rules: Path, tmp_path: Path) -> None:
    """A suggested name that is taken gets a number; one that was asked for is refused."""
    event = written(tmp_path, RECORD)
    for _ in range(2):
        assert (
            clawback("rules", "new", "--event", event, "--out", str(rules)).returncode
            == ExitCode.OK
        )
    assert {path.name for path in rules.glob("malicious_*.yml")} == {
        "malicious_evil_test.yml",
        "malicious_evil_test_2.yml",
    }
    done = clawback(
        "rules", "new", "--event", event, "--out", str(rules), "--name", "quarantine_bec"
    )
    assert done.returncode == ExitCode.USAGE
    assert "bec/quarantine_bec.yml" in sentence(done)


def test_it_can_be_printed_and_picked_by_line(tmp_path: Path) -> None:
    """With --out - nothing is written; --line picks one event of several."""
    event = written(tmp_path, RECORD, {**RECORD, "id": "two", "from": "b@other.test"})
    done = clawback(
        "rules", "new", "--event", event, "--line", "2", "--out", "-", CLAWBACK_RULES=str(SHIPPED)
    )
    assert done.returncode == ExitCode.OK
    assert "\nname: malicious_other_test\n" in done.stdout
    assert 'from|endswith: "@other.test"' in done.stdout


def test_it_says_what_it_left_out(tmp_path: Path) -> None:
    """Free mail is asked for by address, whatever the folder lists, and the output says why."""
    event = written(tmp_path, {**RECORD, "from": "a@gmx.at", "from_name": "Bank"})
    done = clawback("rules", "new", "--event", event, "--out", str(tmp_path / "new"))
    assert 'it asks for\n  final_disposition: MALICIOUS\n  from: "a@gmx.at"' in done.stdout
    assert 'comments, to use instead or besides\n  from_name: "Bank"' in done.stdout
    assert "it leaves out\n  the domain gmx.at of the sender alone" in done.stdout


async def test_an_id_is_read_from_the_demo() -> None:
    """Without credentials `--id` reads the simulator of `clawback up`."""
    simulator = Simulator()
    simulator.add([{"message": RECORD | {"id": "m1-a-0"}}])
    async with simulator.serve() as url:
        port = {"CLAWBACK_SIMULATOR_PORT": str(httpx.URL(url).port)}
        command = ("rules", "new", "--id", "m1-a-0", "--out", "-")
        done = await asyncio.to_thread(clawback, *command, **port)
    assert 'from|endswith: "@evil.test"' in done.stdout, done.stderr


def test_the_demo_mail_makes_rules(rules: Path) -> None:
    """`--demo` needs nothing that runs, and picks mail that has a verdict."""
    done = clawback("rules", "new", "--demo", "--line", "3", "--out", str(rules))
    assert done.returncode == ExitCode.OK, done.stderr
    assert " tests pass with the other rules" in done.stdout
    assert "\n  final_disposition: " in done.stdout


@pytest.mark.parametrize("options", [(), ("--demo", "--id", "x")])
def test_one_source_is_needed(options: tuple[str, ...]) -> None:
    """None and two are usage errors."""
    done = clawback("rules", "new", *options)
    assert done.returncode == ExitCode.USAGE
    assert "give one of --event, --id, --from-case, --demo" in sentence(done)


@pytest.mark.parametrize(
    ("options", "record", "said"),
    [
        (("--name", "No-Good"), RECORD, "is not a rule name"),
        (("--line", "2"), RECORD, "has 1 events, no number 2"),
        ((), {"id": "one"}, "has no verdict, sender or subject"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, options: tuple[str, ...], record: dict[str, str], said: str
) -> None:
    """A bad name, a missing line and an event without content are usage errors."""
    done = clawback("rules", "new", "--event", written(tmp_path, record), "--out", "-", *options)
    assert done.returncode == ExitCode.USAGE
    assert said in sentence(done)
