"""Everyday mail that must be left alone.

What no shipped rule may match, though much of it sounds like what phishing imitates.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from clawback.model.events import message_event
from clawback.rules import RuleSet
from tests.shipped import shipped_rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PASSING = {"dkim": "pass", "dmarc": "pass", "spf": "pass", "comment": None}
NOTHING_FOUND = {
    "action": "",
    "attachments": [],
    "findings": [],
    "headers": [],
    "links": [],
    "sender_info": {},
    "validation": PASSING,
}

MAIL: dict[str, dict[str, Any]] = {
    "newsletter": {
        "from": "news@shop.example",
        "from_name": "Shop News",
        "subject": "This week: 20 % off winter boots",
        "final_disposition": "BULK",
    },
    "invoice": {
        "from": "billing@supplier.example",
        "from_name": "Supplier Ltd",
        "subject": "Invoice 2026-1123 for November",
    },
    "reminder of an invoice": {
        "from": "billing@supplier.example",
        "subject": "Reminder: invoice 2026-1098 is overdue",
    },
    "order": {
        "from": "auto-confirm@amazon.com",
        "from_name": "Amazon.com",
        "subject": "Your Amazon.com order has shipped",
    },
    "parcel": {
        "from": "noreply@dhl.com",
        "from_name": "DHL",
        "subject": "Your parcel arrives tomorrow",
    },
    "password reset": {
        "from": "no-reply@accounts.google.com",
        "from_name": "Google",
        "subject": "Security alert: your password was changed",
    },
    "sign-in": {
        "from": "account-security-noreply@accountprotection.microsoft.com",
        "from_name": "Microsoft account team",
        "subject": "New sign-in to your account",
    },
    "payment": {
        "from": "service@paypal.com",
        "from_name": "service@paypal.com",
        "subject": "You sent a payment to Corner Books",
    },
    "document to sign": {
        "from": "dse@docusign.net",
        "from_name": "Ana Ruiz via DocuSign",
        "replyto": "ana@partner.example",
        "subject": "Please sign: NDA",
    },
    "shared file": {
        "from": "drive-shares-dm-noreply@google.com",
        "from_name": "Ana Ruiz (via Google Drive)",
        "subject": "Document shared with you: Plan",
    },
    "invitation": {
        "from": "ana@corp.example",
        "from_name": "Ana Ruiz",
        "subject": "Invitation: Weekly sync @ Mon Nov 23, 2026 10am",
    },
    "internal": {
        "from": "bob@corp.example",
        "from_name": "Bob Chen",
        "to": ["ana@corp.example"],
        "subject": "Re: Lunch on Thursday?",
    },
    "payslip": {
        "from": "hr@corp.example",
        "from_name": "Human Resources",
        "subject": "Your payslip for November is available",
    },
    "bank": {
        "from": "info@bank.example",
        "from_name": "Your Bank",
        "subject": "Your statement is ready",
    },
    "mailing list": {
        "from": "dev@lists.example",
        "replyto": "dev@lists.example",
        "subject": "[dev] Release 2.4 vote",
    },
    "support": {
        "from": "support@vendor.example",
        "from_name": "Vendor Support",
        "replyto": "case-881@vendor.example",
        "subject": "Case 881 was updated",
    },
    "recruiter": {
        "from": "jane.doe@gmail.com",
        "from_name": "Jane Doe",
        "subject": "Application as backend engineer",
    },
    "press": {
        "from": "editor@paper.example",
        "from_name": "Editor",
        "subject": "A question about your announcement",
    },
    "alert of ours": {
        "from": "alerts@monitoring.example",
        "from_name": "Monitoring",
        "subject": "[RESOLVED] disk usage on db-1",
    },
    "tax office": {
        "from": "noreply@tax.example",
        "from_name": "Tax Office",
        "subject": "A new letter in your mailbox",
    },
    "subscription": {
        "from": "billing@saas.example",
        "from_name": "SaaS Billing",
        "subject": "Your subscription renews on 1 December",
    },
    "with an attachment": {
        "from": "ana@partner.example",
        "subject": "Minutes of Tuesday",
        "detections": {
            **NOTHING_FOUND,
            "attachments": [
                {
                    "name": "minutes.pdf",
                    "content_type": "application/pdf",
                    "size": 81_000,
                    "encrypted": False,
                }
            ],
        },
    },
    "with links": {
        "from": "news@shop.example",
        "subject": "What is new in November",
        "final_disposition": "BULK",
        "detections": {
            **NOTHING_FOUND,
            "links": [{"href": "https://shop.example/boots", "text": "Boots"}],
        },
    },
}


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    """The rules that are shipped."""
    return shipped_rules()


@pytest.mark.parametrize("name", MAIL)
def test_everyday_mail_is_left_alone(rules: RuleSet, name: str) -> None:
    """No rule that responds, nor any that a correlation waits for, matches it."""
    record = {
        "id": name.replace(" ", "-"),
        "scanned_at": "2026-11-22T11:59:00Z",
        "final_disposition": "NONE",
        "delivery_status": ["delivered"],
        "delivery_mode": "API",
        "to": ["someone@corp.example"],
        "validation": PASSING,
        "is_quarantined": False,
        "detections": NOTHING_FOUND,
        **MAIL[name],
    }
    assert [match.plan.rule for match in rules.evaluate(message_event(record, NOW)).matches] == []
