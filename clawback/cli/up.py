"""`clawback up`: run everything on this machine until Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from clawback.audit import Tail
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_error, print_status
from clawback.cli.up_output import SIGN_IN, choose_output
from clawback.identity.links import LINK_SECONDS
from clawback.installations import enter_installation
from clawback.local import (
    ProcessFailed,
    ProcessGroup,
    SetupError,
    StatusCollector,
    check_disk,
    check_ports,
    lock_state,
)
from clawback.local.account_check import AccountRefused, check_account
from clawback.local.installation import Installation, plan_installation
from clawback.local.server_database import fit_database
from clawback.model.hosts import split_address
from clawback.private_files import describe_hidden, hide, hide_new_files
from clawback.settings import Settings, load_settings
from clawback.temporal.account_binding import ForeignAccount, connect_to_own
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.installation_keys import make_keys
from clawback.temporal.key_ring import PayloadKeyError


def up(
    *,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Print lines of text, not a live view or JSON events."),
    ] = False,
    installation: Annotated[
        str | None,
        typer.Option(help="Name of an installation of its own; the first start makes its folder."),
    ] = None,
) -> int:
    """Run everything on this machine until Ctrl-C.

    Temporal, worker and console; without credentials also the simulator with a demo corpus. Where
    stdout is no terminal, it prints JSON events.
    """
    hide_new_files()
    if installation is not None:
        enter_installation(installation, creates=True)
    settings = load_settings()
    try:
        return asyncio.run(_run(settings, plain=plain))
    except ProcessFailed as error:
        raise Failure(str(error), exit_code_of(error)) from error
    except (SetupError, TemporalUnreachable) as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except (ForeignAccount, PayloadKeyError) as error:
        raise Failure(str(error), ExitCode.USAGE) from error
    except AccountRefused as error:
        raise Failure(str(error), ExitCode.REFUSED) from error


def exit_code_of(failure: ProcessFailed) -> ExitCode:
    """Return the exit code of a failed process if it is one of clawback's, else ENVIRONMENT."""
    ours = {ExitCode.NO, ExitCode.USAGE, ExitCode.REFUSED}
    return next((code for code in ours if code == failure.returncode), ExitCode.ENVIRONMENT)


async def _run(settings: Settings, *, plain: bool) -> int:
    installation = plan_installation(settings)
    check_disk(settings.folder)
    with lock_state(settings.folder):
        if repaired := hide(settings.private_paths()):
            print_error(describe_hidden(repaired))
        await _check(installation)
        await _fit_database(installation)
        about_keys = _make_keys(installation)
        processes = installation.processes()
        stopped = _stop_on_signals(processes)
        watching = asyncio.create_task(_watch(installation, processes, about_keys, plain=plain))
        waiting = asyncio.create_task(stopped.wait())

        try:
            await asyncio.wait([watching, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    return ExitCode.OK


async def _check(installation: Installation) -> None:
    settings = installation.settings
    installation.require_own_server()
    if settings.cloudflare_api_token is not None or settings.cloudflare_account_id is not None:
        account = await check_account(settings)
        if account.warning:
            print_error(account.warning)

    if installation.temporal is None:
        await connect_to_own(settings)

    check_ports(list(installation.ports()))


async def _fit_database(installation: Installation) -> None:
    """Carry the database into the schema of this version of the server, if it has another."""
    if (server := installation.temporal) is None:
        return
    carried = await fit_database(
        server, lambda: print_status("Carrying the database to the new Temporal server …")
    )
    if carried is not None:
        print_status(
            f"Carried {carried.rows:,} rows from {carried.before} to {carried.after}; the old "
            f"database is {carried.kept}: remove it once you do not want to go back"
        )


def _make_keys(installation: Installation) -> str | None:
    """Make the keys of an embedded server; return what people should know of them."""
    if installation.temporal is None:
        return None
    return make_keys(installation.settings, installation.temporal.database)


def _stop_on_signals(processes: ProcessGroup) -> asyncio.Event:
    """Stop at the first SIGINT or SIGTERM, kill the processes at the second."""
    stopped = asyncio.Event()

    def on_signal() -> None:
        if stopped.is_set():
            processes.kill()
        stopped.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)

    return stopped


async def _watch(
    installation: Installation, processes: ProcessGroup, about_keys: str | None, *, plain: bool
) -> None:
    """Start the processes and show their status until cancelled.

    Raises:
        ProcessFailed: one did not start, or keeps dying.

    """
    output = choose_output(installation.settings, plain=plain)
    headline = installation.headline
    output.say("up.starting", f"clawback {headline}")
    async with AsyncExitStack() as stack:
        # Callbacks run in reverse: "Stopping …", then the processes stop, then "Stopped."
        stack.callback(output.say, "up.stopped", "Stopped.")
        if installation.codec is not None:
            host, port = split_address(installation.settings.codec)
            await stack.enter_async_context(installation.codec.serve(host, port))
        # The worker acts before all others run.
        audit = Tail(installation.settings.audit_file)
        with output.starting():
            await stack.enter_async_context(processes.running())

        stack.callback(output.say, "up.stopping", "Stopping …")
        if about_keys:
            output.say("up.keys_made", about_keys)
        collector = await _collector(installation, audit, processes)
        # A link made before the console runs is none that it takes.
        link = SignInLink.create(installation)
        locations = partial(link.add_to, installation.locations)
        tasks = [
            asyncio.create_task(output.show(collector, headline, locations)),
            asyncio.create_task(processes.wait_failed()),
        ]

        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class SignInLink:
    """The link that signs one browser in to the console, as long as it is good."""

    url: str | None
    made_at: float

    @classmethod
    def create(cls, installation: Installation) -> "SignInLink":
        """Make a link, unless people sign in at an identity provider or there is no key."""
        # It imports what serves pages, and most commands need none of that.
        from clawback.console.launch import make_sign_in_link  # noqa: PLC0415 - see above

        return cls(make_sign_in_link(installation.settings), time.monotonic())

    def add_to(self, locations: Mapping[str, str]) -> dict[str, str]:
        """Show the link beside the other locations; later, how to get another one."""
        if self.url is None:
            return dict(locations)
        is_good = time.monotonic() - self.made_at < LINK_SECONDS
        url = self.url if is_good else "`clawback console --link` prints a new link"
        return {SIGN_IN: url, **locations}


async def _collector(
    installation: Installation, audit: Tail, processes: ProcessGroup
) -> StatusCollector:
    client = await connect(installation.settings, address=installation.server)
    return StatusCollector(client, installation.metrics_url, audit, processes.children)
