"""The comparison with the parent commit: what fails it, and what it excuses."""

from pathlib import Path

from clawback.temporal import names
from tests.replay import neighbor
from tests.replay.neighbor import judge, moving_types, replay, replay_on, stated_breaks
from tests.replay.record import HISTORIES

UNRELEASED = "# Changelog\n\n## Unreleased\n"
FAILURES = {"poller.1.json": ("poller", "it differs"), "case-moved.1.json": ("case", "it differs")}


def test_only_types_that_move_between_builds_fail_the_run() -> None:
    """A case stays on its build."""
    lines = list(judge(FAILURES, "on this code", moving_types(), set()))
    assert [line.partition(":")[0] for line in lines] == ["FAILED", "note"]


def test_a_stated_break_is_a_note_before_the_first_release_only() -> None:
    """The statement names the types; after a release nothing may break."""
    message = "Change it\n\nBreaks replay: poller, guard\n"
    assert stated_breaks(message, UNRELEASED) == {"poller", "guard"}
    assert stated_breaks(message, UNRELEASED + "\n## [0.1.0] - 2027-01-01\n") == set()
    planned = UNRELEASED + "\n## 0.1.0 (not released)\n"
    assert stated_breaks(message, planned) == {"poller", "guard"}
    assert stated_breaks("Change it", UNRELEASED) == set()


def test_code_that_does_not_start_fails_the_run(tmp_path: Path) -> None:
    """Else an import error would look like success."""
    (tmp_path / "workflows.py").write_text("raise RuntimeError")
    failures = replay_on(tmp_path, HISTORIES)
    assert next(judge(failures, "", moving_types(), {"poller"})).startswith("FAILED: (all)")


async def test_a_history_that_does_not_fit_is_found(tmp_path: Path) -> None:
    """The comparison can fail: this workflow once did something else."""
    text = (HISTORIES / "set-aside.1.json").read_text()
    bad = tmp_path / "bad.json"
    bad.write_text(text.replace("temporal.deliver_matches", "something.else"))
    assert set(await replay([bad])) == {"bad.json"}
    assert names.SET_ASIDE in moving_types()


def test_a_clone_without_the_parent_is_skipped() -> None:
    """CI may fetch one commit only."""
    assert neighbor.compare("no-such-commit") == 0
