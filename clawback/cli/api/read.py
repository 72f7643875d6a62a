"""Commands that only read.

Lists page by page up to a limit, single things as they are; how it is going from two seconds on.
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
from clawback.cloudflare.catalogue import Operation
from clawback.cloudflare.wire_model import WireModel
from clawback.settings import load_settings

_QUIET = 2.0


@dataclass
class _Reading:
    """A list as it is read."""

    records: int = 0
    unreadable: int = 0
    more: bool = False

    def __str__(self) -> str:
        return (
            f"{self.records:,} read so far …"
            if self.records
            else "Cloudflare has not answered yet …"
        )


def read_list(
    operation: Operation, arguments: Mapping[str, Any], limit: int, *, as_json: bool
) -> int:
    """Read a list up to a limit.

    A table at the end, or a line of JSON for each record as it comes.
    """
    kept: list[WireModel] = []
    reading = asyncio.run(
        _read(operation, arguments, limit, print_line if as_json else kept.append)
    )
    if not as_json:
        print_records(operation, kept)
    if reading.unreadable:
        print_status(f"{reading.unreadable} records could not be read and are left out.")
    if reading.more:
        print_status(f"There are more than {limit:,}; --limit shows more of them.")
    return ExitCode.OK


async def _read(
    operation: Operation,
    arguments: Mapping[str, Any],
    limit: int,
    take: Callable[[WireModel], None],
) -> _Reading:
    reading = _Reading()
    with asked():
        async with opened() as api, telling(lambda: str(reading)):
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
    """Read one thing and print it."""
    result = asyncio.run(_one(operation, arguments))
    print_result(operation, result, as_json=as_json)
    return ExitCode.OK


def read_picture(
    operation: Operation, arguments: Mapping[str, Any], output: Path | None, *, as_json: bool
) -> int:
    """Read a screenshot and write it as a PNG; `-` is stdout."""
    if output is None and not as_json:
        raise Failure(
            "say where the picture goes: --output FILE (- is stdout), or --json for base64",
            ExitCode.USAGE,
        )
    picture = asyncio.run(_one(operation, arguments))
    if as_json or output is None:
        print_json({"screenshot": picture})
        return ExitCode.OK
    try:
        content = b64decode(picture, validate=True)
    except binascii.Error:
        raise Failure(
            "Cloudflare sent a picture that is not base64; --json shows it", ExitCode.NO
        ) from None
    if str(output) == "-":
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)
        print_text(f"{output}: {len(content):,} bytes")
    return ExitCode.OK


async def _one(operation: Operation, arguments: Mapping[str, Any]) -> Any:
    with asked():
        async with opened() as api, telling(lambda: "Cloudflare has not answered yet …"):
            return await operation.bind(api)(**arguments)


@contextmanager
def asked() -> Iterator[None]:
    """Turn what the client says of a call into sentences and exit codes.

    Raises:
        Failure: what was given cannot be sent (2), or as `api_errors` says.

    """
    try:
        with api_errors("thing"):
            yield
    except ValueError as error:
        raise Failure(str(error), ExitCode.USAGE) from error


@asynccontextmanager
async def opened() -> AsyncIterator[EmailSecurity]:
    """The API that the worker here uses, on behalf of the person who asks."""
    async with open_worker_api(load_settings()) as api:
        yield api.on(Share.PEOPLE)


@asynccontextmanager
async def telling(progress: Callable[[], str]) -> AsyncIterator[None]:
    """Say how it is going, from two seconds on."""

    async def tell_on() -> None:
        while True:
            await asyncio.sleep(_QUIET)
            print_status(progress())

    task = asyncio.create_task(tell_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
