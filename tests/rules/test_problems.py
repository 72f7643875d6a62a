"""Every problem is found, all at once, each with its place, its text and what to do."""

from pathlib import Path
from random import Random

import pytest
from sigma.modifiers import modifier_mapping

from clawback.correlation.shard import MOST_COUNTED
from tests.rules.folders import PLAIN, block, problems, responding

CORRELATION = """title: Many
name: many
correlation: {{{body}}}
response: {{mode: shadow, actions: [{{move: {{destination: JunkEmail}}}}]}}
status: experimental
tests:
  - {{name: one, events: [{{at: 0h, from: a@x.test}}], expect: {{fires: 1}}}}
  - {{name: two, events: [{{at: 0h, from: b@x.test}}], expect: {{fires: 0}}}}
"""
BLOCK = block("sel: {from: a@x.test}\ncondition: sel")
COUNT = "type: event_count, rules: [a_block], group-by: [from], timespan: 1h, condition: {gte: 2}"


def policy(action: str) -> str:
    """A rule with one other action, which groups by the sender."""
    return PLAIN.replace("move: {destination: JunkEmail}", action).replace(
        "  mode: enforce", "  mode: enforce\n  group-by: [from, from_domain]"
    )


def _number(kind: str, condition: str) -> dict[str, str]:
    """A correlation of a type with a condition."""
    body = f"type: {kind}, rules: [a_block], timespan: 1h, condition: {{{condition}}}"
    return {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=body)}


INNER = """title: Burst
name: burst
correlation:
  {type: event_count, rules: [a_block], group-by: [edf_hash], timespan: 1h, condition: {gte: 2}}
"""

