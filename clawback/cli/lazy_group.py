"""Groups that import the module of a command when it is asked for, so that each starts fast."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is defined, and its line in the help of its group.

    `target` is `module:name`; the name is that of a function, or of the Typer app of a group.
    """

    target: str
    summary: str


class LazyGroup(TyperGroup):
    """A group that knows names and summaries of its commands; derive it with `lazy` set."""

    lazy: ClassVar[Mapping[str, LazyCommand]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class gives it
        """Name the commands in the order in which people meet them."""
        return list(self.lazy)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class gives it
        """Load a command; None if there is none of that name."""
        return load_command(cmd_name, self.lazy[cmd_name]) if cmd_name in self.lazy else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the same
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.summary) for name, one in self.lazy.items()])


def load_command(name: str, command: LazyCommand) -> TyperGroup | TyperCommand:
    """Import a command and build the object that typer runs."""
    module, _, attribute = command.target.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        # also for its commands; rich's help would keep the line breaks of our docstrings
        found.rich_markup_mode = None
        group: TyperGroup = get_group(found)
        group.name = name
        return group

    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(found)
    return get_command(single)  # type: ignore[return-value]


def load_whole(name: str, command: LazyCommand) -> TyperGroup | TyperCommand:
    """Load a command with all that are below it, for those who read the tree."""
    loaded = load_command(name, command)
    if isinstance(loaded, LazyGroup):
        loaded.commands = {inner: load_whole(inner, one) for inner, one in loaded.lazy.items()}
    return loaded
