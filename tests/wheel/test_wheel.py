"""The built wheel, installed alone: every command works in a folder that has nothing of ours."""

import re
import signal
import zipfile
from pathlib import Path

import pytest

from clawback.app_files import build_id
from clawback.cli.exits import ExitCode
from tests.wheel.conftest import Installed


def test_the_wheel_has_one_package(installed: Installed) -> None:
    """The wheel installs `clawback` and nothing else."""
    (wheel,) = installed.bin.parents[1].glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"clawback"}


def test_the_package_does_not_come_from_the_checkout(installed: Installed, tmp_path: Path) -> None:
    """The tests below run the wheel: `clawback` is in the environment's site-packages."""
    shown = "import clawback; print(clawback.__file__)"
    done = installed.run(tmp_path, "python", "-c", shown)
    assert Path(done.stdout.strip()).is_relative_to(installed.bin.parent)


def test_the_wheel_is_the_build_of_its_checkout(installed: Installed, folder: Path) -> None:
    """Workers of both may work side by side for the same cases."""
    printed = installed.run(folder, "clawback", "--version").stdout
    assert printed == f"clawback {build_id()}\n"


def test_rule_commands_use_the_shipped_rules(installed: Installed, folder: Path) -> None:
    """Without `./rules`, check, test and list take the shipped rules and say so."""
    checked = installed.run(folder, "clawback", "rules", "check")
    assert re.search(r"/clawback/_app/rules \(shipped; .* is good: \d+ rules", checked.stdout)

    tested = installed.run(folder, "clawback", "rules", "test")
    assert re.search(r"(\d+) of \1 tests of \d+ rules passed", tested.stdout)

    listed = installed.run(folder, "clawback", "rules", "list")
    assert "quarantine_bec" in listed.stdout
    assert "/clawback/_app/rules (shipped; " in listed.stdout


def test_rules_init_copies_the_shipped_rules(installed: Installed, folder: Path) -> None:
    """`rules init` makes `./rules`, which is then the default, and never overwrites it."""
    installed.run(folder, "clawback", "rules", "init", "rules")
    safety = folder / "rules" / "safety.yml"
    safety.write_text(safety.read_text() + "# edited\n")

    refused = installed.run(folder, "clawback", "rules", "init", "rules", code=ExitCode.USAGE)
    assert "rules exists and is not empty" in refused.stderr
    assert safety.read_text().endswith("# edited\n")
    assert installed.run(folder, "clawback", "rules", "check").stdout.startswith("rules is good")


def test_pytest_runs_the_rules(installed: Installed, folder: Path) -> None:
    """The pytest plugin runs the tests of rules that were copied out."""
    installed.run(folder, "clawback", "rules", "init", "rules")
    program = "import pytest, sys; sys.exit(pytest.main(['-q', '-p', 'no:asyncio', 'rules/bec']))"
    done = installed.run(folder, "python", "-P", "-c", program)
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)


def test_doctor_accepts_the_shipped_rules(installed: Installed, folder: Path) -> None:
    """`doctor` misses a server, not the rules."""
    done = installed.run(folder, "clawback", "doctor", code=ExitCode.NO)
    assert re.search(r"rules +ok +\S+/clawback/_app/rules \(shipped", done.stdout)


def test_worker_runs_the_packaged_worker(installed: Installed, folder: Path) -> None:
    """`worker` gets as far as the missing Temporal server."""
    done = installed.run(folder, "clawback", "worker", code=ExitCode.ENVIRONMENT)
    assert "no Temporal server" in done.stdout + done.stderr


def test_rehearse_with_invented_mail(installed: Installed, folder: Path) -> None:
    """`rehearse` passes on its invented corpus with the shipped rules."""
    done = installed.run(folder, "clawback", "rehearse", "--seed", "1")
    assert "(shipped; " in done.stderr


@pytest.mark.parametrize("folder", ["empty", "hostile"], indirect=True)
def test_up_acts_on_the_demo(installed: Installed, folder: Path) -> None:
    """`up` starts every process and acts on the first mail of the demo, until Ctrl-C."""
    shown = []
    with installed.running(folder, "clawback", "up", "--plain") as process:
        for line in process.stdout or ():
            shown.append(line)
            if re.search(r"acted [1-9]", line):
                process.send_signal(signal.SIGINT)
    assert process.returncode == ExitCode.OK, "".join(shown)
    assert any(re.match(r"rules: .*\(shipped; ", line) for line in shown)


def test_simulate_serves(installed: Installed, folder: Path) -> None:
    """`simulate` starts its server and ends when told to."""
    with installed.running(folder, "clawback", "simulate", "--port", "0") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    assert "simulator is at http://127.0.0.1:" in first
    assert process.returncode == ExitCode.OK
