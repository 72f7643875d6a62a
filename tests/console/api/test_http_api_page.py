"""The curl examples of the documentation run, on a real port."""

import asyncio
import json
import os
import re
from typing import Any
from uuid import uuid4

from clawback.model.identity import Role
from docs.tables import DOCS
from tests.console.api.running_api import RunningApi, serving_api
from tests.console.api.test_cases import hold, undo_plan

PAGE = (DOCS / "operations" / "http-api.md").read_text(encoding="utf-8")
_COMMAND = re.compile(r"^\$ (curl (?:.*\\\n)*.*)$", re.MULTILINE)
MARK = "\n%{http_code}"


async def run(command: str, environment: dict[str, str]) -> tuple[int, Any]:
    """Run an example in a shell; the status and the JSON of the answer."""
    marked = command.replace("curl ", f"curl -w '{MARK}' ", 1)
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        marked,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    body, _, status = out.decode().rpartition("\n")
    return int(status), json.loads(body)


async def test_every_example_runs(api: RunningApi) -> None:
    """In their order, of one case: read, approve, plan its undo, undo it."""
    examples = _COMMAND.findall(PAGE)
    assert len(examples) == 7

    async with serving_api(api.app) as url:
        id_, digest = await hold(api)
        environment = {
            "API": url,
            "TOKEN": api.tokens[Role.ANALYST],
            "CASE": id_,
            "DIGEST": digest,
            "KEY": str(uuid4()),
        }
        *first, plan, undo = examples
        for example in first:
            status, _ = await run(example, environment)
            assert status == 200, example
        await api.deployment.settled(f"case/{id_}")
        await undo_plan(api, id_)
        status, planned = await run(plan, environment)
        assert (status, planned["plan"]["messages"]) == (200, 2)
        status, undone = await run(undo, environment)
        assert status in {200, 202}
        assert undone["id"]
