"""Filters of the message search, from its query parameters. Source: reference §1.3.

Where the reference leaves the semantics open, the simulator does this: `final_disposition` matches
literally (MALICIOUS excludes MALICIOUS-BEC); all terms of `query` must occur; `sender` and
`recipient` take an address or a domain with its subdomains; `domain` is that of a sender, a
recipient or a link; all words of `subject` must occur, in any order. The submissions datastore is
searched only on request.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from starlette.datastructures import QueryParams

from clawback.simulator import query_parameters
from clawback.simulator.mail import Mail
from clawback.simulator.mailbox_store import Filter

DISPOSITIONS = ("MALICIOUS", "SUSPICIOUS", "SPOOF", "SPAM", "BULK", "NONE")
LABELS = (
    "MALICIOUS",
    "MALICIOUS-BEC",
    "SUSPICIOUS",
    "SPOOF",
    "SPAM",
    "BULK",
    "ENCRYPTED",
    "EXTERNAL",
    "UNKNOWN",
    "NONE",
)
STATUSES = (
    "delivered",
    "moved",
    "quarantined",
    "rejected",
    "deferred",
    "bounced",
    "queued",
    "move_failed",
)
ACTIONS: Mapping[str, str] = {
    "PREVIEW": "PREVIEW",
    "QUARANTINE_RELEASED": "QUARANTINE_RELEASE",
    "MOVED": "MOVE",
    "SUBMITTED": "SUBMISSION",
}
"""Values of `message_action`, and of `post_delivery_operations`."""


def build_filter(
    params: QueryParams, *, labels: tuple[str, ...] = DISPOSITIONS, submissions: bool = False
) -> Filter:
    """Build the predicate of query parameters, or of the `search_params` of a bulk job.

    Raises:
        Refusal: a parameter has an invalid value.

    """
    query_parameters.choice(params, "final_disposition", labels)
    query_parameters.choice(params, "message_action", tuple(ACTIONS))
    query_parameters.choice(params, "delivery_status", STATUSES)
    filters: list[Filter] = [_is_submission if submissions else _is_regular]

    if query_parameters.boolean(params, "detections_only", default=True):
        filters.append(_is_detection)

    filters += [make(value) for name, make in _FILTERS.items() if (value := params.get(name))]
    return _all_of(filters)


def as_params(search_params: Mapping[str, Any]) -> QueryParams:
    """Convert the `search_params` of a bulk job to query parameters; null means missing."""
    return QueryParams(
        {name: _query_value(value) for name, value in search_params.items() if value is not None}
    )


def _query_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _all_of(filters: list[Filter]) -> Filter:
    return lambda mail: all(matches(mail) for matches in filters)


def _is_regular(mail: Mail) -> bool:
    return not mail.submission


def _is_submission(mail: Mail) -> bool:
    return mail.submission


def _is_detection(mail: Mail) -> bool:
    return mail.is_detection


def _disposition(value: str) -> Filter:
    return lambda mail: mail.disposition == value


def _action(value: str) -> Filter:
    return lambda mail: ACTIONS[value] in mail.operations


def _status(value: str) -> Filter:
    return lambda mail: value in mail.statuses


def _sender(value: str) -> Filter:
    wanted = value.casefold()
    return lambda mail: any(_is_at(address, wanted) for address in mail.senders[:2])


def _recipient(value: str) -> Filter:
    wanted = value.casefold()
    return lambda mail: any(_is_at(address, wanted) for address in mail.recipients)


def _domain(value: str) -> Filter:
    wanted = value.casefold()
    return lambda mail: any(_is_under(host, wanted) for host in _hosts_of(mail))


def _subject(value: str) -> Filter:
    words = value.casefold().split()
    return lambda mail: all(word in mail.subject for word in words)


def _exact_subject(value: str) -> Filter:
    wanted = value.casefold()
    return lambda mail: mail.subject == wanted


def _query(value: str) -> Filter:
    terms = value.casefold().split()
    return lambda mail: all(term in mail.text for term in terms)


def _equals(attribute: str) -> Callable[[str], Filter]:
    return lambda value: lambda mail: getattr(mail, attribute) == value


def _is_at(address: str, wanted: str) -> bool:
    return address == wanted if "@" in wanted else _is_under(address.rpartition("@")[2], wanted)


def _is_under(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _hosts_of(mail: Mail) -> Iterator[str]:
    addresses: Iterable[str] = (*mail.senders, *mail.recipients)
    yield from (address.rpartition("@")[2] for address in addresses)
    yield from mail.hosts


_FILTERS: Mapping[str, Callable[[str], Filter]] = {
    "final_disposition": _disposition,
    "message_action": _action,
    "delivery_status": _status,
    "sender": _sender,
    "recipient": _recipient,
    "domain": _domain,
    "subject": _subject,
    "exact_subject": _exact_subject,
    "query": _query,
    "message_id": _equals("message_id"),
    "alert_id": _equals("alert_id"),
    "smtp_helo_ip": _equals("helo_ip"),
}
