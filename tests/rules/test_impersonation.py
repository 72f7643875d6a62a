"""`impersonates`: senders that bear the name of somebody on a list or on the registry."""

from pathlib import Path

import pytest

from clawback.rules import RuleSet
from clawback.rules.impersonation import ProtectedName, ProtectedNames
from tests.rules.folders import is_match, load, message, problems, report, responding

RULE = responding("sel: {impersonates|exists: true}\ncondition: sel")
VIPS = """people:
  Ann Chief: ann@x.test
  Bob Boss: [bob@x.test, bob.boss@gmail.com, '*@boss.test']
"""


def _rules(folder: Path, rule: str = RULE) -> RuleSet:
    return load(folder, {"a_rule.yml": rule, "lists/vips.yml": VIPS})


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("Ann Chief", "a@y.test", True),
        ("ANN CHIEF", "a@y.test", True),
        ("\u0410nn Chief", "a@y.test", True),
        ("Ann  Ch1ef ", "a@y.test", True),
        ("Ann Chief", "ann@x.test", False),
        ("Ann Chief", "Ann+news@X.TEST", False),
        ("Bob Boss", "bobboss@googlemail.com", False),
        ("Bob Boss", "b@boss.test", False),
        ("Bob Boss", "b@boss.test.evil.test", True),
        ("Bob Boss", "ann@x.test", True),
        ("Ann Chiefs", "a@y.test", False),
        ("Ann Chief", "", False),
        ("", "a@y.test", False),
    ],
)
def test_a_name_with_a_strange_address_impersonates(
    tmp_path: Path,
    name: str,
    address: str,
    expected: bool,  # noqa: FBT001
) -> None:
    """The name in any letters, with an address that is not on its entry."""
    assert is_match(_rules(tmp_path), message(from_name=name, from_=address)) is expected


def test_the_value_is_the_name_on_the_list(tmp_path: Path) -> None:
    """A group and an explanation have the name as the list writes it."""
    response = (
        "response: {mode: enforce, group-by: [impersonates], "
        "actions: [{move: {destination: JunkEmail}}]}"
    )
    rules = _rules(
        tmp_path,
        responding("sel: {impersonates|exists: true}\ncondition: sel", response=response),
    )
    event = message(from_name="ANN CHIEF", from_="a@y.test")

    (match,) = rules.evaluate(event).matches

    assert match.plan.group == {"impersonates": "Ann Chief"}
    (tree,) = rules.explain("a_rule", event)
    assert tree.children[0].children[0].actual == ("Ann Chief",)


def test_the_message_of_a_report_may_impersonate(tmp_path: Path) -> None:
    """A joined message is asked as any other; before it is known, the rule may match."""
    rule = responding("sel: {message.impersonates: ann chief}\ncondition: sel").replace(
        "category: message", "category: phishguard_report"
    )
    rules = _rules(tmp_path, rule)

    assert rules.may_match(report()) is True
    known = {"from_name": "Ann Chief", "from": "a@y.test"}
    assert is_match(rules, report(message=known)) is True


def test_a_list_of_people_gives_their_names(tmp_path: Path) -> None:
    """`%vips%` stands for the names."""
    rule = responding("sel: {from_name|expand: '%vips%'}\ncondition: sel")

    assert is_match(_rules(tmp_path, rule), message(from_name="Bob Boss")) is True


def test_the_names_of_the_registry_count_too(tmp_path: Path) -> None:
    """They are added to those of the lists, in place of those of the registry before."""
    rules = _rules(tmp_path)
    event = message(from_name="Cy Fin", from_="c@y.test")

    known = rules.with_registry([ProtectedName("Cy Fin", "cy@x.test")])
    emptied = known.with_registry([])

    assert [is_match(one, event) for one in (rules, known, emptied)] == [False, True, False]
    assert is_match(known, message(from_name="Ann Chief", from_="a@y.test")) is True
    assert known.version == rules.version


def test_a_change_of_a_list_of_people_is_a_new_version(tmp_path: Path) -> None:
    """A worker that reads it takes it over."""
    one = _rules(tmp_path / "one")
    other = load(
        tmp_path / "other",
        {"a_rule.yml": RULE, "lists/vips.yml": VIPS.replace("ann@x.test", "ann@y.test")},
    )

    assert one.version != other.version


def test_an_address_may_be_an_expression() -> None:
    """What it is found in is an address of the owner; with an invalid one, nobody is a stranger."""
    names = ProtectedNames(
        [
            ProtectedName("Ann Chief", "^ann[0-9]*@x\\.test$", is_regex=True),
            ProtectedName("Bob Boss", "(?=x)", is_regex=True),
        ]
    )

    assert names.find("Ann Chief", "ANN5@x.test") is None
    assert names.find("Ann Chief", "ann@y.test") == "Ann Chief"
    assert names.find("Bob Boss", "b@y.test") is None


def test_two_people_of_one_name_are_both_themselves() -> None:
    """The address of either is in order."""
    names = ProtectedNames(
        [ProtectedName("Ann Chief", "ann@x.test"), ProtectedName("ANN CHIEF", "ann@y.test")]
    )

    assert names.find("Ann Chief", "ann@y.test") is None
    assert names.find("Ann Chief", "ann@z.test") == "Ann Chief"


def test_a_test_event_may_say_whom_it_impersonates(tmp_path: Path) -> None:
    """What the registry would say can be written into the event."""
    assert is_match(_rules(tmp_path), message(impersonates="Dee")) is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: {}", "must not be empty"),
        ("people: [Ann]", "must be a mapping of keys and values, not a list"),
        ("people: {Ann: 5}", "must be a string, not a number"),
        ("people: {Ann: a@x.test}\nvalues: [a]", "there is no such key here"),
    ],
)
def test_a_wrong_list_of_people_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Each slip is named once."""
    found = problems(tmp_path, {"a_rule.yml": RULE, "lists/vips.yml": text})

    assert len(found) == 1, found
    assert said in found[0], found
