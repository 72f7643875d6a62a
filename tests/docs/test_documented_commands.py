"""Every `clawback` command line of the documentation exists, with the options that it shows."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from clawback.cli.program import COMMANDS, load
from docs.tables import DOCS

ROOT = DOCS.parent
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("deploy", "rules", "bench")),
]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[|;] *|\w=\S* )clawback +(?P<words>[^|;\n]*)")


def _command_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                if line.startswith("$ ") and (found := _COMMAND.search(line[2:])):
                    yield str(page.relative_to(ROOT)), found["words"]


LINES: dict[str, list[str]] = {}
for _page, _line in _command_lines():
    LINES.setdefault(_page, []).append(_line)


def test_there_are_command_lines() -> None:
    """The pattern finds the examples."""
    assert sum(map(len, LINES.values())) > 40


@pytest.mark.parametrize("page", LINES)
def test_every_command_line_exists(page: str) -> None:
    """The command, its subcommands and its options are known."""
    unknown = {line: flags for line in LINES[page] if (flags := _unknown_flags(line))}
    assert unknown == {}


def _unknown_flags(line: str) -> set[str]:
    """Return the options of a command line that its command does not have."""
    name, *words = shlex.split(line, comments=True)
    if name.startswith("-"):
        return set()
    assert name in COMMANDS, f"there is no command {name}"

    command: Any = load(name)
    known = _flags(command)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
        known |= _flags(command)
    if getattr(command, "commands", {}):
        assert command.invoke_without_command, f"the subcommand is missing: {line}"
        assert not words or words[0].startswith("-"), f"there is no such subcommand: {line}"
    return {word.partition("=")[0] for word in words if word.startswith("--")} - known


def _flags(command: Any) -> set[str]:
    """Return the options of a command; typer brings its own copy of click's classes."""
    options = (flag for one in command.params for flag in (*one.opts, *one.secondary_opts))
    return {"--help", *options}
