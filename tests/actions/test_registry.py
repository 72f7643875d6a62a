"""The registry of actions.

Strict for rule documents, lenient for histories, clear about what is wrong.
"""

from datetime import timedelta
from typing import Any

import pytest

from clawback.actions import ACTIONS, ActionError, BlockSender, parse_action, schema_of
from clawback.model.mode import Mode


def test_a_block_is_read_with_its_defaults() -> None:
    """A mail address, for thirty days."""
    block = parse_action("block_sender", {"pattern": "{from}"})
    assert isinstance(block, BlockSender)
    assert (block.kind, block.expires_after) == ("email", (timedelta(days=30),))
    assert block.templates == ("{from}",)


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("mvoe", {}, "mvoe is no action; did you mean 'move'"),
        ("move", {}, "move.destination: destination is missing"),
        ("move", {"destination": "Trash"}, "move.destination: must be one of Inbox, JunkEmail, "),
        ("move", {"destination": "Inbox", "folder": "x"}, "move.folder: there is no such key here"),
        ("move", {"destinatio": "Inbox"}, "destination is missing; .* did you mean 'destination'"),
        ("move", {"destination": "Inbox", "name": "move"}, "move takes"),
        ("move", ["Inbox"], "move takes a mapping"),
        ("block_sender", {"pattern": "a", "expires_after": "3 days"}, "write 3d"),
        ("block_sender", {"pattern": "a", "expires_after": "0s"}, "more than 0s"),
    ],
)
def test_a_wrong_action_is_refused_by_name(name: str, parameters: Any, says: str) -> None:
    """The text names the place and what it takes."""
    with pytest.raises(ActionError, match=says):
        parse_action(name, parameters)


@pytest.mark.parametrize("name", list(ACTIONS))
def test_every_action_has_a_schema_with_descriptions(name: str) -> None:
    """Editors and docs are made from it."""
    schema = schema_of(name)
    assert schema["additionalProperties"] is False
    assert all(
        field.get("description") or "$ref" in field for field in schema["properties"].values()
    )


def test_histories_are_read_leniently() -> None:
    """A newer release may have written a key that this one does not know."""
    block = BlockSender(pattern="a@x.test")
    assert BlockSender.model_validate_json(block.model_dump_json()[:-1] + ',"later":1}') == block


@pytest.mark.parametrize(
    ("mode", "ceiling", "effective"),
    [("enforce", "shadow", "shadow"), ("shadow", "enforce", "shadow")],
)
def test_a_ceiling_only_ever_weakens(mode: str, ceiling: str, effective: str) -> None:
    """The weaker of the two holds."""
    assert Mode(mode).capped(Mode(ceiling)) == effective
