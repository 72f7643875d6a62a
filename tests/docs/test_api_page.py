"""docs/api.md is true: its examples are commands, and its tests exist and use what they should."""

import re
import shlex
from pathlib import Path

from clawback.actions import ACTIONS
from clawback.cli.api.parameters import options_of
from clawback.cloudflare.operation_catalogue import OPERATIONS
from docs.generate_api import TESTS, TESTS_BY_VERB, covering_test
from docs.tables import DOCS

PAGE = DOCS / "api.md"
TESTS_FOLDER = Path(__file__).parents[1]
NAMED = re.compile(r"`(\w+/test_\w+\.py)::(test_\w+)`")


def test_every_example_is_a_command_with_such_options() -> None:
    """The lines of the first code block name commands and options that there are."""
    examples = [
        shlex.split(line, comments=True)[3:]
        for line in PAGE.read_text().splitlines()
        if line.startswith("$ clawback api ")
    ]
    assert len(examples) > 5
    for group, verb, *rest in examples:
        (operation,) = (one for one in OPERATIONS if one.command == (group, verb))
        own = {"--json", "--limit"} if operation.method == "GET" else {"--reason", "--yes"}
        flags = {
            flag
            for option in options_of(operation)
            for flag in getattr(option.default, "param_decls", None) or ()
        }
        assert {word for word in rest if word.startswith("--")} <= own | {
            part for flag in flags for part in flag.split("/")
        }


def test_every_test_that_is_named_exists() -> None:
    """In the file that is named, in the table and below it."""
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > len(OPERATIONS)
    assert [
        one
        for one in named
        if f"def {one[1]}(" not in (TESTS_FOLDER / one[0]).read_text(encoding="utf-8")
    ] == []


def test_a_test_uses_the_operation_it_is_named_for() -> None:
    """By the name of its method, or as one of all policies or all unsafe posts."""
    assert set(TESTS) == {
        operation.name for operation in OPERATIONS if not operation.name.startswith("settings.")
    }
    for operation in OPERATIONS:
        file, _, name = covering_test(operation).partition("::")
        body = (
            (TESTS_FOLDER / file)
            .read_text(encoding="utf-8")
            .partition(f"def {name}(")[2]
            .partition("\nasync def ")[0]
        )
        verb = operation.name.rpartition(".")[2]
        assert re.search(rf"\.{verb}\b", body) or "operation" in body, operation.name
    assert set(TESTS_BY_VERB) == {
        operation.command[1] for operation in OPERATIONS if operation.name.startswith("settings.")
    }


def test_every_action_names_its_operations() -> None:
    """In its `operations`, which is empty for an action that sends no request."""
    known = {operation.name for operation in OPERATIONS}
    for name, action in ACTIONS.items():
        assert hasattr(action, "operations"), (
            f"{action.__name__} needs `operations`: names of the operation catalogue, or ()"
        )
        assert set(action.operations) <= known, f"{name}.operations names an unknown operation"
        assert not action.operations or f"**{name}**" in PAGE.read_text(encoding="utf-8")
