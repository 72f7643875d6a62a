"""The case that a command line names: its id and its file, with errors for people."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from temporalio.client import Client

from clawback.case_files.case_ids import CaseIdError, find_case_id
from clawback.cli.exits import ExitCode, Failure
from clawback.local.installation import plan_installation
from clawback.settings import Settings, load_settings
from clawback.temporal.workflow_calls import NoSuchWorkflow

if TYPE_CHECKING:
    from clawback.case_files.case_file import CaseFile
    from clawback.rules.tools.rule_facts import RuleFacts

CaseId = Annotated[
    str, typer.Argument(help="Case: its id, <rule>/<hash>, or four or more digits of the hash.")
]


async def find_id(client: Client, text: str) -> str:
    """Find the id of a case as `find_case_id` does.

    Raises:
        Failure: no case or several cases fit.

    """
    try:
        return await find_case_id(client, text)
    except CaseIdError as error:
        raise Failure(str(error), ExitCode.NO) from None


async def read_file(client: Client, text: str, *, whole: bool = True) -> "CaseFile":
    """Collect everything about one case, as `CaseFileReader` does.

    Raises:
        Failure: the server has no such case.

    """
    from clawback.case_files.case_file_reader import (  # noqa: PLC0415 - it imports the rules
        CaseFileReader,
    )

    case_id = await find_id(client, text)
    settings = load_settings()
    reader = CaseFileReader(client, _load_rules(settings), plan_installation(settings).ui)
    try:
        return await reader.read(case_id, whole=whole)
    except NoSuchWorkflow:
        hint = "`clawback case list` has the cases that Temporal keeps, the audit has all"
        raise Failure(f"there is no {case_id}; {hint}", ExitCode.NO) from None


def _load_rules(settings: Settings) -> "RuleFacts | None":
    # Importing the rules takes longer than most lists, and only `case show` needs them.
    from clawback.rules import RuleErrors, load_rules  # noqa: PLC0415 - see above
    from clawback.rules.tools.rule_facts import facts_of  # noqa: PLC0415 - see above

    with suppress(RuleErrors, OSError):
        return facts_of(load_rules(settings.rules, settings.safety))
    return None
