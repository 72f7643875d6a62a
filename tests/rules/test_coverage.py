"""Coverage of conditions by the tests that rules carry."""

from pathlib import Path

from clawback.rules.source.condition import And, Leaf, Named, Not, Or, Text
from clawback.rules.tools.coverage import Coverage, measure_coverage, render_node
from tests.rules.folders import LOGSOURCE, load, responding

TESTED = (
    "tests:\n  - {name: one, event: {from: a@x.test, subject: pay}, expect: match}\n"
    "  - {name: two, event: {}, expect: no match}"
)
DETECTION = """sender: {from: a@x.test}
words: [{subject|contains: pay}, {from_name|contains: urgent}]
filter_known: {is_quarantined: true}
condition: sender and words and not 1 of filter_*"""


def covered(folder: Path, files: dict[str, str]) -> dict[str, Coverage]:
    """Measure a folder, by name of rule or exception."""
    return {one.name: one for one in measure_coverage(load(folder, files))}


def test_what_no_test_reaches_is_named(tmp_path: Path) -> None:
    """A filter that never fires and an alternative that never holds are gaps.

    Everything else is covered.
    """
    found = covered(tmp_path, {"a_rule.yml": responding(DETECTION, tests=TESTED)})["a_rule"]
    assert found.gaps == (
        "alternative from_name contains urgent of words is never true",
        "selection filter_known is never true",
    )
    assert found.tests == 2
    assert 0.8 < found.share < 1


def test_full_coverage_has_no_gaps(tmp_path: Path) -> None:
    """Tests that make each part true and false leave nothing."""
    more = (
        "\n  - {name: three, event: {from: a@x.test, from_name: urgent, "
        "is_quarantined: true}, expect: no match}"
        "\n  - {name: four, event: {from: b@x.test, from_name: urgent}, expect: no match}"
    )
    found = covered(tmp_path, {"a_rule.yml": responding(DETECTION, tests=TESTED + more)})["a_rule"]
    assert (found.gaps, found.share) == ((), 1.0)


def test_a_correlation_tests_the_rules_it_refers_to(tmp_path: Path) -> None:
    """The tests of a correlation count for its building block, which has none of its own."""
    text = f"""title: A block
name: a_block
{LOGSOURCE}detection: {{sel: {{from|exists: true}}, condition: sel}}
---
title: Many
name: a_rule
status: test
correlation:
  {{type: event_count, rules: [a_block], group-by: [from], timespan: 1h, condition: {{gte: 2}}}}
response: {{mode: shadow, actions: [{{move: {{destination: JunkEmail}}}}]}}
tests:
  - name: two
    events: [{{at: 0h, from: a@x.test}}, {{at: 1h, from: a@x.test}}]
    expect: {{fires: 1}}
  - {{name: one, events: [{{at: 0h, from: a@x.test}}], expect: {{fires: 0}}}}
"""
    found = covered(tmp_path, {"a_rule.yml": text})["a_block"]
    assert found.tests == 2
    assert found.gaps == ("selection sel is never false",)


def test_an_exception_that_no_test_meets_is_a_gap(tmp_path: Path) -> None:
    """An exception is covered by one test of any rule that it excepts."""
    exception = f"""title: Ours
name: ours
owner: me@x.test
{LOGSOURCE}filter: {{rules: any, sel: {{envelope_from: ours@x.test}}, condition: not sel}}
"""
    files = {"a_rule.yml": responding(DETECTION, tests=TESTED), "exceptions/ours.yml": exception}
    assert len(covered(tmp_path, files)["ours"].gaps) == 1
    more = "\n  - {name: three, event: {envelope_from: ours@x.test}, expect: no match}"
    assert (
        covered(tmp_path, files | {"a_rule.yml": responding(DETECTION, tests=TESTED + more)})[
            "ours"
        ].gaps
        == ()
    )


def test_conditions_are_worded_as_written() -> None:
    """And, or, not and parentheses stand where a person would put them."""
    one, two, three = (
        Named(name, Leaf("from", (Text(("a",)),))) for name in ("one", "two", "three")
    )
    assert render_node(And((one, Not(Or((two, three)))))) == "one and not (two or three)"
    assert render_node(one.child) == "from is a"
