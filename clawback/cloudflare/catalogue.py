"""Every operation of the API that the client offers, as data.

Its request, its method on the client, its command.

`clawback api`, docs/api.md and the contract tests are made from this one table, so that none of
them can lack an operation. It makes no request. Source: reference §1, §7.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_type_hints

from clawback.cloudflare.account_settings import AccountSettings
from clawback.cloudflare.client import EmailSecurity
from clawback.cloudflare.requests import Method

_SETTINGS = "settings."


class Permission(StrEnum):
    """What a token needs of *Cloud Email Security*; Write includes Read."""

    READ = "Read"
    WRITE = "Write"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    `name` is the client's method (`messages`, `settings.domains.list`), `endpoint` what is below
    `email-security/`, `command` the words after `clawback api`. `harmless` marks a POST that
    changes nothing or may be repeated as it is, `short` other methods that ask the same.
    """

    name: str
    method: Method
    endpoint: str
    command: tuple[str, str]
    harmless: bool = False
    short: tuple[str, ...] = ()

    @property
    def permission(self) -> Permission:
        """What the token needs."""
        return Permission.READ if self.method is Method.GET else Permission.WRITE

    @property
    def unsafe(self) -> bool:
        """Whether it must not be repeated blindly when its answer was lost (reference §3.3)."""
        return self.method is Method.POST and not self.harmless

    @property
    def function(self) -> Callable[..., Any]:
        """The method as its class has it, for its signature and docstring."""
        kind, _, verb = self.name.removeprefix(_SETTINGS).rpartition(".")
        owner = get_type_hints(AccountSettings)[kind] if kind else EmailSecurity
        function: Callable[..., Any] = inspect.getattr_static(owner, verb)
        return function

    @property
    def says(self) -> str:
        """What it does, in one sentence."""
        first = (inspect.getdoc(self.function) or "").split("\n")[0]
        return first.partition(": ")[0].removesuffix(".")

    def of(self, api: EmailSecurity) -> Callable[..., Awaitable[Any]]:
        """The method of a client."""
        found: Any = api
        for name in self.name.split("."):
            found = getattr(found, name)
        method: Callable[..., Awaitable[Any]] = found
        return method


def _investigate() -> Iterator[Operation]:
    one = "investigate/{id}"
    yield Operation("messages", Method.GET, "investigate", ("investigate", "list"))
    yield Operation("message", Method.GET, one, ("investigate", "get"))
    yield Operation("detections", Method.GET, f"{one}/detections", ("investigate", "detections"))
    yield Operation("action_log", Method.GET, f"{one}/action_log", ("investigate", "action-log"))
    yield Operation("preview", Method.GET, f"{one}/preview", ("investigate", "preview"))
    yield Operation(
        "make_preview",
        Method.POST,
        "investigate/preview",
        ("investigate", "make-preview"),
        harmless=True,
    )
    yield Operation("raw", Method.GET, f"{one}/raw", ("investigate", "raw"))
    yield Operation("trace", Method.GET, f"{one}/trace", ("investigate", "trace"))
    yield Operation("move", Method.POST, "investigate/move", ("investigate", "move"))
    yield Operation("move_one", Method.POST, f"{one}/move", ("investigate", "move-one"))
    yield Operation("reclassify", Method.POST, f"{one}/reclassify", ("investigate", "reclassify"))
    yield Operation("release", Method.POST, "investigate/release", ("investigate", "release"))


def _jobs() -> Iterator[Operation]:
    all_of_them, one = "investigate/bulk", "investigate/bulk/{id}"
    yield Operation("jobs", Method.GET, all_of_them, ("bulk", "list"))
    yield Operation("move_all", Method.POST, all_of_them, ("bulk", "move"))
    yield Operation("release_all", Method.POST, all_of_them, ("bulk", "release"))
    yield Operation("job", Method.GET, one, ("bulk", "get"))
    yield Operation("job_messages", Method.GET, f"{one}/messages", ("bulk", "messages"))
    yield Operation("cancel_job", Method.POST, f"{one}/cancel", ("bulk", "cancel"), harmless=True)
    yield Operation("delete_job", Method.DELETE, one, ("bulk", "delete"))


def _feedback() -> Iterator[Operation]:
    yield Operation(
        "phishguard_reports", Method.GET, "phishguard/reports", ("phishguard-reports", "list")
    )
    yield Operation("submissions", Method.GET, "submissions", ("submissions", "list"))
    yield Operation("submit", Method.POST, "submissions", ("submissions", "create"))


_SHORT = {
    "settings.block_senders.list": ("block_senders",),
    "settings.block_senders.get": ("block_sender",),
    "settings.block_senders.create": ("create_block_sender",),
    "settings.block_senders.delete": ("delete_block_sender",),
}


def _policies(kind: str, *, batched: bool) -> Iterator[Operation]:
    path = f"settings/{kind}"
    requests = {
        "list": (Method.GET, path),
        "get": (Method.GET, f"{path}/{{id}}"),
        "create": (Method.POST, path),
        "edit": (Method.PATCH, f"{path}/{{id}}"),
        "delete": (Method.DELETE, f"{path}/{{id}}"),
        **({"batch": (Method.POST, f"{path}/batch")} if batched else {}),
        **({"replace": (Method.PUT, f"{path}/{{id}}")} if kind == "domains" else {}),
        **(
            {"verification": (Method.GET, f"{path}/{{id}}/verification")}
            if kind == "domains"
            else {}
        ),
    }
    for verb, (method, endpoint) in requests.items():
        name = f"{_SETTINGS}{kind}.{verb}"
        yield Operation(
            name, method, endpoint, (kind.replace("_", "-"), verb), short=_SHORT.get(name, ())
        )


def _settings() -> Iterator[Operation]:
    for kind, policies in get_type_hints(AccountSettings).items():
        yield from _policies(kind, batched=bool(policies.batched))


OPERATIONS: tuple[Operation, ...] = (*_investigate(), *_jobs(), *_feedback(), *_settings())
"""All of them, in the order of the reference."""
