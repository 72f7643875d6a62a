"""The endpoints that list what people reported: PhishGuard reports and submissions.

Source: reference §1.4 and §1.5.

No default window and no default order is documented for reports: the last 30 days, newest first,
are taken here for both. Without `per_page` a page has 20, as in every list; that the SDK pages
reports is newer than the OpenAPI document, which gives the whole answer.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator import query_parameters
from clawback.simulator.account_state import AccountState, Report
from clawback.simulator.envelopes import HOME, page_info, succeed
from clawback.simulator.message_search import DISPOSITIONS
from clawback.simulator.options import Shape

ORDERS = (
    "submission_id",
    "subject",
    "original_disposition",
    "requested_disposition",
    "outcome_disposition",
    "requested_at",
)
_EQUAL = ("submission_id", "original_disposition", "requested_disposition", "outcome_disposition")


class Reports:
    """Reading reports and submissions; changes nothing."""

    def __init__(self, world: AccountState) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The routes of these endpoints."""
        return [
            Route(HOME + "/phishguard/reports", self.reports, methods=["GET"]),
            Route(HOME + "/submissions", self.submissions, methods=["GET"]),
        ]

    async def reports(self, request: Request) -> Response:
        """GET PhishGuard reports, without a `result_info`.

        A simulator may be told to ignore `page` and `per_page`.
        """
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        start, end = query_parameters.window(params, self._world.now)
        found = [report for report in self._world.reports if start <= report.created_at < end]
        found.sort(key=lambda report: (report.created_at, report.record["id"]), reverse=True)
        if self._world.options.page_reports:
            found = found[(page - 1) * per_page : page * per_page]
        return succeed([_shaped_report(report, self._world.options.shape) for report in found])

    async def submissions(self, request: Request) -> Response:
        """GET submissions with a page `result_info`, whose total counts all there are."""
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        order = query_parameters.choice(params, "order", ORDERS) or "requested_at"
        descending = (
            query_parameters.choice(params, "direction", ("asc", "desc")) or "desc"
        ) == "desc"
        found = self._found(params)
        found.sort(
            key=lambda record: (str(record.get(order) or ""), record["submission_id"]),
            reverse=descending,
        )
        shown = found[(page - 1) * per_page : page * per_page]
        info = page_info(len(shown), page, per_page, len(self._world.submissions))
        return succeed(
            [_shaped_submission(record, self._world.options.shape) for record in shown],
            result_info=info,
        )

    def _found(self, params: QueryParams) -> list[dict[str, Any]]:
        now = self._world.now
        start, end = query_parameters.window(params, now)
        keep = _submission_filter(params)
        inside = (
            submission.seen(now)
            for submission in self._world.submissions.values()
            if start <= submission.requested_at < end
        )
        return [record for record in inside if keep(record)]


def _submission_filter(params: QueryParams) -> Callable[[Mapping[str, Any]], bool]:
    for name in _EQUAL[1:]:
        query_parameters.choice(params, name, DISPOSITIONS)
    kind = query_parameters.choice(params, "type", ("TEAM", "USER"))
    review = query_parameters.choice(params, "status", ("escalated", "reviewed", "unreviewed"))
    escalated = query_parameters.optional_boolean(params, "escalated_from_user")
    equal = {name: params[name] for name in _EQUAL if params.get(name)}
    words = (params.get("query") or "").casefold().split()

    def keep(record: Mapping[str, Any]) -> bool:
        return (
            all(record.get(name) == value for name, value in equal.items())
            and (kind is None or str(record.get("type") or "").upper() == kind)
            and (review is None or record.get("customer_status") == review)
            and (escalated is None or bool(record.get("escalated_by")) is escalated)
            and all(word in str(record.get("subject") or "").casefold() for word in words)
        )

    return keep


def _shaped_report(report: Report, shape: Shape) -> dict[str, Any]:
    fields = dict(report.record.get("fields") or {"to": []})
    occurred = fields.get("occurred_at") or fields.get("ts") or report.record["created_at"]
    if shape is Shape.OLD:
        return {
            **report.record,
            "ts": report.record["created_at"],
            "fields": {**fields, "occurred_at": occurred, "ts": occurred},
        }
    fields.pop("ts", None)
    return {name: value for name, value in report.record.items() if name != "ts"} | {
        "fields": {**fields, "occurred_at": occurred}
    }


def _shaped_submission(record: dict[str, Any], shape: Shape) -> dict[str, Any]:
    if shape is Shape.OLD:
        return {**record, "requested_ts": record["requested_at"]}
    return {name: value for name, value in record.items() if name != "requested_ts"}
