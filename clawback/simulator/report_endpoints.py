"""Endpoints of what people reported: PhishGuard reports and submissions.

Source: reference §1.3 (POST submissions, which the SDK lacks), §1.4, §1.5. Where the reference
leaves something open, the simulator does this: reports of the last 30 days, newest first, 20 a
page; a submission is accepted with 202 and `{}`; a missed detection may have any fields. All items
of a request are checked before the first is accepted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator import query_parameters
from clawback.simulator.account_state import AccountState, Report
from clawback.simulator.containment_endpoints import MAX_IDS, read_disposition
from clawback.simulator.ledger import Operation
from clawback.simulator.mail import Mail
from clawback.simulator.message_search import DISPOSITIONS
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import Shape
from clawback.simulator.responses import HOME, invalid, page_info, read_object, succeed

ORDERS = (
    "submission_id",
    "subject",
    "original_disposition",
    "requested_disposition",
    "outcome_disposition",
    "requested_at",
)
_EQUAL = ("submission_id", "original_disposition", "requested_disposition", "outcome_disposition")


class ReportEndpoints:
    """Reports and submissions. Each new submission adds a row to the ledger."""

    def __init__(self, account: AccountState) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        return [
            Route(HOME + "/phishguard/reports", self.reports, methods=["GET"]),
            Route(HOME + "/submissions", self.submissions, methods=["GET"]),
            Route(HOME + "/submissions", self.submit, methods=["POST"]),
        ]

    async def reports(self, request: Request) -> Response:
        """GET PhishGuard reports, without `result_info`.

        The OpenAPI document knows no pages here, the SDK does: `page_reports` decides.
        """
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        start, end = query_parameters.window(params, self._account.now)
        found = [report for report in self._account.reports if start <= report.created_at < end]
        found.sort(key=lambda report: (report.created_at, report.record["id"]), reverse=True)

        if self._account.options.page_reports:
            found = found[(page - 1) * per_page : page * per_page]

        return succeed([_report_to_json(report, self._account.options.shape) for report in found])

    async def submissions(self, request: Request) -> Response:
        """GET a page of submissions. The total counts all of them, whatever the filter."""
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        order = query_parameters.choice(params, "order", ORDERS) or "requested_at"
        descending = (
            query_parameters.choice(params, "direction", ("asc", "desc")) or "desc"
        ) == "desc"
        found = self._filter(params)
        found.sort(
            key=lambda record: (str(record.get(order) or ""), record["submission_id"]),
            reverse=descending,
        )
        shown = found[(page - 1) * per_page : page * per_page]
        info = page_info(len(shown), page, per_page, len(self._account.submissions))

        return succeed(
            [_submission_to_json(record, self._account.options.shape) for record in shown],
            result_info=info,
        )

    def _filter(self, params: QueryParams) -> list[dict[str, Any]]:
        now = self._account.now
        start, end = query_parameters.window(params, now)
        keep = _submission_filter(params)
        inside = (
            submission.record_at(now)
            for submission in self._account.submissions.values()
            if start <= submission.requested_at < end
        )

        return [record for record in inside if keep(record)]

    async def submit(self, request: Request) -> Response:
        """POST submissions of one type: 202 before they are decided."""
        body = await read_object(request)
        items = _read_items(body)
        match body.get("type"):
            case "reclassification":
                self._reclassify(items, request.scope[REQUEST])
            case "missed_detection":
                self._report_missed(items, request.scope[REQUEST])
            case _:
                raise invalid("type must be reclassification or missed_detection", "/type")

        return succeed({}, status=202)

    def _reclassify(self, items: list[dict[str, Any]], request: int) -> None:
        for item, mail, disposition in [
            (item, self._find_by_alert(item), read_disposition(item)) for item in items
        ]:
            self._account.submit(
                mail, disposition, "reclassification", item.get("escalated_submission_id")
            )
            self._account.ledger.record(
                self._account.now,
                request,
                Operation.RECLASSIFY,
                "message",
                mail.id,
                disposition=disposition,
            )

    def _report_missed(self, items: list[dict[str, Any]], request: int) -> None:
        for item in items:
            disposition = str(item.get("expected_disposition") or "MALICIOUS")
            mail = self._account.mailboxes.by_alert_id.get(str(item.get("alert_id")))
            identity = (
                self._account.submit(mail, disposition, "missed_detection", None)
                if mail
                else self._account.submit_unknown(disposition)
            )
            self._account.ledger.record(
                self._account.now,
                request,
                Operation.RECLASSIFY,
                "submission",
                identity,
                disposition=disposition,
            )

    def _find_by_alert(self, item: dict[str, Any]) -> Mail:
        mail = self._account.mailboxes.by_alert_id.get(str(item.get("alert_id")))
        if mail is None:
            raise invalid("alert_id is unknown", "/messages/alert_id")
        return mail


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


def _report_to_json(report: Report, shape: Shape) -> dict[str, Any]:
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


def _submission_to_json(record: dict[str, Any], shape: Shape) -> dict[str, Any]:
    if shape is Shape.OLD:
        return {**record, "requested_ts": record["requested_at"]}
    return {name: value for name, value in record.items() if name != "requested_ts"}


def _read_items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("messages")
    if (
        not isinstance(items, list)
        or not 0 < len(items) <= MAX_IDS
        or not all(isinstance(item, dict) for item in items)
    ):
        raise invalid(f"messages must be an array of 1 to {MAX_IDS} objects", "/messages")

    return items
