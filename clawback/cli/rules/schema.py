"""`clawback rules schema`: the JSON Schema of rule files, for editors."""

from pathlib import Path
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode
from clawback.cli.output import print_file, print_text
from clawback.rules.tools.schema import write_schema


def schema(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File to write instead of stdout, such as rules/schema.json.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Print the JSON Schema of rule files.

    Editors complete and check rules with it.
    """
    if out is None:
        print_file(write_schema())
    else:
        out.write_text(write_schema(), encoding="utf-8")
        print_text(
            f"wrote {out}; refer to it in the first line of a rule file: "
            "# yaml-language-server: $schema=<relative path of the schema>"
        )

    return ExitCode.OK
