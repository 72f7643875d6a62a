"""`clawback rules init`: copy the shipped rules out of the package, to edit them."""

from pathlib import Path
from typing import Annotated

import typer

from clawback.app_files import copy_shipped_rules
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_text


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to create.")] = Path("rules"),
) -> int:
    """Copy the shipped rules to a folder, to edit them.

    Exit code 2 if the folder exists and is not empty: nothing is overwritten.
    """
    try:
        count = copy_shipped_rules(folder)
    except FileExistsError as error:
        raise Failure(f"{error}; choose a new folder", ExitCode.USAGE) from None

    hint = "" if folder == Path("rules") else f"; to use them, set CLAWBACK_RULES={folder}"
    print_text(f"copied {count} files to {folder}{hint}")
    return ExitCode.OK
