"""The endpoints of settings.

List, create, get, edit, replace, delete and batch, the same for every kind of policy. Source:
reference §1.6.

The API documents no uniqueness, so an equal policy is simply created again; a simulator may be told
to answer 409. Fields that are unknown or read-only are passed over. Without `order`, lists go by
time of creation, oldest first.
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
from clawback.simulator.envelopes import (
    DUPLICATE,
    HOME,
    Refusal,
    invalid,
    not_found,
    object_body,
    page_info,
    stamp,
    succeed,
)
from clawback.simulator.ledger import Operation
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import Shape
from clawback.simulator.policy_kinds import Resource

Record = dict[str, Any]
MOST_IN_BATCH = 1000


class Policies:
    """All policies of one kind; every effective change leaves a row in the ledger."""

    def __init__(self, world: AccountState, resource: Resource) -> None:
        self._world = world
        self._kind = resource

    def routes(self) -> list[Route]:
        """The routes of this kind of policy.

        The batch, where there is one, comes before the ids.
        """
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
        """GET a page of policies; the total counts all there are, whatever was searched for."""
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        order = query_parameters.choice(params, "order", self._kind.orders) or "created_at"
        descending = query_parameters.choice(params, "direction", ("asc", "desc")) == "desc"
        found = [record for record in self._held.values() if self._matches(record, params)]
        found.sort(key=lambda record: str(record.get(order) or ""), reverse=descending)
        shown = found[(page - 1) * per_page : page * per_page]
        info = page_info(len(shown), page, per_page, len(self._held))
        return succeed([self._shaped(record) for record in shown], result_info=info)

    async def create(self, request: Request) -> Response:
        """POST a policy: 201 with the object."""
        record = self.add(await object_body(request), request.scope[REQUEST])
        return succeed(self._shaped(record), status=201)

    async def get(self, request: Request) -> Response:
        """GET one policy."""
        return succeed(self._shaped(self._known(self._id(request))))

    async def edit(self, request: Request) -> Response:
        """PATCH at least one field: 200 with the object."""
        return succeed(
            self._shaped(
                self.change(self._id(request), await object_body(request), request.scope[REQUEST])
            )
        )

    async def replace(self, request: Request) -> Response:
        """PUT a whole policy in the place of one: 200 with the object."""
        body = self._complete(await object_body(request), self._kind.replace)
        return succeed(self._shaped(self.change(self._id(request), body, request.scope[REQUEST])))

    async def delete(self, request: Request) -> Response:
        """DELETE one policy: 200 with its id, 404 where it is gone already."""
        return succeed(
            {"id": self._outward(self.remove(self._id(request), request.scope[REQUEST]))}
        )

    async def batch(self, request: Request) -> Response:
        """POST deletes, patches, puts and posts, run in that order, all or nothing."""
        body = await object_body(request)
        parts = {name: _batch_part(body, name) for name in self._kind.batch}
        before, rows = copy.deepcopy(self._held), len(self._world.ledger.rows)
        try:
            return succeed(self._run(parts, request.scope[REQUEST]))
        except Refusal:
            self._held.clear()
            self._held.update(before)
            del self._world.ledger.rows[rows:]
            raise

    def add(self, body: Record, request: int) -> Record:
        """Create a policy and note it.

        Raises:
            Refusal: 400, a field is missing or wrong; 409, there is an equal one and duplicates are
                refused.

        """
        values = self._complete(body, self._kind.required)
        self._check(values)
        self._refuse_duplicate(values)
        at = stamp(self._world.now)
        identity = self._new_id()
        record = {
            "id": identity,
            **self._kind.defaults,
            **values,
            **copy.deepcopy(dict(self._kind.fixed)),
            "created_at": at,
            "modified_at": at,
        }
        self._held[identity] = record
        self._note(request, Operation.CREATE, record)
        return record

    def change(self, identity: str, body: Record, request: int) -> Record:
        """Change fields of a policy; without any difference nothing is noted.

        Raises:
            Refusal: 400, a field is wrong or there is none; 404, nobody knows the policy.

        """
        record = self._known(identity)
        if problem := self._kind.frozen(record):
            raise invalid(f"The entry {problem}")
        values = self._complete(body, ())
        if not values:
            raise invalid("The request body must name at least one field")
        self._check(record | values)
        if any(record.get(name) != value for name, value in values.items()):
            record.update(values, modified_at=stamp(self._world.now))
            self._note(request, Operation.EDIT, record)
        return record

    def remove(self, identity: str, request: int) -> str:
        """Delete a policy and note it.

        Raises:
            Refusal: 404, nobody knows it.

        """
        record = self._known(identity)
        del self._held[identity]
        self._note(request, Operation.DELETE, record)
        return identity

    def _run(self, parts: Mapping[str, list[Record]], request: int) -> dict[str, list[Record]]:
        apply: Mapping[str, Callable[[Record], Record]] = {
            "deletes": lambda item: {"id": self._outward(self.remove(_item_id(item), request))},
            "patches": lambda item: self._shaped(self.change(_item_id(item), item, request)),
            "puts": lambda item: self._shaped(
                self.change(
                    _item_id(item),
                    self._complete(item, self._kind.replace or self._kind.required),
                    request,
                )
            ),
            "posts": lambda item: self._shaped(self.add(item, request)),
        }
        return {name: [apply[name](item) for item in items] for name, items in parts.items()}

    @property
    def _held(self) -> dict[str, Record]:
        return self._world.policies.setdefault(self._kind.name, {})

    def _id(self, request: Request) -> str:
        return str(request.path_params[self._kind.parameter])

    def _known(self, identity: str) -> Record:
        if (record := self._held.get(identity)) is None:
            raise not_found(f"No {self._kind.name} entry with this id")
        return record

    def _new_id(self) -> str:
        if self._world.options.shape is not Shape.OLD:
            return str(uuid4())
        return str(max((int(identity) for identity in self._held), default=2400) + 1)

    def _outward(self, identity: str) -> str | int:
        return int(identity) if self._world.options.shape is Shape.OLD else identity

    def _complete(self, body: Record, required: tuple[str, ...]) -> Record:
        """The writable fields of a body, each checked by itself."""
        unknown = body.keys() - self._kind.fields.keys() - {"id"}
        if self._kind.closed and unknown:
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
        if problem := self._kind.whole(record):
            raise invalid(f"{self._kind.subject} {problem}", f"/{self._kind.subject}")

    def _refuse_duplicate(self, values: Record) -> None:
        if not self._world.options.refuse_duplicates:
            return
        for record in self._held.values():
            if all(record.get(name) == values.get(name) for name in self._kind.same):
                raise Refusal(409, DUPLICATE, f"An equal entry already exists: {record['id']}")

    def _matches(self, record: Record, params: QueryParams) -> bool:
        for name, field in self._kind.filters.items():
            wants = params.getlist(name)
            if wants and not _spelled(record.get(field)) & {
                want.upper() if name == "status" else want for want in wants
            }:
                return False
        search = (params.get("search") or "").casefold()
        return not search or any(
            search in value.casefold() for value in record.values() if isinstance(value, str)
        )

    def _note(self, request: int, operation: Operation, record: Record) -> None:
        details = {
            name: record.get(name)
            for name in ("pattern", "pattern_type")
            if isinstance(record.get(name), str)
        }
        details |= {"pattern": record.get(self._kind.subject)} if "pattern" not in details else {}
        self._world.ledger.record(
            self._world.now, request, operation, self._kind.name, record["id"], **details
        )

    def _shaped(self, record: Record) -> Record:
        """The record as it is sent, in the chosen generation of names."""
        shape = self._world.options.shape
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
        or len(items) > MOST_IN_BATCH
        or not all(isinstance(item, dict) for item in items)
    ):
        raise invalid(f"{name} must be an array of at most {MOST_IN_BATCH} objects", f"/{name}")
    return items


def _item_id(item: Record) -> str:
    if item.get("id") is None:
        raise invalid("every patch, put and delete needs an id", "/id")
    return str(item["id"])


def _spelled(value: object) -> set[str]:
    """How a value, or each item of a list, is spelled in a query."""
    return {
        str(item).lower() if isinstance(item, bool) else str(item)
        for item in (value if isinstance(value, list) else [value])
    }
