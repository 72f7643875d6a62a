"""A folder of rules gives away no file outside of it, whatever its links say."""

import os
from pathlib import Path

import pytest

from clawback.cli.rules.check import TerminalPrinter, check_folder
from clawback.rules import RuleErrors, load_rules
from clawback.rules.source.rule_files import LinkOutOfFolder, read_rule_file
from tests.rules.folders import PLAIN, write

SECRET = "root:$6$canary:20000\n\tbroken: [\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of every folder of rules."""
    file = tmp_path / "shadow"
    file.write_text(SECRET)
    return file


@pytest.mark.parametrize(
    "name", ["x.yml", "bec/x.yaml", "lists/x.yml", "exceptions/x.yml", "safety.yml"]
)
def test_a_link_out_of_the_folder_is_not_read(tmp_path: Path, secret: Path, name: str) -> None:
    """Whatever kind of file it stands for, the problem names the link and quotes nothing."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    with pytest.raises(RuleErrors) as refused:
        load_rules(folder)
    assert [one for one in refused.value.problems if str(one).startswith(f"{name}:1:1: unreadable")]
    assert "canary" not in str(refused.value)


def test_the_source_shown_on_a_terminal_is_not_that_of_a_link(
    tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`rules check` shows the line of a problem, but never of a file outside."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "b.yml": "title: 010\n"})
    (folder / "x.yml").symlink_to(secret)
    checked, printer = check_folder(folder), TerminalPrinter()
    for problem in checked.problems:
        printer(checked, problem)
    shown = capsys.readouterr().out
    assert "x.yml" in shown
    assert "│ title: 010" in shown
    assert "$6$" not in shown


@pytest.mark.parametrize("target", ["../rules-of-others/x.yml", ".git/config", "/dev/zero"])
def test_other_ways_out(tmp_path: Path, target: str) -> None:
    """A sibling with the same prefix, a hidden file and a device are outside, too."""
    folder = write(tmp_path / "rules", {".git/config": SECRET})
    write(tmp_path / "rules-of-others", {"x.yml": SECRET})
    (folder / "x.yml").symlink_to(target)
    with pytest.raises(LinkOutOfFolder):
        read_rule_file(folder, "x.yml")


def test_a_pipe_and_a_loop_are_errors(tmp_path: Path) -> None:
    """What is no file is refused, without waiting for it."""
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    for name in ("pipe.yml", "loop.yml"):
        with pytest.raises(OSError, match=r"regular|symbolic"):
            read_rule_file(tmp_path, name)


def test_a_mounted_config_map_is_read(tmp_path: Path) -> None:
    """Kubernetes mounts links to `..data`, itself a link; the folder may be a link as well."""
    mount = tmp_path / "mount"
    write(mount / "..2026_11_28", {"a_rule.yml": PLAIN})
    (mount / "..data").symlink_to("..2026_11_28")
    for name in ("a_rule.yml", "safety.yml"):
        (mount / name).symlink_to(f"..data/{name}")
    (tmp_path / "rules").symlink_to(mount)
    assert list(load_rules(tmp_path / "rules").rules) == ["a_rule"]
