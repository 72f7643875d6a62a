"""What to write for a key that a document does not have: where it belongs, or the key for it."""

from collections.abc import Mapping

from pydantic import BaseModel

from clawback.actions.hints import EXAMPLES, find_example
from clawback.model.plain_errors import Path, keys_of, models_of
from clawback.model.suggestions import find_near

_ACTS = "response: {mode: shadow, actions: [{move: {destination: JunkEmail}}]}"
_FINDS = "detection: {sel: {subject: text}, condition: sel}"
_HINTS: Mapping[str, str] = {
    "condition conditions when where if": f"the condition belongs below detection: {_FINDS}",
    "selection selections query match matches source search detect rule filters": f"write {_FINDS}",
    "respond reaction then do action actions remediation": f"write {_ACTS}",
    "severity priority risk criticality": "write level: high",
    "desc summary comment notes": "write description: text",
    "uuid guid": "write id: with a UUID",
    "cases examples unittests": "write tests: [{name: text, event: {}, expect: match}]",
    "enabled disabled active state": "write status: experimental, with which a rule only records",
    "timeframe timespan window count threshold aggregation": "write a correlation with a timespan",
    "throttle cooldown ratelimit": "write limits: {messages: 100, per: 1h} below response",
    "exceptions exception exclude excludes exclusions whitelist allowlist": (
        "name a selection filter_name, with the condition sel and not 1 of filter_*, or write a "
        "Sigma filter in exceptions/"
    ),
    "mitre attack technique tactics mitreattack": "write tags: [attack.t1566]",
    "owner team contact": "write author: name; exceptions have an owner",
    "expires until": "only exceptions expire: see exceptions/",
    "version revision": "leave it out: `rules list` shows a version; modified is a date",
}
_BY_KEY = {key: hint for keys, hint in _HINTS.items() for key in keys.split()}


def key_remedy(model: type[BaseModel], path: Path, key: str) -> str | None:
    """Suggest what to write for an unknown key at a path; None if only the known keys help."""
    if find_near(key, keys_of(model, path)):
        return None
    is_rule = "response" in model.model_fields
    is_action = is_rule and path in {(), ("response",)}
    if is_action and (example := EXAMPLES.get(key) or find_example(key)) is not None:
        return f"an action belongs below response: actions: [{{{example}}}]"

    folded = "".join(char for char in key.casefold() if char.isalnum())
    if is_rule and not path and folded in _BY_KEY:
        return _BY_KEY[folded]
    places = (other for other, inner in models_of(model) if key in keys_of(inner, ()))
    if (above := next(places, None)) is not None:
        return f"it belongs below {'.'.join(map(str, above))}" if above else "it belongs at the top"
    return None
