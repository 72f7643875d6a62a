"""What all policies of an account share: list, get, create, edit, delete, batch.

Each kind says what it is made of. Source: reference §1.6.

Changes act on new mail only. Nothing documents that a pattern is unique: look before creating, and
after `UnknownOutcome` look again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypedDict, TypeVar

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page, read_items
from clawback.cloudflare.requests import MOST_IDS, ApiRequest, Method, page_size, query, short_text
from clawback.cloudflare.responses import unreadable
from clawback.cloudflare.wire import Identity, Moment, Text, Unreadable, Wire, objects

_NEVER_EMPTY = frozenset({"pattern", "domain", "name", "email"})
_SHORT = _NEVER_EMPTY | {"comments", "notes"}


class Policy(Wire):
    """One entry of a policy list."""

    renamed: ClassVar[Mapping[str, str]] = {"last_modified": "modified_at"}

    id: Identity
    comments: Text = None
    created_at: Moment = None
    modified_at: Moment = None


class ListOptions(TypedDict, total=False):
    """What every list takes.

    `search` is meant for people; `order` is a field of the list, `direction` asc or desc.
    """

    search: str | None
    order: str | None
    direction: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Many changes in one request, at most 1,000 of each kind, made in this order.

    `patches` and `puts` are fields by id.
    """

    deletes: Sequence[str] = ()
    patches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    puts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    posts: Sequence[Mapping[str, Any]] = ()


R = TypeVar("R", bound=Wire)


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[R]):
    """What a batch changed; `deletes` are ids."""

    deletes: tuple[str, ...]
    patches: tuple[R, ...]
    puts: tuple[R, ...]
    posts: tuple[R, ...]


class Policies(Operations, Generic[R]):
    """One kind of policies: `path` is its place below `settings`, `kind` its record."""

    path: ClassVar[str]
    batched: ClassVar[tuple[str, ...]] = ("deletes", "patches", "puts", "posts")
    kind: type[R]

    async def get(self, id: str) -> R:  # noqa: A002 - the API's word
        """Read one: GET `settings/…/{id}`. Permission: Read."""
        return await self._one(ApiRequest(Method.GET, f"{self.path}/{{id}}", (id,)), self.kind)

    async def delete(self, id: str) -> None:  # noqa: A002 - the API's word
        """Remove one: DELETE `settings/…/{id}`.

        Permission: Write. `NotFound` where it is gone already.
        """
        await self._connection.confirm(ApiRequest(Method.DELETE, f"{self.path}/{{id}}", (id,)))

    async def batch(self, changes: Batch) -> BatchResult[R]:
        """Make many changes in one request: POST `settings/…/batch`. Permission: Write.

        Described as atomic for allow policies, block senders and trusted domains; all the same,
        read again before repeating it.

        Raises:
            ValueError: nothing to do, more than 1,000 of one kind, or a kind of change that these
                policies do not take.
            ApiError: see `errors`.

        """
        call = ApiRequest(Method.POST, f"{self.path}/batch", body=self._batch_body(changes))
        result = (await self._connection.call(call)).result
        if not isinstance(result, Mapping):
            raise unreadable(call, "the result is not an object")
        try:
            patches, puts, posts = (
                read_items(self.kind, result.get(name))[0] for name in ("patches", "puts", "posts")
            )
        except Unreadable as error:
            raise unreadable(call, str(error)) from None
        return BatchResult(
            tuple(str(gone["id"]) for gone in objects(result.get("deletes")) if "id" in gone),
            patches,
            puts,
            posts,
        )

    async def _page(self, filters: Mapping[str, Any], page: int, per_page: int) -> Page[R]:
        values = {**filters, "page": page, "per_page": page_size(per_page)}
        return await self._counted(
            ApiRequest(Method.GET, self.path, query=query(values)), self.kind, page, per_page
        )

    async def _create(self, fields: Mapping[str, Any]) -> R:
        return await self._one(ApiRequest(Method.POST, self.path, body=checked(fields)), self.kind)

    async def _edit(self, identity: str, fields: Mapping[str, Any]) -> R:
        if not fields:
            raise ValueError("an edit needs at least one field")
        return await self._one(
            ApiRequest(Method.PATCH, f"{self.path}/{{id}}", (identity,), body=checked(fields)),
            self.kind,
        )

    def _batch_body(self, changes: Batch) -> dict[str, list[dict[str, Any]]]:
        body = {
            "deletes": [{"id": identity} for identity in changes.deletes],
            "patches": [
                {**checked(fields), "id": identity} for identity, fields in changes.patches.items()
            ],
            "puts": [
                {**checked(fields), "id": identity} for identity, fields in changes.puts.items()
            ],
            "posts": [checked(fields) for fields in changes.posts],
        }
        refused = [name for name, rows in body.items() if rows and name not in self.batched]
        if refused or not any(body.values()) or any(len(rows) > MOST_IDS for rows in body.values()):
            raise ValueError(f"a batch takes 1 to {MOST_IDS} of each of {', '.join(self.batched)}")
        return {name: body[name] for name in self.batched}


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Check the texts of what is written.

    At most 1,024 characters, and none that names something empty. None clears a field.

    Raises:
        ValueError: a text is too long, or empty where it must not be.

    """
    for name, value in fields.items():
        if name in _SHORT and isinstance(value, str):
            short_text(name, value, empty=name not in _NEVER_EMPTY)
    return dict(fields)
