"""`clawback case show`."""

from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from clawback.cli.case.lookup import CaseId, read_file
from clawback.cli.case.table import STYLES
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.model.texts import printable


def show(case_id: CaseId, *, as_json: AsJson = False) -> int:
    """Show one case: why it matched, and what was done.

    Shows its timeline, outcomes and budget, and what you can do.

    Exit code 1 if a part of it does not answer; the others are shown.
    """
    with show_progress("Reading the case"):
        file = call_temporal(lambda client: read_file(client, case_id, whole=as_json))

    code = ExitCode.NO if file.unanswered else ExitCode.OK
    if as_json:
        print_json(file.as_json())
        return code

    lines = list(file.lines(datetime.now(UTC)))
    width = max(len(heading) for heading, _ in lines)
    console = Console(highlight=False, soft_wrap=True)

    for heading, line in lines:
        style = STYLES.get(line.partition(" ")[0], "") if heading == "state" else ""
        text = Text(heading.ljust(width), "bold").append("  ")
        console.print(text.append(printable(line), style))

    return code
