"""Saved histories replay: a change that would break cases that are open when it is released fails here."""

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from clawback.temporal.converter import data_converter
from tests.replay.careless import CarelessCase
from tests.replay.record import HISTORIES, SCENES
from workflows import WORKFLOWS

SAVED = sorted(HISTORIES.glob("*.json"))
ADVICE = (
    "{name} no longer replays: this change alters the commands of open workflows. Gate it with workflow.patched('<what changed>'), "
    "keep the old branch, and record new histories beside the old ones with `python -m tests.replay.record`."
)


def history(path: Path) -> WorkflowHistory:
    """Read a saved history."""
    return WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
async def test_saved_histories_replay(path: Path) -> None:
    """Every path of every workflow, as it was recorded."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=data_converter(None))
    result = await replayer.replay_workflow(history(path), raise_on_replay_failure=False)
    assert result.replay_failure is None, ADVICE.format(name=path.name) + f"\n{result.replay_failure}"


def test_every_scene_is_saved() -> None:
    """No path of a workflow is without a history."""
    assert {path.stem.partition(".")[0] for path in SAVED} == set(SCENES)


async def test_a_careless_change_is_caught() -> None:
    """The known-bad one: the test above can fail."""
    replayer = Replayer(workflows=[CarelessCase], data_converter=data_converter(None))
    result = await replayer.replay_workflow(history(HISTORIES / "case-moved.1.json"), raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, workflow.NondeterminismError)


def test_histories_hold_no_path_of_a_machine() -> None:
    """They are public: only invented mail, and no trace of where they were recorded."""
    for path in SAVED:
        text = json.dumps(json.loads(path.read_text(encoding="utf-8")))
        assert ".py" not in text
        assert "/tmp/" not in text  # noqa: S108 - a word to look for
