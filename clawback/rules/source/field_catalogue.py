"""The catalogue of fields that rules may name, by kind of event: type, values, description.

Source: API reference §1.3 (MessageDetails, detections), §1.4 (PhishGuardReport), §1.5 (Submission),
under their current names; and the fields that are derived from them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from clawback.model.derived_fields import DERIVATIONS
from clawback.model.events import Enrichment, EventKind
from clawback.model.notations import canonical_address, canonical_domain, canonical_ip


class FieldType(StrEnum):
    """The type of the values of a field."""

    STRING = "string"
    ADDRESS = "address"
    DOMAIN = "domain"
    IP = "ip"
    ENUM = "enum"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    OBJECT = "object"

    @property
    def noun(self) -> str:
        """The type with its article, for sentences."""
        article = "an" if self.value[0] in "aeio" else "a"
        return "an IP address" if self is FieldType.IP else f"{article} {self.value}"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its dotted name, its type, and whether a record can have `many` values of it.

    `values` are those of an enum. `seen` are values of a string that are known so far: others may
    come at any time, and none is doubted.
    """

    name: str
    type: FieldType
    description: str
    values: tuple[str, ...] = ()
    many: bool = False
    seen: tuple[str, ...] = ()

    @property
    def enrichment(self) -> Enrichment | None:
        """The enrichment that it comes from, which is read only if a rule depends on it."""
        names = [name.removeprefix("message.") for name in (self.name, *self.sources)]
        roots = {name.partition(".")[0] for name in names}
        return next((one for one in Enrichment if one in roots), None)

    @property
    def is_derived(self) -> bool:
        """Whether it follows from other fields; the API does not send it."""
        return bool(self.sources)

    @property
    def sources(self) -> tuple[str, ...]:
        """The fields that it is derived from; none for a field of the API."""
        parent, dot, name = self.name.rpartition(".")
        found = DERIVATIONS.get(name)
        return tuple(f"{parent}{dot}{source}" for source in found.sources) if found else ()

    def below(self, parent: str) -> "Field":
        """Give the same field inside a parent object."""
        return replace(self, name=f"{parent}.{self.name}")


