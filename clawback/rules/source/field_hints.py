"""What to write for a name that is no field: a former name, one of other products, or a slip."""

import re
from collections.abc import Mapping

from clawback.model.events import EventKind
from clawback.model.suggestions import find_near
from clawback.rules.source.field_catalogue import FIELDS, RENAMED, element_fields

_COUNTERPARTS = {
    "subject": "subject emailsubject messagesubject mailsubject",
    "from": "from sender senderaddress fromaddress headerfrom emailfrom emailfromaddress "
    "emailsender emailsenderaddress senderfromaddress p2sender fromemail senderemail",
    "from_name": "fromname displayname senderdisplayname sendername fromdisplayname",
    "from_domain": "fromdomain senderdomain senderfromdomain emailfromdomain",
    "envelope_from": "mailfrom envelopefrom envelopesender returnpath sendermailfromaddress "
    "smtpmailfrom p1sender",
    "envelope_domain": "envelopedomain sendermailfromdomain returnpathdomain",
    "to": "to toaddress emailto emailtoaddress headerto",
    "client_recipients": "recipient recipients recipientaddress recipientemailaddress",
    "replyto": "replyto replytoaddress emailreplyto emailreplytoaddress",
    "replyto_domain": "replytodomain",
    "message_id": "messageid internetmessageid emailmessageid",
    "x_originating_ip": "xoriginatingip originatingip",
    "detections.sender_info.ip": "senderip senderipv4 senderipv6 sourceip srcip clientip",
    "validation.spf": "spf spfresult",
    "validation.dkim": "dkim dkimresult",
    "validation.dmarc": "dmarc dmarcresult",
    "detections.attachments.name": "attachment attachments attachmentname attachmentsname "
    "attachmentfilename attachmentsfilename emailattachmentsfilename filename",
    "detections.attachments.content_type": "attachmenttype attachmentmimetype contenttype "
    "emailattachmentsfilemimetype",
    "detections.attachments.size": "attachmentsize emailattachmentsfilesize",
    "detections.attachments.md5": "md5 attachmentmd5 emailattachmentsfilehashmd5",
    "detections.attachments.sha1": "sha1 attachmentsha1 emailattachmentsfilehashsha1",
    "detections.attachments.sha256": "sha256 attachmentsha256 emailattachmentsfilehashsha256",
    "detections.links.href": "url urls link links href urloriginal urlfull linkhref",
    "detections.links.href_domain": "urldomain linkdomain hrefdomain",
    "detections.links.text": "linktext urltext",
}
"""Fields, and what products and rules for e-mail elsewhere call them, without punctuation."""

_SEVERAL = {
    "from envelope_from from_name": "sender senders",
    "client_recipients to envelope_to": "recipient recipients rcpt mailbox mailboxes cc bcc",
    "validation.spf validation.dkim validation.dmarc": "auth authentication authresults "
    "authenticationresults",
    "scanned_at sent_at": "date time datetime timestamp received receivedat receivedtime",
    "detections.attachments.filename detections.attachments.content_type "
    "detections.attachments.sha256": "attachment attachments file files",
    "smtp_previous_hop_ip smtp_helo_server_ip x_originating_ip": "ip ipaddress senderip sourceip "
    "srcip clientip",
    "detections.headers.name detections.headers.value": "header headers",
    "from_domain envelope_domain replyto_domain": "domain domains",
    "final_disposition": "verdict disposition classification finaldisposition",
    "detection_reasons": "reason reasons",
    "threat_categories": "category categories threat threattype threatcategory",
    "edf_hash": "campaign campaignid",
    "detections.findings.score": "score confidence",
    "detections.findings.name": "finding indicator detection",
    "detections.attachments.filename": "extension fileextension",
    "detections.attachments.size": "size filesize",
    "detections.attachments.sha256 edf_hash": "hash filehash",
    "detections.sender_info.geo": "country geo location",
    "detections.sender_info.as_number": "asn as",
    "is_quarantined": "quarantine quarantined",
}
"""Fields that an author may mean by a name that says less than they do."""

