"""From query parameters to a search over messages.

The semantics the reference leaves open are settled here, and said.

`final_disposition` is compared literally (MALICIOUS does not include MALICIOUS-BEC); the terms of
`query` must all occur; `sender` and `recipient` take an address or a domain (subdomains included);
`domain` is that of a sender, a recipient or a link; `subject` wants all its words in any order. The
submissions datastore is never searched unless asked for. Source: reference §1.3.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from starlette.datastructures import QueryParams

from clawback.simulator import query_parameters
from clawback.simulator.mail import Mail
from clawback.simulator.mailbox_store import Keep

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
"""The spelling of the filter, and that of `post_delivery_operations`."""


def wanted(
    params: QueryParams, *, labels: tuple[str, ...] = DISPOSITIONS, submissions: bool = False
) -> Keep:
    """The predicate that the query parameters (or the `search_params` of a bulk job) describe.

    Raises:
        Refusal: a parameter has a value it cannot have.

    """
    query_parameters.choice(params, "final_disposition", labels)
    query_parameters.choice(params, "message_action", tuple(ACTIONS))
    query_parameters.choice(params, "delivery_status", STATUSES)
    keeps: list[Keep] = [_is_submission if submissions else _is_regular]
    if query_parameters.boolean(params, "detections_only", default=True):
        keeps.append(_is_detection)
    keeps += [make(value) for name, make in _FILTERS.items() if (value := params.get(name))]
    return _all_of(keeps)


def as_params(search_params: Mapping[str, Any]) -> QueryParams:
    """The `search_params` of a bulk job as query parameters; null counts as missing."""
    return QueryParams(
        {name: _spelled(value) for name, value in search_params.items() if value is not None}
    )


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _all_of(keeps: list[Keep]) -> Keep:
    return lambda mail: all(keep(mail) for keep in keeps)


def _is_regular(mail: Mail) -> bool:
    return not mail.submission


def _is_submission(mail: Mail) -> bool:
    return mail.submission


def _is_detection(mail: Mail) -> bool:
    return mail.is_detection


def _disposition(value: str) -> Keep:
    return lambda mail: mail.disposition == value


def _action(value: str) -> Keep:
    return lambda mail: ACTIONS[value] in mail.operations


def _status(value: str) -> Keep:
    return lambda mail: value in mail.statuses


def _sender(value: str) -> Keep:
    wants = value.casefold()
    return lambda mail: any(_is_of(address, wants) for address in mail.senders[:2])


def _recipient(value: str) -> Keep:
    wants = value.casefold()
    return lambda mail: any(_is_of(address, wants) for address in mail.recipients)


def _domain(value: str) -> Keep:
    wants = value.casefold()
    return lambda mail: any(_is_under(host, wants) for host in _hosts_of(mail))


def _subject(value: str) -> Keep:
    words = value.casefold().split()
    return lambda mail: all(word in mail.subject for word in words)


def _exact_subject(value: str) -> Keep:
    wants = value.casefold()
    return lambda mail: mail.subject == wants


def _query(value: str) -> Keep:
    terms = value.casefold().split()
    return lambda mail: all(term in mail.text for term in terms)


def _equals(attribute: str) -> Callable[[str], Keep]:
    return lambda value: lambda mail: getattr(mail, attribute) == value


def _is_of(address: str, wants: str) -> bool:
    return address == wants if "@" in wants else _is_under(address.rpartition("@")[2], wants)


def _is_under(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _hosts_of(mail: Mail) -> Iterator[str]:
    addresses: Iterable[str] = (*mail.senders, *mail.recipients)
    yield from (address.rpartition("@")[2] for address in addresses)
    yield from mail.hosts


_FILTERS: Mapping[str, Callable[[str], Keep]] = {
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
