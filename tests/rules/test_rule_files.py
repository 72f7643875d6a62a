"""A folder of rules gives away no file outside of it, whatever its links say."""

import os
from pathlib import Path

import pytest

from clawback.cli.rule_folders import find_folder
from clawback.cli.rules.check import TerminalPrinter, check_folder
from clawback.rules import RuleErrors, load_rules
from clawback.rules.live import fingerprint_of
from clawback.rules.loader import load_reviewed
from clawback.rules.source.errors import Code
from clawback.rules.source.rule_files import LinkOutOfFolder, read_rule_file
from tests.rules.folders import PLAIN, is_match, message, write
from tests.rules.mounts import EXCEPTION, MOUNTED, MountedConfigMap

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
    """Its folders are links, too: rules, exceptions and values behind them count."""
    mount = MountedConfigMap(tmp_path / "mount", MOUNTED)
    (tmp_path / "rules").symlink_to(mount.folder)
    rules = load_rules(tmp_path / "rules")
    assert list(rules.rules) == ["a_rule"]
    assert is_match(rules, message(from_="a@x.test", subject="hello"))
    assert not is_match(rules, message(from_="a@x.test", subject="training"))
    assert {rule.path for rule in rules.rules.values()} == {"bec/a_rule.yml"}


def test_exceptions_may_be_a_mount_of_their_own(tmp_path: Path) -> None:
    """Then the files in `exceptions` are links to a `..data` beside them."""
    files = {name: text for name, text in MOUNTED.items() if not name.startswith("exceptions")}
    folder = write(tmp_path / "rules", files)
    MountedConfigMap(folder / "exceptions", {"ours.yml": EXCEPTION})
    assert len(load_rules(folder).filters) == 1


def test_a_file_of_a_mount_is_found_by_its_name(tmp_path: Path) -> None:
    """`clawback rules test rules/exceptions/ours.yml` means that file, not the one behind it."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    MountedConfigMap(folder / "exceptions", {"ours.yml": EXCEPTION})
    assert find_folder(folder / "exceptions" / "ours.yml") == (folder, "exceptions/ours.yml")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("../elsewhere", "it is a link out of the folder"),
        ("..", "it is a link out of the folder"),
        (".", "it is a link to a folder above it"),
        (".git/hooks", "it is a link to a hidden file"),
        ("nowhere", "the link leads nowhere"),
        ("exceptions", "the link leads nowhere"),
    ],
)
def test_a_folder_that_is_not_read_is_a_problem(tmp_path: Path, target: str, reason: str) -> None:
    """Without its exceptions, rules would act on mail that they must leave alone."""
    write(tmp_path / "elsewhere", {"x.yml": SECRET})
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, ".git/hooks/x.yml": SECRET})
    (folder / "exceptions").symlink_to(target)
    with pytest.raises(RuleErrors) as refused:
        load_rules(folder)
    assert str(refused.value).startswith("exceptions:1:1: unreadable:")
    assert reason in str(refused.value)
    assert "canary" not in str(refused.value)


def test_links_between_folders_end(tmp_path: Path) -> None:
    """Folders that all link to each other have more paths than anybody can read."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    for name in map(str, range(9)):
        (folder / name).mkdir()
        for other in map(str, range(9)):
            (folder / name / f"to_{other}").symlink_to(folder / other)
    with pytest.raises(
        RuleErrors, match=r"over 20,000 files, 1,000 folders or 100 links"
    ) as refused:
        load_rules(folder)
    assert len(refused.value.problems) == 1


def test_what_cannot_be_looked_at_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or a share may fail for one look; the watcher of the rules must outlive that."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "exceptions/ours.yml": EXCEPTION})
    is_dir = Path.is_dir

    def fail(path: Path) -> bool:
        if path.name == "exceptions":
            raise OSError(5, "Input/output error")
        return is_dir(path)

    before = fingerprint_of(folder)
    monkeypatch.setattr(Path, "is_dir", fail)
    assert fingerprint_of(folder) != before
    with pytest.raises(RuleErrors, match="it cannot be looked at: Input/output error"):
        load_rules(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission_is_a_problem(tmp_path: Path) -> None:
    """A worker under another user does not run without the exceptions."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN, "exceptions/ours.yml": EXCEPTION})
    (folder / "exceptions").chmod(0)
    with pytest.raises(RuleErrors, match="exceptions:1:1: unreadable: the folder cannot be read"):
        load_rules(folder)


def test_a_folder_without_rules_is_a_problem(tmp_path: Path) -> None:
    """A volume that was not mounted is no rule set; a worker would protect nobody."""
    folder = write(tmp_path / "rules", {"exceptions/ours.yml": EXCEPTION, "lists/words.txt": "a\n"})
    with pytest.raises(RuleErrors, match="no-rules: the folder has no rules"):
        load_reviewed(folder)
    assert [problem.code for problem in check_folder(folder).problems] == [Code.NO_RULES]
