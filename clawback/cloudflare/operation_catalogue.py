"""Every operation that the client offers, as data: request, client method, command.

`clawback api`, docs/api.md and the contract tests come from this one table, so none of them can
miss an operation. Source: reference §1, §7.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_type_hints

from clawback.cloudflare.account_settings import AccountSettings
from clawback.cloudflare.api_request import Method
from clawback.cloudflare.client import EmailSecurity

_SETTINGS = "settings."


class Permission(StrEnum):
    """What a token needs of *Cloud Email Security*; Write includes Read."""

    READ = "Read"
    WRITE = "Write"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    `name` is the client's method (`messages`, `settings.domains.list`), `endpoint` the path below
    `email-security/`, `command` the words after `clawback api`. `idempotent` marks a POST that
    changes nothing or may be repeated; `aliases` are other client methods for the same request.
    """

    name: str
    method: Method
    endpoint: str
    command: tuple[str, str]
    idempotent: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def permission(self) -> Permission:
        """The permission that the token needs."""
        return Permission.READ if self.method is Method.GET else Permission.WRITE

    @property
    def is_unsafe(self) -> bool:
        """Whether it must not be repeated blindly after a lost response (reference §3.3)."""
        return self.method is Method.POST and not self.idempotent

    @property
    def function(self) -> Callable[..., Any]:
        """The unbound method, for its signature and docstring."""
        resource, _, verb = self.name.removeprefix(_SETTINGS).rpartition(".")
        owner = get_type_hints(AccountSettings)[resource] if resource else EmailSecurity
        function: Callable[..., Any] = inspect.getattr_static(owner, verb)
        return function

    @property
    def summary(self) -> str:
        """What it does: the first sentence of the docstring, without the request."""
        first = (inspect.getdoc(self.function) or "").split("\n")[0]
        return first.partition(": ")[0].removesuffix(".")

    def bind(self, api: EmailSecurity) -> Callable[..., Awaitable[Any]]:
        """Return the method of a client."""
        target: Any = api
        for name in self.name.split("."):
            target = getattr(target, name)
        method: Callable[..., Awaitable[Any]] = target
        return method


def _investigate() -> Iterator[Operation]:
    one = "investigate/{id}"
    group = "investigate"
    yield Operation("messages", Method.GET, "investigate", (group, "list"))
    yield Operation("message", Method.GET, one, (group, "get"))
    yield Operation("detections", Method.GET, f"{one}/detections", (group, "detections"))
    yield Operation("action_log", Method.GET, f"{one}/action_log", (group, "action-log"))
    yield Operation("preview", Method.GET, f"{one}/preview", (group, "preview"))
    yield Operation(
        "make_preview",
        Method.POST,
        "investigate/preview",
        (group, "make-preview"),
        idempotent=True,
    )
    yield Operation("raw", Method.GET, f"{one}/raw", (group, "raw"))
    yield Operation("trace", Method.GET, f"{one}/trace", (group, "trace"))
    yield Operation("move", Method.POST, "investigate/move", (group, "move"))
    yield Operation("move_one", Method.POST, f"{one}/move", (group, "move-one"))
    yield Operation("reclassify", Method.POST, f"{one}/reclassify", (group, "reclassify"))
    yield Operation("release", Method.POST, "investigate/release", (group, "release"))


def _bulk_jobs() -> Iterator[Operation]:
    collection, one = "investigate/bulk", "investigate/bulk/{id}"
    yield Operation("jobs", Method.GET, collection, ("bulk", "list"))
    yield Operation("move_all", Method.POST, collection, ("bulk", "move"))
    yield Operation("release_all", Method.POST, collection, ("bulk", "release"))
    yield Operation("job", Method.GET, one, ("bulk", "get"))
    yield Operation("job_messages", Method.GET, f"{one}/messages", ("bulk", "messages"))
    yield Operation("cancel_job", Method.POST, f"{one}/cancel", ("bulk", "cancel"), idempotent=True)
    yield Operation("delete_job", Method.DELETE, one, ("bulk", "delete"))


def _feedback() -> Iterator[Operation]:
    reports = "phishguard/reports"
    yield Operation("phishguard_reports", Method.GET, reports, ("phishguard-reports", "list"))
    yield Operation("submissions", Method.GET, "submissions", ("submissions", "list"))
    yield Operation("submit", Method.POST, "submissions", ("submissions", "create"))


_ALIASES = {
    "settings.block_senders.list": ("block_senders",),
    "settings.block_senders.get": ("block_sender",),
    "settings.block_senders.create": ("create_block_sender",),
    "settings.block_senders.delete": ("delete_block_sender",),
}


def _policy_list(resource: str, *, has_batch: bool) -> Iterator[Operation]:
    path = f"settings/{resource}"
    one = f"{path}/{{id}}"
    requests = {
        "list": (Method.GET, path),
        "get": (Method.GET, one),
        "create": (Method.POST, path),
        "edit": (Method.PATCH, one),
        "delete": (Method.DELETE, one),
    }
    if has_batch:
        requests["batch"] = (Method.POST, f"{path}/batch")

    if resource == "domains":
        requests["replace"] = (Method.PUT, one)
        requests["verification"] = (Method.GET, f"{one}/verification")

    for verb, (method, endpoint) in requests.items():
        name = f"{_SETTINGS}{resource}.{verb}"
        command = (resource.replace("_", "-"), verb)
        yield Operation(name, method, endpoint, command, aliases=_ALIASES.get(name, ()))


def _settings() -> Iterator[Operation]:
    for resource, policies in get_type_hints(AccountSettings).items():
        yield from _policy_list(resource, has_batch=bool(policies.batch_kinds))


OPERATIONS: tuple[Operation, ...] = (
    *_investigate(),
    *_bulk_jobs(),
    *_feedback(),
    *_settings(),
)
"""All operations, in the order of the reference."""
