"""API commands that only read: lists page by page up to a limit, single records, screenshots.

A command that takes longer than two seconds reports progress.
"""

import asyncio
import binascii
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawback.cli.api.output import print_line, print_records, print_result
from clawback.cli.cloudflare_access import api_errors, open_worker_api
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_json, print_status, print_text
from clawback.cloudflare import EmailSecurity, Share, pages
from clawback.cloudflare.api_request import MAX_PER_PAGE
from clawback.cloudflare.operation_catalogue import Operation
from clawback.cloudflare.wire_model import WireModel
from clawback.settings import load_settings

_REPORT_EVERY = 2.0


@dataclass
class _Reading:
    """How far a list has been read."""

    records: int = 0
    unreadable: int = 0
    more: bool = False

    def __str__(self) -> str:
        return f"{self.records:,} records read …" if self.records else "Waiting for Cloudflare …"


def read_list(
    operation: Operation, arguments: Mapping[str, Any], limit: int, *, as_json: bool
) -> int:
    """Read a list up to a limit and print a table, or a line of JSON for each record at once."""
    kept: list[WireModel] = []
    reading = asyncio.run(
        _read(operation, arguments, limit, print_line if as_json else kept.append)
    )
    if not as_json:
        print_records(operation, kept)
    if reading.unreadable:
        print_status(f"Left out {reading.unreadable} malformed records.")
    if reading.more:
        print_status(f"There are more than {limit:,} records; raise --limit to see them.")

    return ExitCode.OK


async def _read(
    operation: Operation,
    arguments: Mapping[str, Any],
    limit: int,
    take: Callable[[WireModel], None],
) -> _Reading:
    reading = _Reading()
    with api_call():
        async with open_for_person() as api, report_waiting(lambda: str(reading)):
            found = pages(operation.bind(api), **arguments, per_page=min(limit + 1, MAX_PER_PAGE))
            async for page in found:
                reading.unreadable += len(page.rejected)
                for record in page.items[: limit - reading.records]:
                    take(record)

                reading.more = len(page.items) > limit - reading.records
                reading.records = min(reading.records + len(page.items), limit)
                if reading.more:
                    break

    return reading


def read_one(operation: Operation, arguments: Mapping[str, Any], *, as_json: bool) -> int:
    """Read one record and print it."""
    result = asyncio.run(_one(operation, arguments))
    print_result(operation, result, as_json=as_json)
    return ExitCode.OK


def read_screenshot(
    operation: Operation, arguments: Mapping[str, Any], output: Path | None, *, as_json: bool
) -> int:
    """Read a screenshot and write it as a PNG file; `-` is stdout."""
    if output is None and not as_json:
        raise Failure(
            "give --output FILE (- is stdout), or --json for base64",
            ExitCode.USAGE,
        )

    screenshot = asyncio.run(_one(operation, arguments))
    if as_json or output is None:
        print_json({"screenshot": screenshot})
        return ExitCode.OK

    try:
        content = b64decode(screenshot, validate=True)
    except binascii.Error:
        raise Failure(
            "Cloudflare sent a screenshot that is not base64; --json prints it", ExitCode.NO
        ) from None

    if str(output) == "-":
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)
        print_text(f"{output}: {len(content):,} bytes")

    return ExitCode.OK


async def _one(operation: Operation, arguments: Mapping[str, Any]) -> Any:
    with api_call():
        async with open_for_person() as api, report_waiting(lambda: "Waiting for Cloudflare …"):
            return await operation.bind(api)(**arguments)


@contextmanager
def api_call() -> Iterator[None]:
    """Turn errors of a call into messages and exit codes.

    Raises:
        Failure: an argument cannot be sent (2), or as `api_errors`.

    """
    try:
        with api_errors("record"):
            yield
    except ValueError as error:
        raise Failure(str(error), ExitCode.USAGE) from error


@asynccontextmanager
async def open_for_person() -> AsyncIterator[EmailSecurity]:
    """Open the API that the worker here uses, with the priority of a person who waits."""
    async with open_worker_api(load_settings()) as api:
        yield api.on(Share.PEOPLE)


@asynccontextmanager
async def report_waiting(progress: Callable[[], str]) -> AsyncIterator[None]:
    """Print progress every two seconds."""

    async def report() -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            print_status(progress())

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
