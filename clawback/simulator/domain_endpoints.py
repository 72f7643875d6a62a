"""What domains have beside other policies.

The verification record, and the deprecated delete of many. Source: reference §1.6.

A new domain is PENDING and wants a TXT record. Asking for it is also the check: as long after its
creation as submissions take to be decided, the domain is found to be ACTIVE, which is said with a
204 from then on.
"""

import hashlib
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.envelopes import HOME, invalid, json_body, not_found, stamp, succeed
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import Shape
from clawback.simulator.policy_endpoints import Policies
from clawback.simulator.policy_kinds import DOMAINS
from clawback.simulator.query_parameters import parse_time


class Domains:
    """The endpoints of domains that no other policy has."""

    def __init__(self, world: AccountState) -> None:
        self._world = world
        self._policies = Policies(world, DOMAINS)

    def routes(self) -> list[Route]:
        """The routes of these endpoints."""
        home = HOME + "/settings/domains"
        return [
            Route(home, self.delete_many, methods=["DELETE"]),
            Route(home + "/{domain_id}/verification", self.verification, methods=["GET"]),
        ]

    async def delete_many(self, request: Request) -> Response:
        """DELETE those named in a body of `[{"id".

        …}]`; without a body, as the SDK sends it, nothing is deleted and the answer is 400.
        """
        body = await json_body(request)
        if (
            not isinstance(body, list)
            or not body
            or not all(isinstance(item, dict) and item.get("id") for item in body)
        ):
            raise invalid("The request body must be an array of objects with an id")
        identities = [str(item["id"]) for item in body]
        for identity in identities:
            self._known(identity)
        for identity in dict.fromkeys(identities):
            self._policies.remove(identity, request.scope[REQUEST])
        return succeed([{"id": identity} for identity in identities])

    async def verification(self, request: Request) -> Response:
        """GET the TXT record that proves a domain; 204 where none is needed any more."""
        record = self._known(str(request.path_params["domain_id"]))
        if self._world.now >= self._due(record):
            record["status"] = "ACTIVE"
            return Response(status_code=204)
        status = record["status"].lower()
        proof = {
            "txt_record_name": f"_cf-email-security.{record['domain']}",
            "txt_record_value": _token(record["id"]),
        }
        checked = None if self._world.options.shape is Shape.OLD else stamp(self._world.now)
        return succeed({"status": status, "last_checked_at": checked, **proof})

    def _due(self, record: dict[str, str]) -> datetime:
        created = parse_time(record["created_at"]) or self._world.now
        return created + timedelta(seconds=self._world.options.outcome_after)

    def _known(self, identity: str) -> dict[str, str]:
        record = self._world.policies.get(DOMAINS.name, {}).get(identity)
        if record is None:
            raise not_found("No domains entry with this id")
        return record


def _token(identity: str) -> str:
    return "cf-verify=" + hashlib.sha256(identity.encode()).hexdigest()[:32]
