"""Warns of blocks and exemptions whose pattern an outsider can write into a mail.

Whoever forges the address of a partner could have the partner blocked, or himself exempted. DMARC
vouches for the From header and SPF for the sender of the envelope; nothing vouches for the others.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from clawback.actions import ContainmentAction
from clawback.model.events import EventKind
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.lint.satisfiability import can_hold
from clawback.rules.source.condition import Leaf, Node, Text
from clawback.rules.source.errors import Code, Place, Problems, Severity
from clawback.rules.source.responses import TEMPLATE

_VOUCHED_BY: Mapping[str, str | None] = {
    "from": "validation.dmarc",
    "from_domain": "validation.dmarc",
    "from_mailbox": "validation.dmarc",
    "envelope_from": "validation.spf",
    "envelope_domain": "validation.spf",
    "from_name": None,
    "replyto": None,
    "replyto_domain": None,
    "replyto_name": None,
    "subject": None,
}
"""What a sender writes, and the result that vouches for it if it is `pass`."""
_OF_MESSAGE = "message."
"""What leads to the fields of the message from a report or a submission."""


def check_forgeable_patterns(rules: RuleSet, places: Mapping[str, Place], found: Problems) -> None:
    """Warn of each rule once for each field; `places` says where to report it."""
    for rule in rules.rules.values():
        for name in _claimed_names(rule):
            for leaf, field in rules.sources_of(rule, name):
                vouched_by = _missing_proof(leaf, field)
                if vouched_by is not None:
                    _warn(found, places[rule.name], rule, name, leaf, field, vouched_by)


def _claimed_names(rule: Rule) -> Iterator[str]:
    """The group fields in the patterns of what a rule blocks, allows or trusts."""
    actions = rule.response.actions if rule.response is not None else ()
    texts = [text for action in actions if _names_senders(action) for text in action.templates]
    return iter(dict.fromkeys(name for text in texts for name in TEMPLATE.findall(text)))


def _names_senders(action: ContainmentAction) -> bool:
    return action.protected_pattern is not None


def _missing_proof(leaf: Rule, field: str) -> str | None:
    """The field that should vouch for a field and need not, empty if there is none.

    None if nobody can forge the field, or a condition asks for the proof.
    """
    prefix = _OF_MESSAGE if field.startswith(_OF_MESSAGE) else ""
    name = field.removeprefix(_OF_MESSAGE)
    if name not in _VOUCHED_BY:
        return None

    proof = _VOUCHED_BY[name]
    if proof is None:
        return ""
    if leaf.tree is None or not _may_lack(leaf.tree, leaf.kinds[0], prefix + proof):
        return None
    return prefix + proof


def _may_lack(tree: Node, kind: EventKind, proof: str) -> bool:
    # Exceptions count as expired: each may expire while the rules are loaded.
    passes = Leaf(proof, (Text(("pass",)),))
    return can_hold(kind, (tree, True), (passes, False), today=date.max).is_possible


def _warn(  # noqa: PLR0913, PLR0917 - what a warning says
    found: Problems, place: Place, rule: Rule, name: str, leaf: Rule, field: str, proof: str
) -> None:
    remedy = f"require `{proof}: pass`" if proof else "use a field that is authenticated"
    if leaf.name != rule.name:
        remedy += f" in {leaf.name}"
    found.add(
        place,
        Code.FORGEABLE,
        f"anybody can write any value into {field}, and the condition does not require proof that "
        "it is theirs",
        text=f"{{{name}}}",
        remedy=remedy,
        severity=Severity.WARNING,
    )