DISPOSITIONS = (
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
SUBMITTED_DISPOSITIONS = ("MALICIOUS", "SUSPICIOUS", "SPOOF", "SPAM", "BULK", "NONE")
DELIVERY_MODES = (
    "DIRECT",
    "BCC",
    "JOURNAL",
    "REVIEW_SUBMISSION",
    "DMARC_UNVERIFIED",
    "DMARC_FAILURE_REPORT",
    "DMARC_AGGREGATE_REPORT",
    "THREAT_INTEL_SUBMISSION",
    "SIMULATION_SUBMISSION",
    "API",
    "RETRO_SCAN",
)
DELIVERY_STATUSES = (
    "delivered",
    "moved",
    "quarantined",
    "rejected",
    "deferred",
    "bounced",
    "queued",
    "move_failed",
)
OPERATIONS = ("PREVIEW", "QUARANTINE_RELEASE", "SUBMISSION", "MOVE")
VERDICTS = ("pass", "neutral", "fail", "error", "none")
PATTERN_TYPES = (
    "quarantine_release",
    "acceptable_sender",
    "allowed_sender",
    "allowed_recipient",
    "domain_similarity",
    "domain_recency",
    "managed_acceptable_sender",
    "outbound_ndr",
)

THREAT_CATEGORIES = (
    "BrandImpersonation",
    "BusinessEmailCompromise",
    "CredentialHarvester",
    "Malware",
    "SuspiciousLink",
    "UnsolicitedBulk",
)
FINDINGS = {
    "bec_reply_to_divergence": "Reply-To domain differs from sender in a link-less message",
    "brand_impersonation": "Display name or subject imitates *",
    "bulk_list_headers": "Bulk mail headers present",
    "credential_harvester_link": "Link to a credential harvester",
    "dmarc_fail": "DMARC failed",
    "spam_content": "Content typical of spam",
    "unauthenticated_sender_with_link": "Unauthenticated sender with links",
}
"""Names of findings, and the reasons that they give; the API does not document either."""
_REASONS = tuple(FINDINGS.values())

_S, _A, _D, _T, _O, _B, _N, _E = (
    FieldType.STRING,
    FieldType.ADDRESS,
    FieldType.DOMAIN,
    FieldType.TIME,
    FieldType.OBJECT,
    FieldType.BOOLEAN,
    FieldType.NUMBER,
    FieldType.ENUM,
)

_VALIDATION = (
    Field("validation", _O, "Results of sender authentication"),
    Field("validation.spf", _E, "SPF result", VERDICTS),
    Field("validation.dkim", _E, "DKIM result", VERDICTS),
    Field("validation.dmarc", _E, "DMARC result", VERDICTS),
    Field("validation.comment", _S, "Authentication-Results as written by the gateway"),
)

_FINDINGS = (
    Field("findings", _O, "Findings of the detections", many=True),
    Field("findings.name", _S, "Name of the detection", many=True, seen=tuple(FINDINGS)),
    Field("findings.detail", _S, "What it found, as text", many=True, seen=_REASONS),
    Field("findings.reason", _S, "Why it counts", many=True, seen=_REASONS),
    Field("findings.detection", _E, "Disposition it suggests", DISPOSITIONS, many=True),
    Field("findings.field", _S, "Field it examined", many=True),
    Field("findings.portion", _S, "Part of the message it examined", many=True),
    Field("findings.value", _S, "Text it found", many=True),
    Field("findings.score", _N, "Its confidence, from 0 to 1", many=True),
    Field("findings.attachment", _S, "Attachment it examined", many=True),
)

_DETECTIONS = (
    Field("action", _S, "Action of the gateway"),
    Field("final_disposition", _E, "The verdict", DISPOSITIONS),
    *_VALIDATION,
    *_FINDINGS,
    Field("headers", _O, "The headers of the message", many=True),
    Field("headers.name", _S, "Name of a header", many=True),
    Field("headers.value", _S, "Value of a header", many=True),
    Field("links", _O, "The links in the message", many=True),
    Field("links.href", _S, "Target of a link", many=True),
    Field("links.text", _S, "Visible text of a link", many=True),
    Field("links.href_domain", _D, "Registered domain, or IP address, of a link", many=True),
    Field("attachments", _O, "The attachments of the message", many=True),
    Field("attachments.name", _S, "Name of an attachment", many=True),
    Field("attachments.filename", _S, "File name of an attachment", many=True),
    Field("attachments.content_type", _S, "Media type of an attachment", many=True),
    Field("attachments.size", _N, "Size of an attachment in bytes", many=True),
    Field("attachments.encrypted", _B, "Whether an attachment is encrypted", many=True),
    Field("attachments.detection", _E, "Verdict on an attachment", DISPOSITIONS, many=True),
    Field("attachments.md5", _S, "MD5 of an attachment", many=True),
    Field("attachments.sha1", _S, "SHA-1 of an attachment", many=True),
    Field("attachments.sha256", _S, "SHA-256 of an attachment", many=True),
    Field("threat_categories", _O, "Threat categories", many=True),
    Field("threat_categories.id", _N, "Number of a threat category", many=True),
    Field(
        "threat_categories.name",
        _S,
        "Name of a threat category",
        many=True,
        seen=THREAT_CATEGORIES,
    ),
    Field("threat_categories.description", _S, "Description of a threat category", many=True),
    Field("sender_info", _O, "The sending host"),
    Field("sender_info.ip", FieldType.IP, "Address of the sending host"),
    Field("sender_info.as_name", _S, "Name of its autonomous system"),
    Field("sender_info.as_number", _N, "Number of its autonomous system"),
    Field("sender_info.geo", _S, "Its location"),
    Field("sender_info.pld", _D, "Registered domain of the sender"),
)

_HISTORY = (
    Field("first_seen", _T, "When its first message was scanned; none if there was none"),
    Field("messages", _N, "Number of its messages"),
    Field("malicious", _N, "Number of those with a malicious verdict now"),
    Field("recipients", _N, "Number of your mailboxes that they reached"),
)
_MESSAGE = (
    Field("id", _S, "Investigate id of the message"),
    Field("postfix_id", _S, "The mail gateway's id"),
    Field("postfix_id_outbound", _S, "The mail gateway's id on the way out"),
    Field("message_id", _S, "The Message-ID header"),
    Field("alert_id", _S, "Id of the alert, where there was a detection"),
    Field("from", _A, "Sender in the From header"),
    Field("from_name", _S, "Display name in the From header"),
    Field("envelope_from", _A, "Sender in the envelope"),
    Field("replyto", _A, "Address in the Reply-To header"),
    Field("to", _A, "Addresses in the To header", many=True),
    Field("to_name", _S, "Display names in the To header", many=True),
    Field("envelope_to", _A, "Recipients in the envelope", many=True),
    Field("client_recipients", _A, "Recipients in the protected mailboxes", many=True),
    Field("subject", _S, "The Subject header"),
    Field("sent_at", _T, "When it was sent, by the Date header"),
    Field("scanned_at", _T, "When it was scanned"),
    Field("delivery_mode", _E, "How the message reached the scanner", DELIVERY_MODES),
    Field("delivery_status", _E, "Status of the delivery", DELIVERY_STATUSES, many=True),
    Field("final_disposition", _E, "The verdict", DISPOSITIONS),
    Field("detection_reasons", _S, "Reasons for the verdict, as text", many=True, seen=_REASONS),
    Field("threat_categories", _S, "Threat categories", many=True, seen=THREAT_CATEGORIES),
    Field("edf_hash", _S, "Hash shared by the messages of a campaign"),
    Field("htmltext_structure_hash", _S, "Hash of the structure of the HTML part"),
    Field("is_phish_submission", _B, "Whether it is a report of phishing by a user"),
    Field("is_quarantined", _B, "Whether it is in quarantine"),
    Field("post_delivery_operations", _E, "Operations after delivery", OPERATIONS, many=True),
    Field("smtp_helo_server_ip", FieldType.IP, "IP address of the HELO host"),
    Field("smtp_previous_hop_ip", FieldType.IP, "IP address of the host before the gateway"),
    Field("x_originating_ip", FieldType.IP, "IP address in the X-Originating-IP header"),
    Field("properties", _O, "Your policies that affected the verdict"),
    Field("properties.allowlisted_pattern", _S, "The pattern of the allow policy that matched"),
    Field(
        "properties.allowlisted_pattern_type",
        _E,
        "The kind of allow policy that matched",
        PATTERN_TYPES,
    ),
    Field("properties.blocklisted_message", _B, "Whether a blocked sender matched"),
    Field("properties.blocklisted_pattern", _S, "The pattern of the blocked sender that matched"),
    *_VALIDATION,
    Field("from_domain", _D, "Registered domain of the sender in the From header"),
    Field(
        "from_mailbox",
        _A,
        "Mailbox of the sender: without tag, Gmail's dots, and what forwarders and lists add",
    ),
    Field("replyto_domain", _D, "Registered domain of the address in the Reply-To header"),
    Field("envelope_domain", _D, "Registered domain of the sender in the envelope"),
    Field(
        "recipient_count",
        _N,
        "Number of different addresses in `to`, `envelope_to` and `client_recipients`",
    ),
    Field(
        "impersonates",
        _S,
        "Name on the impersonation registry or a list of people that the sender bears without "
        "having an address of it",
    ),
    Field("link_count", _N, "Number of links"),
    Field("attachment_count", _N, "Number of attachments"),
    Field("sent_delay", _N, "Seconds from the Date header to the scan; negative if it is ahead"),
    Field(Enrichment.DETECTIONS, _O, "The response of /detections"),
    *(field.below(Enrichment.DETECTIONS) for field in _DETECTIONS),
    Field(Enrichment.HISTORY, _O, "What the address in From sent in the 30 days before"),
    *(field.below(Enrichment.HISTORY) for field in _HISTORY),
)

_JOINED = (
    Field("message", _O, "The message it is about, if it was found"),
    *(field.below("message") for field in _MESSAGE),
)

_REPORT = (
    Field("id", _N, "Number of the report"),
    Field("title", _S, "Title of the report"),
    Field("content", _S, "Text of the report"),
    Field("priority", _S, "Priority PhishGuard gave it"),
    Field("disposition", _E, "PhishGuard's verdict", DISPOSITIONS),
    Field("created_at", _T, "When the report was written"),
    Field("updated_at", _T, "When the report was last changed"),
    Field("tags", _O, "Tags of the report", many=True),
    Field("tags.category", _S, "Category of a tag", many=True),
    Field("tags.value", _S, "Value of a tag", many=True),
    Field("fields", _O, "Fields of the reported message"),
    Field("fields.from", _A, "Sender of the reported message"),
    Field("fields.to", _A, "Recipients of the reported message", many=True),
    Field("fields.postfix_id", _S, "The mail gateway's id of the reported message"),
    Field("fields.from_domain", _D, "Registered domain of that sender"),
    Field("fields.from_mailbox", _A, "Mailbox of that sender"),
    Field("fields.occurred_at", _T, "When the reported message was seen"),
    *_JOINED,
)

_SUBMISSION = (
    Field("submission_id", _S, "Id of the submission"),
    Field("requested_at", _T, "When it was submitted"),
    Field("requested_by", _A, "Who submitted it"),
    Field(
        "requested_disposition",
        _E,
        "Disposition that the submitter asks for",
        SUBMITTED_DISPOSITIONS,
    ),
    Field("original_disposition", _E, "Verdict before the review", SUBMITTED_DISPOSITIONS),
    Field("outcome_disposition", _E, "Verdict after the review", SUBMITTED_DISPOSITIONS),
    Field("outcome", _S, "Outcome of the review, as text"),
    Field("status", _S, "Status of the review"),
    Field(
        "customer_status", _E, "Status of your own review", ("escalated", "reviewed", "unreviewed")
    ),
    Field("subject", _S, "Subject of the submitted message"),
    Field("type", _E, "Who submitted it: your team or a user", ("Team", "User")),
    Field("escalated_as", _E, "Disposition it was escalated with", SUBMITTED_DISPOSITIONS),
    Field("escalated_at", _T, "When it was escalated"),
    Field("escalated_by", _A, "Who escalated it"),
    Field("escalated_submission_id", _S, "The team submission it was escalated to"),
    Field("original_postfix_id", _S, "The mail gateway's id of the submitted message"),
    Field("original_edf_hash", _S, "Campaign hash of the submitted message"),
    *_JOINED,
)

FIELDS = {
    EventKind.MESSAGE: {field.name: field for field in _MESSAGE},
    EventKind.PHISHGUARD_REPORT: {field.name: field for field in _REPORT},
    EventKind.SUBMISSION: {field.name: field for field in _SUBMISSION},
}
"""All fields by event kind and name."""

RENAMED = {
    "ts": "scanned_at (created_at on a report)",
    "sent_date": "sent_at",
    "requested_ts": "requested_at",
    "findings": "detections.findings",
    "action_log": "post_delivery_operations",
    "properties.whitelisted_pattern_type": "properties.allowlisted_pattern_type",
}
"""Names that the API has removed or deprecated, and what to write instead."""

CANONICAL_FORMS: Mapping[FieldType, Callable[[str], str]] = {
    FieldType.ADDRESS: canonical_address,
    FieldType.DOMAIN: canonical_domain,
    FieldType.IP: canonical_ip,
}
"""The canonical form of the values of a field, which its record has already."""

LONGEST_VALUE = 1024
"""Bytes: longer group values are truncated, since a plan must fit into a history."""


def find_field(kind: EventKind, name: str) -> Field | None:
    """Find a field by name."""
    return FIELDS[kind].get(name)


def element_fields(kind: EventKind, parent: str) -> tuple[Field, ...]:
    """Give the fields of the objects in a field, by their names in the object."""
    prefix = f"{parent}."
    below = (field for name, field in FIELDS[kind].items() if name.startswith(prefix))
    return tuple(replace(field, name=field.name.removeprefix(prefix)) for field in below)


def is_element(kind: EventKind, field: Field) -> bool:
    """Whether a field holds objects on which a condition can be: they hold no further objects."""
    if field.type is not FieldType.OBJECT:
        return False
    return all("." not in one.name for one in element_fields(kind, field.name))


def as_group_value(field: Field | None, value: object) -> str | None:
    """Normalise a group value: trimmed, and in its canonical form; None if empty."""
    if value is None or isinstance(value, list | dict):
        return None

    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text.strip().encode("utf-8", "replace")[:LONGEST_VALUE].decode("utf-8", "ignore")
    if field is not None and (form := CANONICAL_FORMS.get(field.type)) is not None:
        text = form(text)

    return text or None