CASES: dict[str, tuple[dict[str, str], str]] = {
    "a domain from an address": (
        {"a_rule.yml": policy("block_sender: {pattern: '{from}', kind: domain}")},
        (
            "a_rule.yml:13:21: action: '{from}' block_sender would be refused: from is an address, "
            "not a domain; use kind: email, or a field that is a domain"
        ),
    ),
    "an address from a domain": (
        {"a_rule.yml": policy("allow_sender: {pattern: '{from_domain}'}")},
        "allow_sender would be refused: from_domain is a domain, not an address",
    ),
    "a network from an address": (
        {"a_rule.yml": policy("block_sender: {pattern: '{from}', kind: ip}")},
        "from is an address, not an IP address; use a field that is an IP address",
    ),
    "trust in an address": (
        {"a_rule.yml": policy("trust_domain: {pattern: '{from}'}")},
        "trust_domain would be refused: from is an address, not a domain",
    ),
    "an address that is none": (
        {"a_rule.yml": policy("block_sender: {pattern: x.test}")},
        "action: 'x.test' block_sender would be refused: not an address",
    ),
    "a domain from an address by an alias": (
        {
            "a.yml": BLOCK,
            "many.yml": CORRELATION.format(
                body=COUNT.replace("[from]", "[who]") + ", aliases: {who: {a_block: from}}"
            ).replace(
                "move: {destination: JunkEmail}", "block_sender: {pattern: '{who}', kind: domain}"
            ),
        },
        "block_sender would be refused: from is an address, not a domain",
    ),
    "tab": ({"x.yml": "a:\tb\n"}, "x.yml:1:3: tab: tab character; indent with spaces"),
    "zero width space": (
        {"x.yml": "title: a\u200bb\n"},
        "x.yml:1:9: invisible-character: 'U+200B' invisible character ZERO WIDTH SPACE",
    ),
    "bidi": ({"x.yml": "title: a\u202eb\n"}, "x.yml:1:9: invisible-character: 'U+202E'"),
    "not utf-8": ({"x.yml": "title: \udcff"}, "x.yml:1:8: unreadable"),
    "not yaml": ({"x.yml": "title: [\n"}, "x.yml:2:1: yaml: invalid YAML"),
    "too deep": (
        {"x.yml": "a: " + "[" * 50 + "]" * 50},
        "forbidden-yaml: nested deeper than 40 levels",
    ),
    "duplicate key": (
        {"a_rule.yml": PLAIN + "title: again\n"},
        "a_rule.yml:16:1: duplicate-key: 'title' the key is already on line 1",
    ),
    "norway": ({"x.yml": "title: no\n"}, "x.yml:1:8: ambiguous-scalar: 'no'"),
    "norway key": ({"x.yml": "on: x\n"}, "x.yml:1:1: ambiguous-scalar: 'on'"),
    "octal": ({"x.yml": "title: 010\n"}, "x.yml:1:8: ambiguous-scalar: '010'"),
    "sexagesimal": ({"x.yml": "title: 22:22\n"}, "x.yml:1:8: ambiguous-scalar: '22:22'"),
    "empty": ({"x.yml": "title:\n"}, "x.yml:1:7: ambiguous-scalar: an empty value"),
    "alias": (
        {"x.yml": "a: &x 1\nb: *x\n"},
        "x.yml:2:4: forbidden-yaml: '*x' aliases are not allowed",
    ),
    "anchor": ({"x.yml": "a: &x 1\n"}, "x.yml:1:4: forbidden-yaml: '&x' anchors are not allowed"),
    "tag": ({"x.yml": "a: !!str 1\n"}, "x.yml:1:4: forbidden-yaml: 'tag:yaml.org,2002:str'"),
    "merge": ({"x.yml": "a: {<<: {b: c}}\n"}, "x.yml:1:5: forbidden-yaml: '<<'"),
    "not a mapping": (
        {"x.yml": "- a\n"},
        "x.yml:1:1: wrong-value: \"['a']\" a document must be a mapping",
    ),
    "unknown key": (
        {"a_rule.yml": PLAIN + "levle: high\n"},
        "a_rule.yml:16:1: unknown-key: 'levle' there is no such key here; did you mean 'level'?",
    ),
    "unknown key below": (
        {
            "a_rule.yml": PLAIN.replace(
                "  mode: enforce", "  mode: enforce\n  limit: {messages: 1, per: 1h}"
            )
        },
        "a_rule.yml:11:3: unknown-key: 'limit' there is no such key here; did you mean 'limits'?",
    ),
    "missing key": (
        {"a_rule.yml": PLAIN.replace("title: A rule\n", "")},
        "a_rule.yml:1:1: missing-key: title is missing; add title:",
    ),
    "bad name": (
        {"a_rule.yml": PLAIN.replace("name: a_rule", "name: A Rule")},
        "a_rule.yml:2:7: wrong-value: 'A Rule' name: must be a name such as quarantine_bec: up to",
    ),
    "bad id": (
        {"a_rule.yml": PLAIN.replace("6f1c3a52-", "6f1c3a5-")},
        "a_rule.yml:3:5: wrong-value",
    ),
    "bad limit": (
        {
            "a_rule.yml": PLAIN.replace(
                "  mode: enforce", "  mode: enforce\n  limits: {messages: 1, per: 60}"
            )
        },
        "a_rule.yml:11:30: wrong-value: '60' response.limits.per: 60 has no unit: write 60s, 60m",
    ),
    "other product": (
        {"a_rule.yml": PLAIN.replace("cloudflare", "okta")},
        "a_rule.yml:5:22: wrong-value: 'okta'",
    ),
    "no status": (
        {"a_rule.yml": PLAIN.replace("status: stable\n", "")},
        "a_rule.yml:1:1: missing-key: 'a_rule' a rule with a response needs a status",
    ),
    "no status of a correlation": (
        {
            "a.yml": BLOCK,
            "many.yml": CORRELATION.format(body=COUNT).replace("status: experimental\n", ""),
        },
        "many.yml:1:1: missing-key: 'many' a rule with a response needs a status",
    ),
    "no id": (
        {"a_rule.yml": PLAIN.replace("id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11\n", "")},
        "missing-key: 'a_rule' a rule with a response needs an id",
    ),
    "mode": (
        {"a_rule.yml": PLAIN.replace("status: stable", "status: test")},
        (
            "a_rule.yml:10:9: mode-above-status: 'enforce' the mode is stronger than "
            "the status allows; a rule with status test may at most approve"
        ),
    ),
    "while held": (
        {
            "a_rule.yml": PLAIN.replace(
                "tests:", "  while-held: {move: {destination: Inbox}}\ntests:"
            )
        },
        (
            "a_rule.yml:13:15: while-held: 'move to Inbox' a held case may only move messages to "
            "where their recipients find them; write move: {destination: JunkEmail or DeletedItems}"
        ),
    ),
    "while held, but nothing is": (
        {
            "a_rule.yml": PLAIN.replace(
                "    - move: {destination: JunkEmail}",
                "    - release: {}\n  while-held: {move: {destination: JunkEmail}}",
            )
        },
        "a_rule.yml:13:3: while-held: 'while-held' no action of this rule takes messages away",
    ),
    "no positive test": (
        {"a_rule.yml": PLAIN.replace("expect: match", "expect: no match")},
        "a_rule.yml:13:1: missing-test: 'a_rule' there is no positive",
    ),
    "no negative test": (
        {"a_rule.yml": PLAIN.replace("expect: no match", "expect: match")},
        "missing-test: 'a_rule' there is no negative test",
    ),
    "file name": (
        {"other.yml": PLAIN},
        (
            "other.yml:2:7: file-name: 'a_rule' the file must be named after its rule "
            "with a response; rename the file to a_rule.yml"
        ),
    ),
    "same name": (
        {"a.yml": BLOCK, "b.yml": BLOCK},
        "b.yml:2:7: duplicate-name: 'a_block' a.yml:2 has the same name",
    ),
    "same id": (
        {"a_rule.yml": PLAIN, "b_rule.yml": PLAIN.replace("name: a_rule", "name: b_rule")},
        (
            "b_rule.yml:3:5: duplicate-id: '6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11' "
            "a_rule.yml:3 has the same id"
        ),
    ),
    "unknown field": (
        {"x.yml": block("sel: {final_dispositon: SPAM}\ncondition: sel")},
        (
            "x.yml:5:9: unknown-field: 'final_dispositon' a message has no such field; "
            "did you mean 'final_disposition'?"
        ),
    ),
    "renamed field": (
        {"x.yml": block("sel: {ts: x}\ncondition: sel")},
        "unknown-field: 'ts' a message has no such field; the API calls it scanned_at",
    ),
    "joined field": (
        {
            "x.yml": block("sel: {edf_hash: x}\ncondition: sel").replace(
                "category: message", "category: submission"
            )
        },
        "it is message.edf_hash",
    ),
    "number on text": (
        {"x.yml": block("sel: {subject|gt: 5}\ncondition: sel")},
        "field-type: 'subject|gt: 5' subject is a string: a number needs a number field",
    ),
    "text on boolean": (
        {"x.yml": block("sel: {is_quarantined: maybe}\ncondition: sel")},
        "is_quarantined is a boolean: it is true or false",
    ),
    "object": (
        {"x.yml": block("sel: {validation: pass}\ncondition: sel")},
        "validation is an object: only exists and null apply",
    ),
    "keyword": (
        {"x.yml": block("sel: [invoice]\ncondition: sel")},
        "x.yml:5:8: keyword: 'sel' keywords are not supported",
    ),
    "modified keyword": (
        {"x.yml": block("sel: {'|contains': invoice}\ncondition: sel")},
        "x.yml:5:9: keyword: '|contains' keywords are not supported",
    ),
    "unknown modifier": (
        {"x.yml": block("sel: {subject|contain: x}\ncondition: sel")},
        "modifier: 'contain' there is no such modifier; did you mean 'contains'?",
    ),
    "bad regex": (
        {"x.yml": block("sel: {subject|re: '('}\ncondition: sel")},
        "x.yml:5:21: modifier: 'subject|re: ('",
    ),
    "look-around": (
        {"x.yml": block("sel: {subject|re: '(?=a)b'}\ncondition: sel")},
        "x.yml:5:21: modifier",
    ),
    "re and contains": (
        {"x.yml": block("sel: {subject|re|contains: a}\ncondition: sel")},
        "re cannot be combined with contains",
    ),
    "bad cidr": (
        {"x.yml": block("sel: {smtp_helo_server_ip|cidr: 10.0.0.0/99}\ncondition: sel")},
        "x.yml:5:35: modifier",
    ),
    "nested value": (
        {"x.yml": block("sel: {subject: [[a]]}\ncondition: sel")},
        "detection: 'subject' a field takes a value or a flat list",
    ),
    "empty selection": (
        {"x.yml": block("sel: {}\ncondition: sel")},
        "detection: 'sel' the selection is empty",
    ),
    "no condition": (
        {"x.yml": block("sel: {subject: a}")},
        "x.yml:4:1: condition: there is no condition",
    ),
    "unknown selection": (
        {"x.yml": block("sel: {subject: a}\ncondition: sell")},
        "x.yml:6:14: condition: 'sell' there is no selection 'sell'; did you mean 'sel'?",
    ),
    "bad condition": (
        {"x.yml": block("sel: {subject: a}\ncondition: sel and")},
        "x.yml:6:14: condition: 'sel and'",
    ),
    "nothing of pattern": (
        {"x.yml": block("sel: {subject: a}\ncondition: 1 of x_*")},
        "x.yml:6:14: condition: '1 of x_*'",
    ),
    "timeframe": (
        {"x.yml": block("sel: {subject: a}\ntimeframe: 1h\ncondition: sel")},
        "x.yml:6:3: detection: 'timeframe' not supported; write a correlation",
    ),
    "unknown list": (
        {"x.yml": block("sel: {subject|expand: '%vips%'}\ncondition: sel")},
        "x.yml:5:25: placeholder: 'subject|expand' there is no list 'vips'",
    ),
    "unknown reference": (
        {"x.yml": block("sel: {from|fieldref: replayto}\ncondition: sel")},
        "unknown-field: 'replayto' a message has no such field; did you mean 'replyto'?",
    ),
    "unknown action": (
        {"a_rule.yml": PLAIN.replace("- move:", "- moove:")},
        "a_rule.yml:12:7: action: 'moove' is no action; did you mean 'move'?",
    ),
    "bad action": (
        {"a_rule.yml": PLAIN.replace("JunkEmail", "Junk")},
        "a_rule.yml:12:27: action: 'Junk' response.actions.0.move.destination: must be one of I",
    ),
    "two actions in one": (
        {
            "a_rule.yml": PLAIN.replace(
                "- move: {destination: JunkEmail}", "- {move: {}, reclassify: {}}"
            )
        },
        "action: 'move, reclassify'",
    ),
    "hard delete": (
        {"a_rule.yml": PLAIN.replace("JunkEmail", "RecoverableItemsPurges")},
        "a_rule.yml:12:27: hard-delete: 'RecoverableItemsPurges' a hard delete is not permitted",
    ),
    "template": (
        {
            "a_rule.yml": PLAIN.replace(
                "- move: {destination: JunkEmail}", '- block_sender: {pattern: "{from}"}'
            )
        },
        (
            "a_rule.yml:12:21: template: '{from}' a template may only name fields of "
            "group-by: others could be empty; add from to group-by"
        ),
    ),
    "shrinking terms": (
        {
            "a_rule.yml": PLAIN.replace(
                "- move: {destination: JunkEmail}",
                "- block_sender: {pattern: a@x.test, expires_after: [30d, 7d]}",
            )
        },
        (
            "a_rule.yml:12:56: action: \"['30d', '7d']\" response.actions.0.block_sender."
            "expires_after: each duration must be longer than the one before"
        ),
    ),
    "list group": (
        {"a_rule.yml": PLAIN.replace("  mode:", "  group-by: [to]\n  mode:")},
        "a_rule.yml:10:14: group: 'to' to can have several values",
    ),
    "enriched group": (
        {"a_rule.yml": PLAIN.replace("  mode:", "  group-by: [detections.action]\n  mode:")},
        "group: 'detections.action'",
    ),
    "unknown group": (
        {"a_rule.yml": PLAIN.replace("  mode:", "  group-by: [form]\n  mode:")},
        "unknown-field: 'form' a message has no such field; did you mean 'from'?",
    ),
    "test field": (
        {"a_rule.yml": PLAIN.replace("event: {from: a@x.test}", "event: {form: a@x.test}")},
        "a_rule.yml:14:31: unknown-field: 'form'",
    ),
    "dotted test field": (
        {"a_rule.yml": PLAIN.replace("event: {from: a@x.test}", "event: {validation.spf: pass}")},
        (
            "a_rule.yml:14:31: unknown-field: 'validation.spf' a test event must be "
            "nested as in the API; write validation: {spf: …}"
        ),
    ),
    "test type": (
        {"a_rule.yml": PLAIN.replace("event: {from: a@x.test}", "event: {is_quarantined: 'true'}")},
        "field-type: 'true' is_quarantined is a boolean",
    ),
    "test time": (
        {"a_rule.yml": PLAIN.replace("{from: a@x.test}, expect", "{sent_at: yesterday}, expect")},
        (
            "a_rule.yml:14:31: field-type: 'yesterday' sent_at is a time: write one such as "
            "2026-11-29T12:00:00Z"
        ),
    ),
    "test number": (
        {
            "a_rule.yml": PLAIN.replace(
                "{from: a@x.test}, expect", "{detections: {attachments: [{size: '3'}]}}, expect"
            )
        },
        "field-type: '3' detections.attachments.size is a number: write it without quotes",
    ),
    "test of a derived field": (
        {"a_rule.yml": PLAIN.replace("{from: a@x.test}, expect", "{recipient_count: '3'}, expect")},
        "a_rule.yml:14:31: unknown-field: 'recipient_count' a test event has no derived fields",
    ),
    "test address": (
        {"a_rule.yml": PLAIN.replace("{from: a@x.test}, expect", "{x_originating_ip: me}, expect")},
        "field-type: 'me' x_originating_ip is an IP address: write one such as 192.0.2.1",
    ),
    "test list": (
        {"a_rule.yml": PLAIN.replace("{from: a@x.test}, expect", "{subject: [a, b]}, expect")},
        "subject has one value, not a list",
    ),
    "test object": (
        {"a_rule.yml": PLAIN.replace("{from: a@x.test}, expect", "{validation: pass}, expect")},
        "field-type: 'pass' validation is an object: write a mapping of its fields",
    ),
    "test of a window": (
        {
            "a.yml": BLOCK,
            "many.yml": CORRELATION.format(body=COUNT).replace(
                "from: a@x.test", "scanned_at: soon"
            ),
        },
        "field-type: 'soon' scanned_at is a time",
    ),
    "circle": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT.replace("a_block", "many"))},
        (
            "many.yml:3:41: correlation: 'many' correlations refer to each other in a "
            "cycle; remove one of the references"
        ),
    ),
    "chain that groups too widely": (
        {
            "a.yml": BLOCK,
            "b.yml": INNER,
            "many.yml": CORRELATION.format(body=COUNT.replace("a_block", "burst")),
        },
        (
            "correlation: 'burst' the events in one group of burst may differ in from, "
            "which many uses; add from to the group-by of burst"
        ),
    ),
    "correlation for nothing": (
        {"a.yml": BLOCK, "b.yml": INNER},
        (
            "b.yml:3:1: correlation: 'burst' a correlation without a response, to which "
            "no other refers, has no effect; add response:"
        ),
    ),
    "unknown rule": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT.replace("a_block", "a_blok"))},
        "unknown-rule: 'a_blok' there is no such rule; did you mean",
    ),
    "falling count": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT.replace("gte", "lt"))},
        "correlation: 'many' lt is not supported",
    ),
    "zero count": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT.replace("gte: 2", "gte: 0"))},
        "correlation: 'many' 0 is not a count",
    ),
    "count beyond a group": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT.replace("gte: 2", "gte: 263"))},
        (
            "many.yml:3:95: correlation: 'many' needs 263 matches in one group, which may have "
            "room for 262 only; lower the threshold until 262 matches are enough"
        ),
    ),
    "chain beyond a group": (
        {
            "a.yml": BLOCK,
            "burst.yml": INNER.replace("gte: 2", "gte: 100"),
            "many.yml": CORRELATION.format(
                body="type: value_count, rules: [burst], group-by: [edf_hash], timespan: 1h, "
                "condition: {field: edf_hash, gte: 3}"
            ),
        },
        "correlation: 'many' needs 300 matches in one group",
    ),
    "another type": (
        {
            "a.yml": BLOCK,
            "many.yml": CORRELATION.format(body=COUNT.replace("event_count", "value_summ")),
        },
        "the correlation type 'value_summ' is not supported; did you mean 'value_sum'?",
    ),
    "sum of nothing": (
        {
            "a.yml": BLOCK,
            "many.yml": CORRELATION.format(body=COUNT.replace("event_count", "value_sum")),
        },
        "correlation: 'many' Value sum correlation rule without field reference",
    ),
    "falling sum": (
        _number("value_sum", "field: recipient_count, lt: 2"),
        "lt is not supported: a sum cannot be decided while events still arrive; use gte or gt",
    ),
    "exact average": (
        _number("value_avg", "field: recipient_count, eq: 2"),
        "eq is not supported: numbers rarely come to exactly this; use gte, gt, lte or lt",
    ),
    "average of texts": (
        _number("value_avg", "field: subject, gte: 2"),
        (
            "correlation: 'subject' value_avg needs one number of each event; subject is a "
            "string; use a field such as recipient_count"
        ),
    ),
    "median of several numbers": (
        _number("value_median", "field: detections.attachments.size, gte: 2"),
        "value_median needs one number of each event",
    ),
    "sum of what may be unknown": (
        _number("value_sum", "field: link_count, gte: 2"),
        "group: 'link_count' link_count comes from /detections",
    ),
    "percentile of what": (
        _number("value_percentile", "field: recipient_count, gte: 2"),
        "the percentile is missing; write percentile: 95, from 1 to 100",
    ),
    "percentile beyond all": (
        _number("value_percentile", "field: recipient_count, gte: 2, percentile: 101"),
        "the percentile is missing; write percentile: 95, from 1 to 100",
    ),
    "percentile in parts": (
        _number("value_percentile", "field: recipient_count, gte: 2, percentile: 99.9"),
        "99.9 is not a percentile; write a whole number from 1 to 100",
    ),
    "percentile of an average": (
        _number("value_avg", "field: recipient_count, gte: 2, percentile: 5"),
        "value_avg takes no percentile; remove percentile",
    ),
    "values of what may be unknown": (
        _number("value_count", "field: detections.links.href, gte: 2"),
        "detections.links.href",
    ),
    "generate": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT + ", generate: true")},
        "many.yml:3:115: correlation: 'many' generate is not supported",
    ),
    "timespan": (
        {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT.replace("1h", "1x"))},
        "wrong-value: '1x' correlation.timespan: '1x' is not a duration",
    ),
    "test without time": (
        {
            "a.yml": BLOCK,
            "many.yml": CORRELATION.format(body=COUNT).replace("at: 0h, from: a", "from: a"),
        },
        "missing-key: the event has no time",
    ),
    "misplaced filter": (
        {"x.yml": "title: F\nname: f\nowner: me\nfilter: {rules: any}\n"},
        "x.yml:4:1: document-kind: 'filter' a filter belongs to the exceptions",
    ),
    "filter without owner": (
        {
            "exceptions/x.yml": block("sel: {from: a}\ncondition: sel").replace(
                "detection:", "filter:\n  rules: any"
            )
        },
        "owner is missing",
    ),
    "filter for nobody": (
        {
            "exceptions/x.yml": "owner: me\n"
            + block("sel: {from: a}\ncondition: sel").replace("detection:", "filter:")
        },
        "a filter names the rules it applies to",
    ),
    "filter for unknown": (
        {
            "exceptions/x.yml": "owner: me\n"
            + block("sel: {from: a}\ncondition: sel").replace(
                "detection:", "filter:\n  rules: [nobody]"
            )
        },
        "unknown-rule: 'nobody' there is no such rule",
    ),
    "number as a regex": (
        {"x.yml": block("sel: {subject|re: 5}\ncondition: sel")},
        "modifier: 'subject|re: 5' re needs a string; put the regular expression in quotes",
    ),
    "number as a regex with a flag": (
        {"x.yml": block("sel: {subject|re|i: -1}\ncondition: sel")},
        "modifier: 'subject|re|i: -1' re needs a string",
    ),
    "no selection": (
        {"x.yml": block("condition: sel")},
        "detection: there is no selection; add a selection with at least one field",
    ),
    "unknown key in one of several forms": (
        {"safety.yml": "budgets: {surge: {least: 500, facto2: 10}}\n"},
        "safety.yml:1:31: unknown-key: 'facto2' there is no such key here; did you mean 'factor'?",
    ),
    "none of several forms": (
        {"safety.yml": "budgets: {surge: of}\n"},
        "safety.yml:1:18: wrong-value: 'of' budgets.surge: must be a mapping of keys and values",
    ),
    "bad safety": (
        {"safety.yml": "never_block: {adresses: []}\n"},
        (
            "safety.yml:1:15: unknown-key: 'adresses' there is no such key here; did "
            "you mean 'addresses'?"
        ),
    ),
    "bad never-block": (
        {"safety.yml": "never_block: {domains: [not a domain]}\n"},
        "'not a domain' never_block.domains.0: must be a domain such as example.com",
    ),
    "bad delivery mode": (
        {"safety.yml": "ignored_delivery_modes: [retro scan]\n"},
        "'retro scan' ignored_delivery_modes.0: is no delivery mode; those known are DIRECT",
    ),
}

