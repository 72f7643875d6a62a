"""The JSON Schema of rule files.

True to the code, true to what is shipped, and of use to an editor.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from clawback.actions import ACTIONS
from clawback.model.events import EventKind
from clawback.rules.source.errors import Problems
from clawback.rules.source.field_catalogue import FIELDS, FieldType
from clawback.rules.source.yaml_reader import Document, as_plain_data, read_documents
from clawback.rules.tools.schema import rule_schema, write_schema
from clawback.rules.tools.schema_fields import MODIFIERS
from tests.rules.folders import LOGSOURCE, PLAIN, block, problems
from tests.rules.test_design import BEC, REPEAT
from tests.rules.test_problems import BLOCK, CORRELATION, COUNT, INNER

RULES = Path(__file__).parents[2] / "rules"
SHIPPED = sorted(RULES.rglob("*.yml"))
MODELINE = "# yaml-language-server: $schema="
MANY = CORRELATION.format(body=COUNT)


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """A validator that does not know clawback."""
    return Draft202012Validator(json.loads(write_schema()))


def test_defaults_are_durations_as_rules_write_them() -> None:
    """An editor completes `30d`, not ISO 8601."""
    actions = rule_schema()["$defs"]["action"]["properties"]
    defaults = {
        name: action["properties"]["expires_after"]["default"]
        for name, action in actions.items()
        if "expires_after" in action["properties"]
    }
    assert defaults == {"block_sender": "30d", "allow_sender": "30d", "trust_domain": "30d"}
    assert not re.search(r'"P[0-9]', write_schema())


def documents(text: str) -> list[Document]:
    """All documents of a file."""
    found = Problems()
    read = read_documents("x.yml", text.encode(), found)
    assert not list(found)
    return read


def complaints(schema: Draft202012Validator, text: str) -> list[str]:
    """What the schema says against a file."""
    errors = (
        error
        for document in documents(text)
        for error in schema.iter_errors(as_plain_data(document.data))
    )
    return [f"{error.json_path}: {error.message}" for error in errors]


def test_the_committed_schema_is_what_the_code_says() -> None:
    """`rules/schema.json` is up to date."""
    assert (RULES / "schema.json").read_text(encoding="utf-8") == write_schema(), "run: make docs"


def test_it_is_a_schema(schema: Draft202012Validator) -> None:
    """It is valid by the draft it names, and every reference in it leads somewhere."""
    Draft202012Validator.check_schema(schema.schema)
    text = json.dumps(schema.schema)
    assert set(re.findall(r'"#/\$defs/([^"]+)"', text)) <= schema.schema["$defs"].keys()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_name_it_and_are_valid(schema: Draft202012Validator, path: Path) -> None:
    """Every file that is shipped begins with the way to the schema, and is valid by it.

    It has one document: check-jsonschema and others read no more.
    """
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith(MODELINE), path
    assert (path.parent / first.removeprefix(MODELINE)).resolve() == RULES / "schema.json"
    assert len(documents(text)) == 1
    assert complaints(schema, text) == []


@pytest.mark.parametrize(
    "field",
    [
        "threat_categories",
        "detection_reasons",
        "detections.findings.name",
        "detections.findings.reason",
    ],
)
def test_values_known_so_far_are_completed_and_no_other_is_refused(
    schema: Draft202012Validator, field: str
) -> None:
    """An editor lists them; the API may have more."""
    known = FIELDS[EventKind.MESSAGE][field].seen
    reference = schema.schema["$defs"]["message_fields"]["properties"][field]["$ref"]
    listed = schema.schema["$defs"][reference.rpartition("/")[2]]
    assert len(known) > 5
    assert list(known) == listed["anyOf"][0]["anyOf"][0]["enum"][:-1]
    for value in (known[0], "SomethingNew", f"[{known[0]}, SomethingNew]"):
        rule = PLAIN.replace("sel: {from: a@x.test}", f"sel: {{{field}: {value}}}")
        assert complaints(schema, rule) == []
    event = "event: {threat_categories: [Malware, SomethingNew]}"
    assert complaints(schema, PLAIN.replace("event: {from: a@x.test}", event)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("maximum_age: null\nbudgets: {campaign: null, rule: {messages: 5, per: 1h}}\n", ""),
        ("budgets: {overall: [{messages: 5, per: 1h}, {blocks: 5, per: 1d}], surge: 'off'}\n", ""),
        ("never_block: {adresses: []}\n", "'adresses' was unexpected"),
        ("hard_delete: maybe\n", "'maybe' is not of type 'boolean'"),
        ("maximum_age: 7\n", "7 is not valid"),
        ("budgets: {surge: {least: 0}}\n", "is not valid"),
    ],
)
def test_the_safety_document_is_covered_too(
    schema: Draft202012Validator, tmp_path: Path, text: str, said: str
) -> None:
    """As the loader reads it."""
    found = complaints(schema, text)
    assert (found != []) is bool(said) is (problems(tmp_path, {"safety.yml": text}) != [])
    assert not said or said in found[0]


@pytest.mark.parametrize(
    "text",
    [BEC, REPEAT, PLAIN, BLOCK, MANY, INNER],
    ids=["bec", "repeat", "as_plain_data", "block", "many", "inner"],
)
def test_good_rules_are_valid(schema: Draft202012Validator, text: str) -> None:
    """The rules of the design page and those that the tests of the loader are made of."""
    assert complaints(schema, text) == []


ELEMENTS = PLAIN.replace(
    "sel: {from: a@x.test}",
    "sel: {detections.links: {text|contains: a, href_domain|neq: b}, "
    "detections.attachments|all: [{size|gt: 5}, {md5: null}], detections.headers: null}",
)


def test_element_conditions_are_valid(schema: Draft202012Validator) -> None:
    """A mapping or a list of them under a field of objects, and null, are in order."""
    assert complaints(schema, ELEMENTS) == []


BAD = {
    "unknown key": PLAIN + "levle: high\n",
    "no title": PLAIN.replace("title: A rule\n", ""),
    "bad name": PLAIN.replace("name: a_rule", "name: A Rule"),
    "no status": PLAIN.replace("status: stable\n", ""),
    "no tests": PLAIN.partition("tests:")[0],
    "mode above status": PLAIN.replace("status: stable", "status: test"),
    "mode above status of a correlation": MANY.replace("shadow", "enforce"),
    "other product": PLAIN.replace("cloudflare", "okta"),
    "other category": PLAIN.replace("category: message", "category: mesage"),
    "unknown field": PLAIN.replace("sel: {from:", "sel: {form:"),
    "field of another kind": PLAIN.replace("category: message", "category: submission"),
    "unknown modifier": PLAIN.replace("sel: {from:", "sel: {from|contain:"),
    "modifier of another type": PLAIN.replace(
        "sel: {from: a@x.test}", "sel: {is_quarantined|contains: t}"
    ),
    "number modifier on a text": PLAIN.replace("sel: {from: a@x.test}", "sel: {subject|gt: 5}"),
    "text for a number": PLAIN.replace(
        "sel: {from: a@x.test}", "sel: {detections.findings.score|gt: high}"
    ),
    "exists of what": PLAIN.replace("sel: {from: a@x.test}", "sel: {from|exists: maybe}"),
    "value of an object": PLAIN.replace("sel: {from: a@x.test}", "sel: {validation: pass}"),
    "unknown field of an element": PLAIN.replace(
        "sel: {from: a@x.test}", "sel: {detections.links: {herf: a}}"
    ),
    "element of a text": PLAIN.replace("sel: {from: a@x.test}", "sel: {subject: {href: a}}"),
    "text for a number of an element": PLAIN.replace(
        "sel: {from: a@x.test}", "sel: {detections.attachments|all: {size|gt: a}}"
    ),
    "keyword": PLAIN.replace("sel: {from: a@x.test}", "sel: [invoice]"),
    "empty selection": PLAIN.replace("sel: {from: a@x.test}", "sel: {}"),
    "no condition": PLAIN.replace("  condition: sel\n", ""),
    "timeframe": PLAIN.replace("  condition: sel\n", "  condition: sel\n  timeframe: 1h\n"),
    "unknown action": PLAIN.replace("- move:", "- moove:"),
    "unknown destination": PLAIN.replace("JunkEmail", "Junk"),
    "two actions in one": PLAIN.replace(
        "- move: {destination: JunkEmail}",
        "- {move: {destination: Inbox}, reclassify: {disposition: SPAM}}",
    ),
    "no actions": PLAIN.replace(
        "  actions:\n    - move: {destination: JunkEmail}\n", "  actions: []\n"
    ),
    "group of a list": PLAIN.replace("  mode:", "  group-by: [to]\n  mode:"),
    "bad limit": PLAIN.replace("  mode:", "  limits: {messages: 1, per: 60}\n  mode:"),
    "unknown test field": PLAIN.replace("event: {from: a@x.test}", "event: {form: a@x.test}"),
    "dotted test field": PLAIN.replace("event: {from: a@x.test}", "event: {validation.spf: pass}"),
    "test type": PLAIN.replace("event: {from: a@x.test}", "event: {is_quarantined: 'true'}"),
    "unknown expectation": PLAIN.replace("expect: match", "expect: matches"),
    "unknown correlation": MANY.replace("event_count", "event_cuont"),
    "falling count": MANY.replace("gte", "lt"),
    "zero count": MANY.replace("gte: 2", "gte: 0"),
    "falling sum": MANY.replace("event_count", "value_sum").replace(
        "gte: 2", "field: recipient_count, lt: 2"
    ),
    "sum of nothing": MANY.replace("event_count", "value_sum"),
    "percentile without percent": MANY.replace("event_count", "value_percentile").replace(
        "gte: 2", "field: recipient_count, gte: 2"
    ),
    "percentile beyond all": MANY.replace("event_count", "value_percentile").replace(
        "gte: 2", "field: recipient_count, gte: 2, percentile: 101"
    ),
    "test without time": MANY.replace("at: 0h, from: a", "from: a"),
    "correlation without status": MANY.replace("status: experimental\n", ""),
    "exception without owner": (
        f"title: X\nname: x\n{LOGSOURCE}filter: {{rules: any, sel: {{from: a}}, "
        f"condition: not sel}}\n"
    ),
    "exception for nobody": (
        f"title: X\nname: x\nowner: me\n"
        f"{LOGSOURCE}filter: {{sel: {{from: a}}, condition: not sel}}\n"
    ),
    "empty list": "title: X\nvalues: []\n",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rules_are_refused(schema: Draft202012Validator, tmp_path: Path, case: str) -> None:
    """Each mistake is refused by the schema, and by the loader.

    An editor marks nothing that would load.
    """
    name = {"exception": "exceptions/x.yml", "empty": "lists/x.yml"}.get(
        case.split(" ", maxsplit=1)[0], "a_rule.yml"
    )
    files = {name: BAD[case], "many.yml" if "many" in BAD[case] else "z.yml": BLOCK}
    assert complaints(schema, BAD[case])
    assert problems(tmp_path, files)


def values_of(kind: FieldType, modifier: str) -> Iterator[Any]:
    """Values that may stand after a modifier."""
    if modifier in {"gt", "gte", "lt", "lte", "minute", "hour", "day", "week", "month", "year"}:
        yield 5
    elif modifier == "neq":
        yield {FieldType.NUMBER: 5, FieldType.BOOLEAN: True}.get(kind, "a")
    else:
        yield {"cidr": "10.0.0.0/8", "fieldref": "from", "expand": "a"}.get(modifier, "a")


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_can_be_completed_and_takes_its_modifiers(
    schema: Draft202012Validator, kind: EventKind
) -> None:
    """Each field has a description and is valid with every modifier that fits its type."""
    selection = schema.schema["$defs"][f"{kind}_fields"]
    check = Draft202012Validator(
        {**schema.schema, "if": {}, "then": {"$ref": f"#/$defs/{kind}_fields"}, "else": {}}
    )
    for field in FIELDS[kind].values():
        assert selection["properties"][field.name]["description"].startswith(field.description)
        assert check.is_valid({f"{field.name}|exists": True})
        for modifier in MODIFIERS[field.type]:
            for value in values_of(field.type, modifier):
                assert check.is_valid({f"{field.name}|{modifier}": value}), (field.name, modifier)
        assert not check.is_valid({f"{field.name}x": "a"})


def test_every_modifier_is_one_that_the_loader_takes(tmp_path: Path) -> None:
    """What the schema offers for a type, the loader takes for a field of that type."""
    seen: dict[FieldType, str] = {
        field.type: field.name for field in FIELDS[EventKind.MESSAGE].values() if not field.values
    }
    needs_re = {"i", "ignorecase", "m", "multiline", "s", "dotall"}
    for kind, name in seen.items():
        for modifier in MODIFIERS[kind]:
            chain = {"all": "contains|all", "expand": "expand", "wide": "wide|base64"}.get(
                modifier, f"re|{modifier}" if modifier in needs_re else modifier
            )
            value = {"all": "[a, b]", "expand": "'%known%'", "fieldref": name}.get(
                modifier, str(next(values_of(kind, modifier))).lower()
            )
            files = {
                "x.yml": block(f"sel: {{{name}|{chain}: {value}}}\ncondition: sel"),
                "lists/known.yml": "values: [a]\n",
            }
            assert problems(tmp_path / f"{kind}-{modifier}", files) == [], (name, modifier)


def test_everything_is_described() -> None:
    """Every key of a document, every action and every parameter says what it is."""
    found = rule_schema()["$defs"]
    named = {
        name: found[name]
        for name in (
            "rule",
            "correlation",
            "exception",
            "list",
            "ResponseDocument",
            "CorrelationBody",
            "Logsource",
            "WindowTest",
        )
    }
    actions = found["action"]["properties"]
    assert actions.keys() == ACTIONS.keys()
    for name, part in {**named, **actions}.items():
        for key, value in part["properties"].items():
            assert value.get("description"), f"{name}.{key}"
