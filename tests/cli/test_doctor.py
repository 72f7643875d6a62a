"""`clawback doctor` as a process.

Its rows, its exit code, and that no broken matter hides another.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawback.cli.exits import ExitCode
from clawback.local import free_port
from clawback.simulator import Simulator, SimulatorOptions, TokenScope
from tests.cli.command import clawback
from tests.cli.test_program import write_audit
from tests.notifications.receivers import web_receiver

RULES = Path(__file__).parents[2] / "rules"


def doctor(tmp_path: Path, **changes: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run it with nothing running around it; gives the exit code and the findings by check."""
    own = {
        "CLAWBACK_STATE": str(tmp_path / "state"),
        "CLAWBACK_RULES": str(RULES),
        "CLAWBACK_METRICS": f"127.0.0.1:{free_port()}",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }
    done = clawback("doctor", "--json", **{**own, **changes})
    assert "Traceback" not in done.stderr
    answer = json.loads(done.stdout)
    assert answer["healthy"] is (done.returncode == ExitCode.OK)
    return done.returncode, {one["check"]: one for one in answer["findings"]}


def test_what_does_not_run_is_a_problem_with_a_remedy_and_hides_nothing(tmp_path: Path) -> None:
    """Without server and worker both are problems that say what to do.

    Everything else is still looked at, and nothing is made.
    """
    code, found = doctor(tmp_path)
    assert code == ExitCode.NO
    problems = {name for name, one in found.items() if one["status"] == "problem"}
    assert problems == {"worker", "temporal"}
    assert all(found[name]["remedy"] for name in problems)
    assert {"settings", "mode", "rules", "audit", "disk", "cloudflare"} <= set(found)
    assert not (tmp_path / "state").exists()


def test_it_reads_as_a_table(tmp_path: Path) -> None:
    """People get one table with what to do under what is wrong, and a count."""
    done = clawback(
        "doctor",
        CLAWBACK_STATE=str(tmp_path),
        CLAWBACK_RULES=str(RULES),
        TEMPORAL_ADDRESS="127.0.0.1:1",
    )
    assert "temporal" in done.stdout
    assert "→ start the server" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" warnings, 2 problems")


def test_a_setting_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    """All else depends on the settings; the variable is named."""
    code, found = doctor(tmp_path, CLAWBACK_INTERVALL="5s")
    assert (code, list(found)) == (ExitCode.NO, ["settings"])
    assert "did you mean CLAWBACK_INTERVAL" in found["settings"]["found"]


def test_bad_rules_a_broken_audit_and_an_unusable_one(tmp_path: Path) -> None:
    """Each is a problem of its own row."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "bad.yml").write_text("title: Broken\nnam: broken\n")
    audit = write_audit(tmp_path / "audit.jsonl")
    audit.write_bytes(audit.read_bytes().replace(b"moved", b"mov3d", 1))
    _, found = doctor(tmp_path, CLAWBACK_RULES=str(rules), CLAWBACK_AUDIT=str(audit))
    assert (found["rules"]["status"], found["audit"]["status"]) == ("problem", "problem")
    assert "the line was changed" in found["audit"]["found"]
    _, found = doctor(tmp_path, CLAWBACK_AUDIT=str(audit / "below-a-file"))
    assert "cannot be written" in found["audit"]["found"]


@pytest.mark.parametrize(
    ("token", "status", "says"),
    [
        ("g00d-t0ken", "ok", "accepts the token"),
        ("bl1nd-t0ken", "problem", "may not read Email Security"),
        ("wr0ng-t0ken", "problem", "does not know the token"),
    ],
)
async def test_the_token_is_tried(tmp_path: Path, token: str, status: str, says: str) -> None:
    """A good token shows the rate limit and the clock.

    A bad one is a problem, and is never printed.
    """
    simulator = Simulator(
        SimulatorOptions(tokens={"g00d-t0ken": TokenScope.READ, "bl1nd-t0ken": TokenScope.NONE})
    )
    async with simulator.serve() as url:
        credentials = {
            "CLOUDFLARE_API_TOKEN": token,
            "CLOUDFLARE_ACCOUNT_ID": "0" * 32,
            "CLAWBACK_API_URL": url,
        }
        _, found = await asyncio.to_thread(doctor, tmp_path, **credentials)
    assert found["cloudflare"]["status"] == status
    assert says in found["cloudflare"]["found"]
    assert token not in json.dumps(found)
    assert found["clock"]["status"] == "ok"
    assert ("rate limit" in found) is (status == "ok")


def test_half_of_the_credentials_is_a_problem(tmp_path: Path) -> None:
    """A token without an account, or an account without a token."""
    for half in ({"CLOUDFLARE_API_TOKEN": "t0ken-t0ken"}, {"CLOUDFLARE_ACCOUNT_ID": "0" * 32}):
        _, found = doctor(
            tmp_path,
            CLAWBACK_API_URL="http://127.0.0.1:1" if "CLOUDFLARE_API_TOKEN" in half else "",
            **half,
        )
        assert found["cloudflare"]["status"] == "problem"
        assert "neither to use the simulator" in found["cloudflare"]["found"] + (
            found["cloudflare"]["remedy"] or ""
        )


def test_a_test_message_is_sent_and_nothing_else_is_checked(tmp_path: Path) -> None:
    """It needs no server, and its exit code says whether it was accepted."""
    file = tmp_path / "channels.toml"
    with web_receiver(204, 404) as receiver:
        file.write_text(f'[soc]\nkind = "slack"\nurl = "{receiver.url}"\n')
        runs = [
            clawback("doctor", "--send-test", "soc", CLAWBACK_CHANNELS=str(file)) for _ in range(2)
        ]
    assert [done.returncode for done in runs] == [ExitCode.OK, ExitCode.NO]
    assert "accepted the test" in runs[0].stdout
    assert "status 404" in runs[1].stdout
    assert len(receiver.requests) == 2