ODD = (
    "x",
    "''",
    "5",
    "-1",
    "5.5",
    "true",
    "null",
    "[x, 5]",
    "[null]",
    "['*']",
    "[1, 2, null, true]",
    "'%x%'",
    "'10.0.0.0/8'",
    "'('",
)


@pytest.mark.parametrize("case", CASES)
def test_a_problem_is_named(tmp_path: Path, case: str) -> None:
    """Each mistake is reported with its place, its text and a remedy."""
    files, expected = CASES[case]
    if "\udcff" in "".join(files.values()):
        (tmp_path / "x.yml").write_bytes(b"title: \xff")
        files = {}

    found = problems(tmp_path, files)

    assert any(expected in line for line in found), found


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Loading goes on after a problem.

    Every file and every key is reported in one go, in file order.
    """
    found = problems(
        tmp_path,
        {
            "a_rule.yml": PLAIN.replace(
                "from: a@x.test}\n", "form: a@x.test, subject|contian: x}\n"
            ).replace("JunkEmail", "Junk"),
            "b.yml": "title: 010\n",
            "safety.yml": "hard_delete: maybe\n",
        },
    )

    assert [line.split(" ")[0] for line in found] == [
        "a_rule.yml:7:9:",
        "a_rule.yml:7:25:",
        "a_rule.yml:12:27:",
        "b.yml:1:8:",
        "safety.yml:1:14:",
    ]


def test_a_doubtful_value_hides_nothing_else(tmp_path: Path) -> None:
    """It is told once, and what else is wrong with the file as well.

    A second round of mending would cost the author time.
    """
    doubtful = (
        PLAIN.replace("from: a@x.test}\n", "is_quarantined: yes, form: a@x.test}\n").replace(
            "JunkEmail", "Junk"
        )
        + "title: again\n"
    )
    found = problems(tmp_path, {"a_rule.yml": doubtful})
    assert [line.split(" ")[1] for line in found] == [
        "ambiguous-scalar:",
        "unknown-field:",
        "action:",
        "duplicate-key:",
    ]


@pytest.mark.parametrize("first", modifier_mapping)
def test_no_pair_of_modifiers_breaks_the_loader(tmp_path: Path, first: str) -> None:
    """Whatever is written after them, two modifiers are understood or refused.

    PySigma knows other errors than its own.
    """
    odd = Random(first)  # noqa: S311 - reproducible on purpose
    for second in ("", *modifier_mapping):
        for value in ODD if not second else odd.sample(ODD, 3):
            field = odd.choice(
                (
                    "subject",
                    "to",
                    "is_quarantined",
                    "scanned_at",
                    "detections.findings.score",
                    "smtp_helo_server_ip",
                )
            )
            item = "|".join(filter(None, (field, first, second)))
            problems(tmp_path, {"x.yml": block(f"sel: {{{item}: {value}}}\ncondition: sel")})


def test_a_missing_safety_file_is_a_problem(tmp_path: Path) -> None:
    """Losing safety.yml never loads as a set without protection."""
    from clawback.rules import RuleErrors, load_rules

    with pytest.raises(RuleErrors, match=r"safety\.yml:1:1: safety: safety\.yml is missing"):
        load_rules(tmp_path)


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    """A folder that is not there is said so, not an empty set."""
    from clawback.rules import RuleErrors, load_rules

    with pytest.raises(RuleErrors, match="there is no such folder"):
        load_rules(tmp_path / "nowhere")


def test_texts_from_files_are_bounded(tmp_path: Path) -> None:
    """However long the offending text, its problem stays readable."""
    found = problems(
        tmp_path, {"x.yml": block(f"sel: {{subject|re: '({'a' * 5000}'}}\ncondition: sel")}
    )

    assert found
    assert all(len(line) < 1200 for line in found)


def test_the_largest_threshold_is_accepted(tmp_path: Path) -> None:
    """A group has room for this many matches."""
    body = COUNT.replace("gte: 2", f"gte: {MOST_COUNTED}")

    assert problems(tmp_path, {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=body)}) == []


def test_a_responding_rule_can_be_written(tmp_path: Path) -> None:
    """The texts that these tests are made of load without a problem."""
    assert problems(tmp_path, {"a_rule.yml": PLAIN}) == []
    assert (
        problems(
            tmp_path / "other", {"a_rule.yml": responding("sel: {subject: a}\ncondition: sel")}
        )
        == []
    )
    assert (
        problems(tmp_path / "third", {"a.yml": BLOCK, "many.yml": CORRELATION.format(body=COUNT)})
        == []
    )
