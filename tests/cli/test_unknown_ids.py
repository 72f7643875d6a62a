"""A name that nothing has is an error at every command, with the place and the remedy."""

import asyncio
from pathlib import Path
from subprocess import CompletedProcess

from temporalio.client import Client

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback
from tests.workflows.deployment import RULES, Deployment, deployed
from tests.workflows.test_case import simulated

HASH = "0123456789abcdef"
UNKNOWN = {
    "case show": "0123",
    "case show ": "zzzz",
    "case show  ": f"case/no_rule/{HASH}",
    "case watch": "0123",
    "case watch ": f"case/no_rule/{HASH}",
    "case approve --digest 1-x": "no_rule/0123",
    "case approve --digest 1-x ": f"case/no_rule/{HASH}",
    "case approve": f"case/a/{HASH} case/b/{HASH}",
    "case deny": f"case/no_rule/{HASH}",
    "case deny --rule": "no_rule",
    "case list --rule": "no_rule",
    "case comment": "0123 hello",
    "case comment ": f"case/no_rule/{HASH} hello",
    "case assign --to me": "0123",
    "case assign --to me ": f"case/no_rule/{HASH}",
    "undo case": "zzzz",
    "undo case --dry-run": f"case/no_rule/{HASH}",
    "undo rule --dry-run": "no_rule",
    "undo message --dry-run": "no-message",
    "undo approve --digest 1-x": "no-undo",
    "undo deny": "no-undo",
    "block lift": "nobody@no.test",
    "block extend --for 1d": "no-block",
    "block list --rule": "no_rule",
    "rules confirm": "no_rule",
    "tokens revoke": "no-token",
    "rules new --out - --from-case": "0123",
    "audit search --case": "0123",
    "audit search --case ": f"case/no_rule/{HASH}",
    "audit search --rule": "no_rule",
    "audit search --message": "no-message",
}
"""Commands and a name that nothing has; blanks at the end tell equal commands apart."""


async def test_an_unknown_name_is_an_error(temporal: Client, tmp_path: Path) -> None:
    """At every command: exit code 1, and a message that repeats the name."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        for command, name in UNKNOWN.items():
            done = await run(deployment, tmp_path, *command.split(), *name.split())
            is_named = name.split()[0] in done.stderr
            assert (command, done.returncode, is_named) == (command, ExitCode.NO, True), done


async def test_a_rule_that_is_nearly_right_is_suggested(temporal: Client, tmp_path: Path) -> None:
    """Where nothing is found; a rule that is loaded has merely no case."""
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        done = await run(deployment, tmp_path, "case", "list", "--rule", "quarantine_bek")
        assert (done.returncode, "quarantine_bec" in done.stderr) == (ExitCode.NO, True)
        done = await run(deployment, tmp_path, "case", "list", "--rule", "quarantine_bec")
        assert (done.returncode, done.stdout) == (ExitCode.OK, "No such case.\n")


async def run(deployment: Deployment, state: Path, *words: str) -> CompletedProcess[str]:
    """Run a command against the server of a deployment."""
    return await asyncio.to_thread(
        clawback,
        *words,
        TEMPORAL_ADDRESS=deployment.client.service_client.config.target_host,
        CLAWBACK_RULES=str(RULES),
        CLAWBACK_STATE=str(state),
    )
