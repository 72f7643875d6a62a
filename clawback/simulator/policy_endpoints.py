"""Endpoints of policies: list, create, get, edit, replace, delete, batch (reference §1.6).

The API documents no uniqueness, so an equal policy is created again; `refuse_duplicates` makes it a
409. Unknown and read-only fields are ignored. Without `order`, lists are sorted by creation time,
oldest first.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator import query_parameters
from clawback.simulator.account_state import AccountState
from clawback.simulator.ledger import Operation
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import Shape
from clawback.simulator.policy_kinds import Resource
from clawback.simulator.responses import (
    DUPLICATE,
    HOME,
    Refusal,
    format_time,
    invalid,
    not_found,
    page_info,
    read_object,
    succeed,
)

Record = dict[str, Any]
MAX_BATCH = 1000


class PolicyEndpoints:
    """The policies of one kind. Each change that takes effect adds a row to the ledger."""

    def __init__(self, account: AccountState, resource: Resource) -> None:
        self._account = account
        self._kind = resource

    def routes(self) -> list[Route]:
        """Return the routes. `/batch` precedes the ids, which would match it."""
        home = f"{HOME}/settings/{self._kind.name}"
        one = home + "/{" + self._kind.parameter + "}"
        routes = [
            Route(home, self.search, methods=["GET"]),
            Route(home, self.create, methods=["POST"]),
        ]
        routes += [Route(home + "/batch", self.batch, methods=["POST"])] if self._kind.batch else []
        routes += [Route(one, self.replace, methods=["PUT"])] if self._kind.replace else []

        return [
            *routes,
            Route(one, self.get, methods=["GET"]),
            Route(one, self.edit, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def search(self, request: Request) -> Response:
        """GET a page of policies. The total counts all of them, whatever the filter."""
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        order = query_parameters.choice(params, "order", self._kind.orders) or "created_at"
        descending = query_parameters.choice(params, "direction", ("asc", "desc")) == "desc"
        found = [record for record in self._records.values() if self._matches(record, params)]
        found.sort(key=lambda record: str(record.get(order) or ""), reverse=descending)
        shown = found[(page - 1) * per_page : page * per_page]
        info = page_info(len(shown), page, per_page, len(self._records))

        return succeed([self._to_json(record) for record in shown], result_info=info)

    async def create(self, request: Request) -> Response:
        """POST a policy: 201 with the object."""
        record = self.add(await read_object(request), request.scope[REQUEST])
        return succeed(self._to_json(record), status=201)

    async def get(self, request: Request) -> Response:
        """GET one policy."""
        return succeed(self._to_json(self._find(self._id(request))))

    async def edit(self, request: Request) -> Response:
        """PATCH one or more fields: 200 with the object."""
        return succeed(
            self._to_json(
                self.change(self._id(request), await read_object(request), request.scope[REQUEST])
            )
        )

    async def replace(self, request: Request) -> Response:
        """PUT a complete policy in place of one: 200 with the object."""
        body = self._read_fields(await read_object(request), self._kind.replace)
        return succeed(self._to_json(self.change(self._id(request), body, request.scope[REQUEST])))

    async def delete(self, request: Request) -> Response:
        """DELETE one policy: 200 with its id, 404 if there is none."""
        return succeed(
            {"id": self._response_id(self.remove(self._id(request), request.scope[REQUEST]))}
        )

    async def batch(self, request: Request) -> Response:
        """POST deletes, patches, puts and posts, applied in that order, all or none."""
        body = await read_object(request)
        parts = {name: _batch_part(body, name) for name in self._kind.batch}
        before, rows = copy.deepcopy(self._records), len(self._account.ledger.rows)

        try:
            return succeed(self._run(parts, request.scope[REQUEST]))
        except Refusal:
            self._records.clear()
            self._records.update(before)
            del self._account.ledger.rows[rows:]
            raise

    def add(self, body: Record, request: int) -> Record:
        """Create a policy.

        Raises:
            Refusal: 400, a field is missing or invalid; 409, an equal one exists and duplicates are
                refused.

        """
        record = self.build(body)
        self._log(request, Operation.CREATE, record)
        return record

    def build(self, body: Record) -> Record:
        """Create a policy that was there before: it adds no ledger row. Raises as `add`."""
        values = self._read_fields(body, self._kind.required)
        self._check(values)
        self._refuse_duplicate(values)
        at = format_time(self._account.now)
        identity = self._new_id()
        record = {
            "id": identity,
            **self._kind.defaults,
            **values,
            **copy.deepcopy(dict(self._kind.read_only)),
            "created_at": at,
            "modified_at": at,
        }
        self._records[identity] = record
        return record

    def change(self, identity: str, body: Record, request: int) -> Record:
        """Change fields of a policy. A change without effect adds no ledger row.

        Raises:
            Refusal: 400, a field is invalid or there is none; 404, the policy is unknown.

        """
        record = self._find(identity)
        if problem := self._kind.check_editable(record):
            raise invalid(f"The entry {problem}")

        values = self._read_fields(body, ())
        if not values:
            raise invalid("The request body must have at least one field")

        self._check(record | values)
        if any(record.get(name) != value for name, value in values.items()):
            record.update(values, modified_at=format_time(self._account.now))
            self._log(request, Operation.EDIT, record)

        return record

    def remove(self, identity: str, request: int) -> str:
        """Delete a policy.

        Raises:
            Refusal: 404, it is unknown.

        """
        record = self._find(identity)
        del self._records[identity]
        self._log(request, Operation.DELETE, record)
        return identity

    def _run(self, parts: Mapping[str, list[Record]], request: int) -> dict[str, list[Record]]:
        apply: Mapping[str, Callable[[Record], Record]] = {
            "deletes": lambda item: {"id": self._response_id(self.remove(_item_id(item), request))},
            "patches": lambda item: self._to_json(self.change(_item_id(item), item, request)),
            "puts": lambda item: self._to_json(
                self.change(
                    _item_id(item),
                    self._read_fields(item, self._kind.replace or self._kind.required),
                    request,
                )
            ),
            "posts": lambda item: self._to_json(self.add(item, request)),
        }
        return {name: [apply[name](item) for item in items] for name, items in parts.items()}

    @property
    def _records(self) -> dict[str, Record]:
        return self._account.policies.setdefault(self._kind.name, {})

    def _id(self, request: Request) -> str:
        return str(request.path_params[self._kind.parameter])

    def _find(self, identity: str) -> Record:
        if (record := self._records.get(identity)) is None:
            raise not_found(f"No {self._kind.name} entry with this id")
        return record

    def _new_id(self) -> str:
        if self._account.options.shape is not Shape.OLD:
            return str(uuid4())
        return str(max((int(identity) for identity in self._records), default=2400) + 1)

    def _response_id(self, identity: str) -> str | int:
        return int(identity) if self._account.options.shape is Shape.OLD else identity

    def _read_fields(self, body: Record, required: tuple[str, ...]) -> Record:
        """Return the writable fields of a body, each checked."""
        unknown = body.keys() - self._kind.fields.keys() - {"id"}
        if self._kind.refuses_unknown_fields and unknown:
            raise invalid(f"{min(unknown)} is not known", f"/{min(unknown)}")

        for name in required:
            if name not in body:
                raise invalid(f"{name} is required", f"/{name}")

        values = {name: body[name] for name in self._kind.fields if name in body}
        for name, value in values.items():
            if problem := self._kind.fields[name](value):
                raise invalid(f"{name} {problem}", f"/{name}")

        return values

    def _check(self, record: Mapping[str, Any]) -> None:
        if problem := self._kind.check_record(record):
            raise invalid(f"{self._kind.main_field} {problem}", f"/{self._kind.main_field}")

    def _refuse_duplicate(self, values: Record) -> None:
        if not self._account.options.refuse_duplicates:
            return
        for record in self._records.values():
            if all(record.get(name) == values.get(name) for name in self._kind.unique_fields):
                raise Refusal(409, DUPLICATE, f"An equal entry already exists: {record['id']}")

    def _matches(self, record: Record, params: QueryParams) -> bool:
        for name, field in self._kind.filters.items():
            wants = params.getlist(name)
            if wants and not _query_values(record.get(field)) & {
                want.upper() if name == "status" else want for want in wants
            }:
                return False

        search = (params.get("search") or "").casefold()
        return not search or any(
            search in value.casefold() for value in record.values() if isinstance(value, str)
        )

    def _log(self, request: int, operation: Operation, record: Record) -> None:
        details = {
            name: record.get(name)
            for name in ("pattern", "pattern_type")
            if isinstance(record.get(name), str)
        }
        details |= (
            {"pattern": record.get(self._kind.main_field)} if "pattern" not in details else {}
        )
        self._account.ledger.record(
            self._account.now, request, operation, self._kind.name, record["id"], **details
        )

    def _to_json(self, record: Record) -> Record:
        """The record as sent, with the field names of the chosen generation."""
        shape = self._account.options.shape
        if shape is Shape.OLD:
            status = {"status": record["status"].lower()} if "status" in record else {}
            return {
                **record,
                "id": int(record["id"]),
                "last_modified": record["modified_at"],
                **status,
            }

        past = self._kind.required_past_eol if shape is Shape.NEW else ()
        return {**record, **dict.fromkeys(past, record["modified_at"])}


def _batch_part(body: Record, name: str) -> list[Record]:
    items = body.get(name)
    if (
        not isinstance(items, list)
        or len(items) > MAX_BATCH
        or not all(isinstance(item, dict) for item in items)
    ):
        raise invalid(f"{name} must be an array of at most {MAX_BATCH} objects", f"/{name}")

    return items


def _item_id(item: Record) -> str:
    if item.get("id") is None:
        raise invalid("every patch, put and delete needs an id", "/id")
    return str(item["id"])


def _query_values(value: object) -> set[str]:
    """Return a value, or each item of a list, as it is written in a query."""
    return {
        str(item).lower() if isinstance(item, bool) else str(item)
        for item in (value if isinstance(value, list) else [value])
    }
