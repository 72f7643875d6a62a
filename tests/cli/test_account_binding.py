"""A namespace of another account: every command that uses Temporal refuses it, before anything."""

import ast
import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

import clawback
from clawback.cli.exits import ExitCode
from tests.cli.command import clawback as run
from tests.cli.command import sentence
from tests.workflows.deployment import keeper_of

COMMANDS = Path(clawback.__file__).parent / "cli"
OTHER = {
    "CLOUDFLARE_API_TOKEN": "t0ken-t0ken",
    "CLOUDFLARE_ACCOUNT_ID": "f" * 32,
    "CLAWBACK_API_URL": "https://api.invalid/client/v4",
}


@pytest.mark.parametrize(
    "words",
    [
        ("case", "list"),
        ("case", "show", "case/r/0123456789abcdef"),
        ("stop", "--reason", "x"),
        ("resume",),
        ("block", "list"),
        ("poll", "status"),
        ("undo", "rule", "r", "--yes"),
    ],
    ids=" ".join,
)
async def test_a_command_refuses_the_namespace_of_another_account(
    temporal: Client, words: tuple[str, ...]
) -> None:
    """One sentence with both accounts; the server is only read."""
    await keeper_of(temporal).open()
    address = temporal.service_client.config.target_host
    done = await asyncio.to_thread(run, *words, TEMPORAL_ADDRESS=address, **OTHER)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert f"holds the data of account simulator, not of {'f' * 32}" in sentence(done)


@pytest.mark.parametrize(
    "words", [("case", "list"), ("stop", "--reason", "x"), ("console",)], ids=" ".join
)
async def test_a_command_says_that_there_is_no_such_namespace(
    temporal: Client, words: tuple[str, ...]
) -> None:
    """Instead of that there is no guard, or a console that shows nothing."""
    address = temporal.service_client.config.target_host
    chosen = {"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "nowhere"}
    done = await asyncio.to_thread(run, *words, **chosen)
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert f"{address} has no namespace nowhere; create it with" in sentence(done)


def test_no_command_connects_past_the_check() -> None:
    """Commands use `connect_to_own`; `up` asks its own server for the status it shows."""
    users = {
        path.relative_to(COMMANDS).as_posix()
        for path in COMMANDS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "clawback.temporal.client"
        and any(name.name == "connect" for name in node.names)
    }
    assert users == {"up.py"}
