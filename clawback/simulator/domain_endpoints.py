"""Endpoints that only domains have: verification, and the deprecated bulk delete (reference §1.6).

A new domain is PENDING and needs a TXT record. Reading the record also checks it: `outcome_after`
seconds after its creation a domain becomes ACTIVE, and the response is a 204 from then on.
"""

import hashlib
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import Shape
from clawback.simulator.policy_endpoints import PolicyEndpoints
from clawback.simulator.policy_kinds import DOMAINS
from clawback.simulator.query_parameters import parse_time
from clawback.simulator.responses import HOME, format_time, invalid, not_found, read_json, succeed


class DomainEndpoints:
    """Operations on domains beyond those of every policy."""

    def __init__(self, account: AccountState) -> None:
        self._account = account
        self._policies = PolicyEndpoints(account, DOMAINS)

    def routes(self) -> list[Route]:
        home = HOME + "/settings/domains"
        return [
            Route(home, self.delete_many, methods=["DELETE"]),
            Route(home + "/{domain_id}/verification", self.verification, methods=["GET"]),
        ]

    async def delete_many(self, request: Request) -> Response:
        """DELETE the domains in a body of `[{"id": …}]`; 400 without one, as the SDK sends it."""
        body = await read_json(request)
        if (
            not isinstance(body, list)
            or not body
            or not all(isinstance(item, dict) and item.get("id") for item in body)
        ):
            raise invalid("The request body must be an array of objects with an id")

        identities = [str(item["id"]) for item in body]
        for identity in identities:
            self._find(identity)

        for identity in dict.fromkeys(identities):
            self._policies.remove(identity, request.scope[REQUEST])

        return succeed([{"id": identity} for identity in identities])

    async def verification(self, request: Request) -> Response:
        """GET the TXT record that verifies a domain; 204 once it is verified."""
        record = self._find(str(request.path_params["domain_id"]))
        if self._account.now >= self._verified_at(record):
            record["status"] = "ACTIVE"
            return Response(status_code=204)

        status = record["status"].lower()
        proof = {
            "txt_record_name": f"_cf-email-security.{record['domain']}",
            "txt_record_value": _build_token(record["id"]),
        }
        checked = (
            None if self._account.options.shape is Shape.OLD else format_time(self._account.now)
        )

        return succeed({"status": status, "last_checked_at": checked, **proof})

    def _verified_at(self, record: dict[str, str]) -> datetime:
        created = parse_time(record["created_at"]) or self._account.now
        return created + timedelta(seconds=self._account.options.outcome_after)

    def _find(self, identity: str) -> dict[str, str]:
        record = self._account.policies.get(DOMAINS.name, {}).get(identity)
        if record is None:
            raise not_found("No domains entry with this id")
        return record


def _build_token(identity: str) -> str:
    return "cf-verify=" + hashlib.sha256(identity.encode()).hexdigest()[:32]
