"""What all policy lists share: get, delete, batch, and typed helpers for list, create and edit.

Policies apply to new mail only. Nothing documents that a pattern is unique: look before you create
one, and look again after `UnknownOutcome`. Source: reference §1.6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypedDict, TypeVar

from clawback.cloudflare.api_request import (
    ApiRequest,
    Method,
    check_page_size,
    check_text,
    encode_query,
)
from clawback.cloudflare.api_response import unreadable_response
from clawback.cloudflare.operations.operation_group import OperationGroup
from clawback.cloudflare.paging import Page, parse_records
from clawback.cloudflare.wire_model import (
    Identity,
    InvalidRecord,
    Text,
    Timestamp,
    WireModel,
    objects_of,
)

MAX_ENTRIES_PER_BATCH = 1000
"""The most entries of each kind of change in one batch (reference §1.6)."""
_REQUIRED_TEXTS = frozenset({"pattern", "domain", "name", "email"})
_BOUNDED_TEXTS = _REQUIRED_TEXTS | {"comments", "notes"}


class Policy(WireModel):
    """One entry of a policy list."""

    renamed: ClassVar[Mapping[str, str]] = {"last_modified": "modified_at"}

    id = Identity()
    comments = Text()
    created_at = Timestamp()
    modified_at = Timestamp()


class ListOptions(TypedDict, total=False):
    """Options of every list.

    `search` is a free-text search for people; `order` is a field of the list, `direction` asc or
    desc.
    """

    search: str | None
    order: str | None
    direction: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Many changes in one request, at most 1,000 of each kind, applied in this order.

    `patches` and `puts` map an id to its fields.
    """

    deletes: Sequence[str] = ()
    patches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    puts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    posts: Sequence[Mapping[str, Any]] = ()


R = TypeVar("R", bound=WireModel)


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[R]):
    """The records that a batch changed; `deletes` are ids."""

    deletes: tuple[str, ...]
    patches: tuple[R, ...]
    puts: tuple[R, ...]
    posts: tuple[R, ...]


class PolicyList(OperationGroup, Generic[R]):
    """One API resource under `settings/`; subclasses add `list`, `create` and `edit`."""

    path: ClassVar[str]
    batch_kinds: ClassVar[tuple[str, ...]] = ("deletes", "patches", "puts", "posts")
    list_filters: ClassVar[Mapping[str, str]] = {}
    """The filters of `list` that find an entry, each with the field whose value it takes.

    Empty: `list` has no such filter, so that the whole list must be read.
    """
    record_type: type[R]

    @classmethod
    def filters_for(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the filters of `list` for an entry with these fields.

        They only narrow the list down: compare the fields of what it returns as well.
        """
        return {
            name: fields[field]
            for name, field in cls.list_filters.items()
            if fields.get(field) is not None
        }

    async def get(self, id: str) -> R:
        """Read one entry: GET `settings/…/{id}`. Permission: Read."""
        request = ApiRequest(Method.GET, f"{self.path}/{{id}}", (id,))
        return await self._fetch_one(request, self.record_type)

    async def delete(self, id: str) -> None:
        """Delete one entry: DELETE `settings/…/{id}`. Permission: Write.

        Raises `NotFound` if it is already gone.
        """
        await self._transport.confirm(ApiRequest(Method.DELETE, f"{self.path}/{{id}}", (id,)))

    async def batch(self, changes: Batch) -> BatchResult[R]:
        """Make many changes in one request: POST `settings/…/batch`. Permission: Write.

        Documented as atomic for allow policies, block senders and trusted domains. Read the list
        again before you retry it anyway.

        Raises:
            ValueError: no changes, more than 1,000 of one kind, or a kind that this list does not
                accept.
            ApiError: see `errors`.

        """
        request = ApiRequest(Method.POST, f"{self.path}/batch", body=self._batch_body(changes))
        result = (await self._transport.call(request)).result
        if not isinstance(result, Mapping):
            raise unreadable_response(request, "the result is not an object")

        try:
            patches, puts, posts = (
                parse_records(self.record_type, result.get(name))[0]
                for name in ("patches", "puts", "posts")
            )
        except InvalidRecord as error:
            raise unreadable_response(request, str(error)) from None

        deletes = (str(item["id"]) for item in objects_of(result.get("deletes")) if "id" in item)
        return BatchResult(tuple(deletes), patches, puts, posts)

    async def _list_page(self, filters: Mapping[str, Any], page: int, per_page: int) -> Page[R]:
        values = {**filters, "page": page, "per_page": check_page_size(per_page)}
        request = ApiRequest(Method.GET, self.path, query=encode_query(values))
        return await self._fetch_page(request, self.record_type, page, per_page)

    async def _create(self, fields: Mapping[str, Any]) -> R:
        request = ApiRequest(Method.POST, self.path, body=check_texts(fields))
        return await self._fetch_one(request, self.record_type)

    async def _edit(self, identity: str, fields: Mapping[str, Any]) -> R:
        if not fields:
            raise ValueError("an edit needs at least one field")
        body = check_texts(fields)
        request = ApiRequest(Method.PATCH, f"{self.path}/{{id}}", (identity,), body=body)
        return await self._fetch_one(request, self.record_type)

    def _batch_body(self, changes: Batch) -> dict[str, list[dict[str, Any]]]:
        body = {
            "deletes": [{"id": identity} for identity in changes.deletes],
            "patches": _with_ids(changes.patches),
            "puts": _with_ids(changes.puts),
            "posts": [check_texts(fields) for fields in changes.posts],
        }
        is_unsupported = any(rows for name, rows in body.items() if name not in self.batch_kinds)
        is_too_large = any(len(rows) > MAX_ENTRIES_PER_BATCH for rows in body.values())
        if is_unsupported or is_too_large or not any(body.values()):
            kinds = ", ".join(self.batch_kinds)
            raise ValueError(f"a batch takes 1 to {MAX_ENTRIES_PER_BATCH} of each of {kinds}")

        # Kinds that a list does not accept must be absent, not empty.
        return {name: body[name] for name in self.batch_kinds}


def _with_ids(changes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**check_texts(fields), "id": identity} for identity, fields in changes.items()]


def check_texts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Check the texts of a create or edit; None clears a field.

    Raises:
        ValueError: a text is longer than 1,024 characters, or empty where it must not be.

    """
    for name, value in fields.items():
        if name in _BOUNDED_TEXTS and isinstance(value, str):
            check_text(name, value, empty=name not in _REQUIRED_TEXTS)
    return dict(fields)
