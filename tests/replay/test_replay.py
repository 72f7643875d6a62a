"""Saved histories replay.

A change that would break cases that are open when it is released fails here.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from clawback.simulator import Simulator, SimulatorOptions
from clawback.temporal.data_converter import data_converter
from tests.replay import record
from tests.replay.careless import CarelessCase
from tests.replay.neighbor import read_history
from tests.replay.record import HISTORIES, SCENES
from tests.workflows.deployment import STRICT, Deployment, deployed
from workflows import WORKFLOWS

SAVED = sorted(HISTORIES.glob("*.json"))
ADVICE = (
    "{name} no longer replays: this change alters the commands of running workflows. "
    "Before the first release, delete the histories and record them again with "
    "`python -m tests.replay.record`. After it, gate the change with "
    "workflow.patched('<what changed>') and record new histories beside the old ones."
)


def replayer_of(workflows: list[type[Any]]) -> Replayer:
    return Replayer(
        workflows=workflows,
        data_converter=data_converter(None),
        workflow_runner=STRICT,
    )


def history(path: Path) -> WorkflowHistory:
    """Read a saved history."""
    return read_history(path.read_text(encoding="utf-8"))


def interrupted(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert a workflow task after each local activity, as a server does, and renumber events."""
    found: list[dict[str, Any]] = []
    numbers: dict[str, str] = {}
    for event in events:
        found.append(event)
        numbers[event["eventId"]] = str(len(found))
        if (
            event.get("markerRecordedEventAttributes", {}).get("markerName")
            == "core_local_activity"
        ):
            found += [
                {**task, "eventTime": event["eventTime"], "taskId": event["taskId"]}
                for task in _workflow_task(len(found) + 1)
            ]
    renumbered = (
        _renumbered(event, numbers) if event["eventId"] in numbers else event for event in found
    )
    return [{**event, "eventId": str(number)} for number, event in enumerate(renumbered, start=1)]


def _workflow_task(first: int) -> tuple[dict[str, Any], ...]:
    return (
        {
            "eventId": "",
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED",
            "workflowTaskScheduledEventAttributes": {"attempt": 1},
        },
        {
            "eventId": "",
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_STARTED",
            "workflowTaskStartedEventAttributes": {"scheduledEventId": str(first)},
        },
        {
            "eventId": "",
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_COMPLETED",
            "workflowTaskCompletedEventAttributes": {
                "scheduledEventId": str(first),
                "startedEventId": str(first + 1),
            },
        },
    )


def _renumbered(value: Any, numbers: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: numbers.get(inner, inner)
            if key.endswith("EventId")
            else _renumbered(inner, numbers)
            for key, inner in value.items()
        }
    return value


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
async def test_saved_histories_replay(path: Path) -> None:
    """Every path of every workflow, as it was recorded."""
    replayer = replayer_of(WORKFLOWS)
    result = await replayer.replay_workflow(history(path), raise_on_replay_failure=False)
    assert result.replay_failure is None, (
        ADVICE.format(name=path.name) + f"\n{result.replay_failure}"
    )


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
async def test_a_workflow_whose_local_activities_were_interrupted_replays(path: Path) -> None:
    """A query during a local activity splits the workflow task in two.

    What follows it is then recorded in the second.
    """
    replayer = replayer_of(WORKFLOWS)
    whole = json.loads(history(path).to_json())
    split = read_history(json.dumps({"events": interrupted(whole["events"])}))
    result = await replayer.replay_workflow(split, raise_on_replay_failure=False)
    assert result.replay_failure is None, (
        ADVICE.format(name=path.name) + f"\n{result.replay_failure}"
    )


def test_every_scene_is_saved() -> None:
    """No path of a workflow is without a history."""
    assert {path.stem.partition(".")[0] for path in SAVED} == set(SCENES)


async def test_a_careless_change_is_caught() -> None:
    """The known-bad one: the test above can fail."""
    replayer = replayer_of([CarelessCase])
    result = await replayer.replay_workflow(
        history(HISTORIES / "case-moved.1.json"), raise_on_replay_failure=False
    )
    assert isinstance(result.replay_failure, workflow.NondeterminismError)


def test_histories_hold_no_path_of_a_machine() -> None:
    """They are public: only invented mail, and no trace of where they were recorded."""
    for path in SAVED:
        text = json.dumps(json.loads(path.read_text(encoding="utf-8")))
        assert ".py" not in text
        assert "/tmp/" not in text  # noqa: S108 - a word to look for


async def test_a_scene_that_gets_nowhere_ends_with_its_name(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording never hangs: the error names the scene and where the cases are."""

    async def stuck(_: Deployment) -> str:
        """Nothing happens."""
        return await asyncio.Future()

    monkeypatch.setitem(record.SCENES, "stuck", stuck)
    monkeypatch.setattr(record, "PATIENCE", timedelta(milliseconds=50))
    async with deployed(temporal, Simulator(SimulatorOptions()), tmp_path) as deployment:
        with pytest.raises(record.SceneStuck, match=r"stuck \(Nothing happens.\) did not end"):
            await record.play("stuck", deployment)
