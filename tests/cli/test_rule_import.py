"""`clawback rules import` as people run it."""

import json
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback
from tests.rules.folders import write
from tests.rules.test_sigma_import import MAIL

OTHER = MAIL.replace("product: m365, service: exchange", "category: dns").replace(
    "title: Invoice from a Free Domain", 'title: "\\e[31mDns"'
)


@pytest.fixture
def sigma(tmp_path: Path) -> Path:
    """A folder with a rule on mail and one on something else."""
    folder = tmp_path / "sigma"
    folder.mkdir()
    (folder / "mail.yml").write_text(MAIL)
    (folder / "other.yml").write_text(OTHER)
    return folder


def test_a_folder_is_imported_with_a_report(sigma: Path, tmp_path: Path) -> None:
    """What applies is written and loads; what does not is named with the reason."""
    rules = write(tmp_path / "rules", {})
    done = clawback("rules", "import", str(sigma), "--out", str(rules))
    assert done.returncode == ExitCode.NO
    assert "SenderFromAddress → from" in done.stdout
    assert f"refused   {sigma}/other.yml: \N{REPLACEMENT CHARACTER}[31mDns" in done.stdout
    assert "  its events are not e-mail: category dns" in done.stdout
    assert "1 of 2 rules imported" in done.stdout
    path = rules / "invoice_from_a_free_domain.yml"
    assert "response" not in path.read_text()
    assert clawback("rules", "check", str(rules)).returncode == ExitCode.OK
    assert clawback("rules", "fmt", "--check", str(path)).returncode == ExitCode.OK


def test_nothing_is_overwritten(sigma: Path, tmp_path: Path) -> None:
    """A second import gets a name of its own."""
    rules = write(tmp_path / "rules", {})
    for _ in range(2):
        clawback("rules", "import", str(sigma / "mail.yml"), "--out", str(rules))
    assert sorted(path.name for path in rules.glob("invoice*")) == [
        "invoice_from_a_free_domain.yml",
        "invoice_from_a_free_domain_2.yml",
    ]


def test_a_response_is_in_shadow_mode(sigma: Path, tmp_path: Path) -> None:
    """With `--respond` the rule has tests that pass, and only records."""
    rules = write(tmp_path / "rules", {})
    command = ("rules", "import", str(sigma / "mail.yml"), "--respond", "--out", str(rules))
    assert clawback(*command).returncode == ExitCode.OK
    text = (rules / "invoice_from_a_free_domain.yml").read_text()
    assert "  mode: shadow\n" in text.replace('"', "")
    tested = clawback("rules", "test", str(rules))
    assert tested.returncode == ExitCode.OK, tested.stdout


def test_a_dry_run_writes_nothing(sigma: Path, tmp_path: Path) -> None:
    """It only reports, also as JSON."""
    rules = write(tmp_path / "rules", {})
    done = clawback("rules", "import", str(sigma), "--dry-run", "--json", "--out", str(rules))
    assert [one["imported"] for one in json.loads(done.stdout)] == [True, False]
    assert [path.name for path in rules.iterdir()] == ["safety.yml"]


def test_what_the_loader_refuses_is_refused(sigma: Path, tmp_path: Path) -> None:
    """The problem of the loader is the reason."""
    (sigma / "mail.yml").write_text(MAIL.replace("selection and not filter", "selectoin"))
    done = clawback("rules", "import", str(sigma / "mail.yml"), "--out", str(tmp_path / "new"))
    assert done.returncode == ExitCode.NO
    assert "selectoin" in done.stdout
    assert not (tmp_path / "new").exists()
