"""What to write for a modifier that Sigma does not have, but other rule languages do."""

import re
from collections.abc import Iterable, Mapping

from clawback.model.suggestions import did_you_mean

_HINTS: Mapping[str, str] = {
    "equals equal eq is exact exactly iequals ieq same": (
        "leave it out: {0}: value compares the whole value, in any case"
    ),
    "regex regexp rx matches match pattern pcre matchesregex": "write {0}|re: 'pattern'",
    "like ilike glob wildcard wildcards": ("leave it out: {0}: 'pay*' takes the wildcards * and ?"),
    "in any anyof oneof or isin within": "leave it out and write a list: {0}: [a, b]",
    "not ne isnot nor notequals notequal notin nin noteq": (
        "write {0}|neq: value, or put not before the selection in the condition"
    ),
    "notcontains notcontain doesnotcontain excludes notstartswith notendswith notre notmatches": (
        "write a selection of its own without the negation, filter: {{{0}|contains: value}}, and "
        "put it into the condition: sel and not filter"
    ),
    "begins beginswith startwith starts prefix": "write {0}|startswith: value",
    "ends endwith suffix": "write {0}|endswith: value",
    "has includes include containing icontains substring keyword containsany containsanyof": (
        "write {0}|contains: value, or a list of which any may match"
    ),
    "containsall allof and": "write {0}|contains|all: [a, b]",
    "case casesensitive cs": "write {0}|cased: value",
    "nocase insensitive caseinsensitive ci lower icase": (
        "leave it out: text is compared in any case; after re write i: {0}|re|i: 'pattern'"
    ),
    "greater greaterthan more above over": "write {0}|gt: 10",
    "ge greaterorequal atleast min minimum": "write {0}|gte: 10",
    "less lessthan below under": "write {0}|lt: 10",
    "le lessorequal atmost max maximum": "write {0}|lte: 10",
    "null empty missing isnull isempty absent notexists": ("write {0}|exists: false, or {0}: null"),
    "notnull notempty present isset exist": "write {0}|exists: true",
    "ip subnet network inrange insubnet": "write {0}|cidr: 192.0.2.0/24",
    "list lookup file watchlist inlist": (
        "write {0}|expand: '%name%', with a list in lists/name.yml"
    ),
    "length len count": (
        "none counts or measures; recipient_count, link_count and attachment_count are fields"
    ),
    "fuzzy similar levenshtein homoglyph lookslike": (
        "write {0}|confusable: value, or from_domain|lookalike: [example.com]"
    ),
    "before after since older newer": (
        "none compares times; sent_delay is a field, and a correlation has a timespan"
    ),
    "field ref equalsfield eqfield": "write {0}|fieldref: other_field",
}
"""Hints by modifiers, without case and punctuation; `{0}` is the field."""
_BY_MODIFIER = {name: hint for names, hint in _HINTS.items() for name in names.split()}
_SIGNS = {"==": "eq", "=": "eq", "!=": "ne", "~": "regex", "=~": "regex", ">": "greater"} | {
    ">=": "ge",
    "<": "less",
    "<=": "le",
}


def modifier_remedy(field: str, modifier: str, known: Iterable[str]) -> str:
    """Suggest what to write instead of an unknown modifier of a field."""
    folded = _SIGNS.get(modifier) or re.sub(r"[^a-z0-9]", "", modifier.lower())
    hint = _BY_MODIFIER.get(folded)
    return hint.format(field) if hint is not None else did_you_mean(modifier, known)