_ABSENT = dict.fromkeys(
    ("body", "bodytext", "emailbody", "html", "text", "content", "plaintext", "bodyhtml"),
    "the API has no body of a message",
)


_MOST_SHOWN = 4


def find_counterpart(name: str) -> str | None:
    """Give the field of a message that other products call by a name."""
    return _BY_NAME.get(_fold(name))


def explain_absence(name: str) -> str | None:
    """Say why no field has what a name of other products stands for; None if that is not known."""
    return _ABSENT.get(_fold(name))


def field_remedy(kind: EventKind, name: str, *, is_nested: bool = False) -> str:
    """Suggest what to write instead of an unknown field; `is_nested` is for records."""
    prefix, _, tail = name.rpartition("message.")
    head = f"{prefix}message." if "message." in name else ""
    for old, new in RENAMED.items():
        if tail == old or tail.startswith(f"{old}."):
            return f"the API calls it {head}{new}{tail[len(old) :] if '(' not in new else ''}"

    if same := next((one for one in FIELDS[kind] if _fold(one) == _fold(name)), None):
        return f"did you mean {same!r}?"
    for joined in (f"message.{name}", f"detections.{name}"):
        if joined in FIELDS[kind]:
            return f"in this category it is {_written(joined, is_nested=is_nested)}"

    words = (tail, tail.rpartition(".")[2])
    if (absent := next(filter(None, map(explain_absence, words)), None)) is not None:
        return f"{absent}; subject, detections.links and detections.findings quote it"
    return _nearest_fields(kind, name, words, head, is_nested=is_nested)


def _nearest_fields(
    kind: EventKind, name: str, words: tuple[str, str], head: str, *, is_nested: bool
) -> str:
    close = find_near(name, FIELDS[kind])
    meant = _meant_by(kind, words[0], head) or _meant_by(kind, words[1], head)
    if not (close or meant):
        meant = [one for near in find_near(words[0], _KNOWN) for one in _meant_by(kind, near, head)]
    if meant:
        described = (_described(kind, one, is_nested=is_nested) for one in dict.fromkeys(meant))
        return f"write {_join(list(described)[:_MOST_SHOWN])}"
    if close:
        return f"did you mean {_join([repr(one) for one in close[:_MOST_SHOWN]])}?"
    return f"a {kind} has {', '.join(field for field in FIELDS[kind] if '.' not in field)}"


def element_remedy(kind: EventKind, parent: str, name: str) -> str:
    """Suggest what to write instead of an unknown field of the objects in a field."""
    names = [field.name for field in element_fields(kind, parent)]
    meant = [one.removeprefix(f"{parent}.") for one in _meant_by(kind, name, "")]
    close = find_near(name, names) or [one for one in meant if one in names]
    if close:
        return f"did you mean {_join([repr(one) for one in close])}?"
    return f"it has {', '.join(names)}"


def _meant_by(kind: EventKind, name: str, head: str) -> list[str]:
    """Give the fields that a name may mean, as this kind of event has them."""
    folded = _fold(name)
    found = _CHOICES.get(folded) or ((_BY_NAME[folded],) if folded in _BY_NAME else ())
    written = [
        next((one for one in names if one in FIELDS[kind]), None)
        for field in found
        for names in [(f"{head}{field}", field, f"message.{field}")]
    ]
    return [one for one in written if one is not None]


def _described(kind: EventKind, name: str, *, is_nested: bool) -> str:
    return f"{_written(name, is_nested=is_nested)} ({FIELDS[kind][name].description})"


def _written(name: str, *, is_nested: bool) -> str:
    head, *rest = name.split(".")
    if not is_nested or not rest:
        return name
    return f"{head}: {{{': {'.join(rest)}: …{'}' * len(rest)}"


def _join(texts: list[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_BY_NAME = {other: name for name, others in _COUNTERPARTS.items() for other in others.split()}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    name: tuple(fields.split()) for fields, names in _SEVERAL.items() for name in names.split()
}
_KNOWN = (*_CHOICES, *_BY_NAME)
