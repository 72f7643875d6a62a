"""The usual slips of authors are told what is right, and nothing is guessed wrong."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import ACTIONS, parse_action
from clawback.actions.hints import EXAMPLES, find_example
from clawback.model.events import EventKind
from clawback.model.suggestions import did_you_mean, find_near, nearest
from clawback.rules.source import field_hints, modifier_hints
from clawback.rules.source.field_catalogue import FIELDS
from clawback.rules.source.field_hints import field_remedy
from tests.rules.folders import PLAIN, block, problems
from tests.rules.test_problems import BLOCK, CORRELATION, COUNT

TWO = "sel: {{subject: a}}\nfilter_own: {{subject: b}}\ncondition: {}"


def of_detection(folder: Path, detection: str) -> list[str]:
    """The problems of a building block."""
    return problems(folder, {"x.yml": block(detection)})


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ("sel AND filter_own", "sel and filter_own"),
        ("sel OR filter_own", "sel or filter_own"),
        ("NOT sel", "not sel"),
        ("sel And Not filter_own", "sel and not filter_own"),
        ("sel && !filter_own", "sel and not filter_own"),
        ("sel || filter_own", "sel or filter_own"),
        ("sel & (filter_own | !sel)", "sel and (filter_own or not sel)"),
        ("1 OF THEM", "1 of them"),
        ("sel AND NOT 1 OF filter_*", "sel and not 1 of filter_*"),
    ],
)
def test_operators_of_other_languages_are_translated(
    tmp_path: Path, condition: str, written: str
) -> None:
    """The problem has the condition as Sigma writes it."""
    (found,) = of_detection(tmp_path, TWO.format(f"'{condition}'"))
    assert found.startswith("x.yml:7:14: condition: ")
    assert found.endswith(f"Sigma joins selections with and, or, not; write {written}")
    assert of_detection(tmp_path, TWO.format(f"'{written}'")) == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("sel AND filter_onw", "'AND' at character 5 is unexpected"),
        ("sel and filter_onw", "there is no selection 'filter_onw'; did you mean 'filter_own'?"),
        ("sel and (filter_own", "a parenthesis is missing"),
        ("sel | count() > 5", "a condition counts nothing; write a correlation with a timespan"),
        ("selection", "there is no selection 'selection'; use one of sel, filter_own"),
    ],
)
def test_no_condition_is_invented(tmp_path: Path, condition: str, said: str) -> None:
    """What is no condition after a translation either is explained as it stands."""
    (found,) = of_detection(tmp_path, TWO.format(f"'{condition}'"))
    assert said in found


@given(st.text("ab &|!ANDORNOTandornot()", max_size=30))
def test_a_condition_is_refused_or_understood(text: str) -> None:
    """Whatever stands there, the hint is one that parses."""
    from clawback.rules.source.errors import Problems
    from clawback.rules.source.reading import Reading
    from clawback.rules.source.sigma import read_detection
    from clawback.rules.source.yaml_reader import read_documents

    def read(condition: str) -> list[str]:
        problems = Problems()
        text = yaml.safe_dump(
            {"detection": {"a": {"subject": "x"}, "b": {"from": "z"}, "condition": condition}},
            width=1000,
        )
        (document,) = read_documents("x.yml", text.encode(), problems)
        if not list(problems):
            read_detection(Reading(document, EventKind.MESSAGE, {}, problems), "detection")
        return [str(one) for one in problems]

    for said in read(text):
        if (found := re.search(r"with and, or, not; write (.*)$", said)) is not None:
            assert read(found[1]) == []


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("spf", "write validation.spf (SPF result)"),
        ("dkim", "write validation.dkim"),
        ("dmarc_result", "write validation.dmarc"),
        ("auth", "write validation.spf (SPF result), validation.dkim"),
        ("sender", "write from (Sender in the From header), envelope_from"),
        ("recipient", "write client_recipients (Recipients in the protected mailboxes), to ("),
        ("attachment", "write detections.attachments.filename"),
        ("attachement", "write detections.attachments.filename"),
        ("body", "the API has no body of a message"),
        ("email.body.html", "the API has no body of a message"),
        ("email.subject", "write subject"),
        ("verdict", "write final_disposition"),
        ("url", "write detections.links.href"),
        ("links.href", "in this category it is detections.links.href"),
        ("from_domian", "did you mean 'from_domain'?"),
        ("subjct", "did you mean 'subject'?"),
        ("Subject", "did you mean 'subject'?"),
        ("reply-to", "did you mean 'replyto'?"),
        ("sent", "did you mean 'sent_at' or 'sent_delay'?"),
        ("favourite_colour", "a message has id, "),
    ],
)
def test_a_name_of_other_products_leads_to_the_field(tmp_path: Path, field: str, said: str) -> None:
    """A typo is corrected, and another word for a field is translated."""
    (found,) = of_detection(tmp_path, f"sel: {{{field}: a}}\ncondition: sel")
    assert found.startswith(f"x.yml:5:9: unknown-field: {field!r} a message has no such field; ")
    assert said in found


def test_every_hint_names_fields_that_exist() -> None:
    """For each kind of event, under the name that the field has there."""
    words = {*field_hints._CHOICES, *field_hints._BY_NAME}
    for kind in EventKind:
        for word in words - FIELDS[kind].keys():
            remedy = field_remedy(kind, word)
            written = re.findall(r"(?:write |, | or )([a-z][a-z_.0-9]+) \(", remedy)
            written += re.findall(r"did you mean '([^']+)'|in this category it is (\S+)", remedy)
            names = [name for one in written for name in ([one] if isinstance(one, str) else one)]
            assert [name for name in names if name and name not in FIELDS[kind]] == [], remedy


def test_a_field_of_a_test_is_written_as_it_is_nested(tmp_path: Path) -> None:
    """A record has objects where a condition has dots."""
    rule = PLAIN.replace("event: {from: a@x.test}", "event: {spf: pass}")
    (found,) = problems(tmp_path, {"a_rule.yml": rule})
    assert "write validation: {spf: …} (SPF result)" in found


@pytest.mark.parametrize(
    ("modifier", "said"),
    [
        ("equals", "leave it out: subject: value compares the whole value, in any case"),
        ("is", "leave it out: subject: value"),
        ("regex", "write subject|re: 'pattern'"),
        ("like", "leave it out: subject: 'pay*' takes the wildcards * and ?"),
        ("in", "leave it out and write a list: subject: [a, b]"),
        ("not", "write subject|neq: value"),
        ("!=", "write subject|neq: value"),
        ("starts_with", "did you mean 'startswith'?"),
        ("Contains", "did you mean 'contains'?"),
        ("contians", "did you mean 'contains'?"),
        ("xyz", "use one of "),
    ],
)
def test_a_modifier_of_other_languages_leads_to_sigmas(
    tmp_path: Path, modifier: str, said: str
) -> None:
    """With the line to write."""
    (found,) = of_detection(tmp_path, f"sel: {{subject|{modifier}: x}}\ncondition: sel")
    assert f"modifier: {modifier!r} there is no such modifier; {said}" in found


def test_what_a_modifier_hint_writes_can_be_loaded(tmp_path: Path) -> None:
    """Each line that a hint shows is right for a field of some type."""
    fields = ("subject", "x_originating_ip", "detections.attachments.size")
    shown = re.compile(r"\{0\}[^ :]*: (?:'[^']*'|\[[^\]]*\]|[^\s,;}]+)")
    lines = [one for hint in modifier_hints._HINTS.values() for one in shown.findall(hint)]
    assert len(lines) > 20
    for line in lines:
        written = line.replace("other_field", "subject").replace(": value", ": a")
        if not any(is_loaded(tmp_path, written.format(field)) for field in fields):
            pytest.fail(line)


def is_loaded(folder: Path, entry: str) -> bool:
    """Whether an entry of a selection loads."""
    files = {
        "lists/name.yml": "values: [a]\n",
        "x.yml": block(f"sel: {{{entry}}}\ncondition: sel"),
    }
    return problems(folder, files) == []


def test_every_action_has_an_example_that_loads() -> None:
    """And so has every word that stands for one elsewhere."""
    assert EXAMPLES.keys() == ACTIONS.keys()
    for word in (*EXAMPLES, "quarantine", "delete", "block", "junk", "purge", "restore", "alert"):
        example = EXAMPLES.get(word) or find_example(word)
        assert example is not None
        ((name, parameters),) = yaml.safe_load(example).items()
        assert parse_action(name, parameters).name == name


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (
            "quarantine: {}",
            "12:7: action: 'quarantine' is no action; write move: {destination: Rec",
        ),
        ("delete: {}", "'delete' is no action; write move: {destination: DeletedItems}"),
        ("block: {sender: x}", "'block' is no action; write block_sender: {pattern: '{from}', "),
        ("mvoe: {}", "'mvoe' is no action; did you mean 'move'?"),
        ("move: JunkEmail", "takes a mapping of destination; write move: {destination: JunkEmail}"),
        ("move: {destination: Junk}", "12:27: action: 'Junk' response.actions.0.move.destination"),
        ("move: {destination: Inbox, folder: x}", "12:34: action: 'folder' there is no such key"),
        ("block_sender: {pattern: a@x.test, expires_after: 60min}", "12:56: action: '60min' "),
    ],
)
def test_a_wrong_action_is_shown_as_it_is_written(tmp_path: Path, action: str, said: str) -> None:
    """At the place of the key or value that is wrong."""
    rule = PLAIN.replace("move: {destination: JunkEmail}", action)
    (found,) = problems(tmp_path, {"a_rule.yml": rule})
    assert f"a_rule.yml:{said}" in found or said in found


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("conditions: sel", "the condition belongs below detection: "),
        ("respond: {}", "did you mean 'response'?"),
        ("action: move", "write response: {mode: shadow, actions: [{move: "),
        ("move: {}", "an action belongs below response: actions: [{move: "),
        ("mode: enforce", "it belongs below response"),
        ("limits: {}", "it belongs below response"),
        ("category: message", "it belongs below logsource"),
        ("severity: high", "write level: high"),
        ("timeframe: 1h", "write a correlation with a timespan"),
        ("Title: b", "did you mean 'title'?"),
    ],
)
def test_a_key_in_the_wrong_place_is_led_to_the_right_one(
    tmp_path: Path, key: str, said: str
) -> None:
    """Keys of other products too."""
    (found,) = problems(tmp_path, {"a_rule.yml": PLAIN.replace("tests:", f"{key}\ntests:")})
    assert found.startswith(f"a_rule.yml:13:1: unknown-key: {key.partition(':')[0]!r} there is no")
    assert said in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gte: 2", "min: 2", "a threshold is one comparison; write condition: {gte: 3}"),
        ("gte: 2", "gte: 2, lte: 5", "a threshold is one comparison; write condition: {gte: 3}"),
        (
            "{gte: 2}",
            "'> 2'",
            "event_count needs a threshold, not a text; write condition: {gte: 3}",
        ),
        ("gte: 2", "gte: two", "two is not a count; write a whole number of at least 1"),
        ("gte: 2", "gte: true", "True is not a count; write a whole number of at least 1"),
        ("rules: [a_block], ", "", "it names no rules of which matches count; write rules: [name"),
        ("60m", "60min", "'60min' is not a duration: write 60m"),
    ],
)
def test_a_wrong_threshold_is_shown_as_it_is_written(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """In Sigma's words, not in those of its parser."""
    text = CORRELATION.format(body=COUNT.replace("1h", "60m").replace(old, new))
    (found,) = problems(tmp_path, {"a.yml": BLOCK, "many.yml": text})
    assert found.startswith("many.yml:3:")
    assert said in found


def test_hints_for_rules_are_none_for_other_files(tmp_path: Path) -> None:
    """A key of safety.yml that sounds like one of a rule is not led astray."""
    (found,) = problems(tmp_path, {"safety.yml": "exceptions: []\n"})
    assert "use one of never_block" in found


def test_a_slip_in_condition_is_corrected(tmp_path: Path) -> None:
    """It is not taken for a selection."""
    (found,) = of_detection(tmp_path, "sel: {subject: a}\nconditions: sel")
    assert found == "x.yml:6:3: detection: 'conditions' no selection; did you mean 'condition'?"


def test_a_wrong_selection_does_not_hide_a_wrong_condition(tmp_path: Path) -> None:
    """Both are fixed in one round."""
    found = of_detection(tmp_path, "sel: {form: a}\ncondition: sel AND other")
    assert [line.split(" ")[1] for line in found] == ["unknown-field:", "condition:"]


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("form", ["from", "to"], "from"),
        ("From-Name", ["from_name", "from"], "from_name"),
        ("sender", ["sent_at", "subject"], ""),
        ("is", ["i", "m"], ""),
        ("to", ["i", "do", "so"], ""),
        ("cat", ["car", "can"], ""),
        ("desc", ["description", "date"], "description"),
        ("x" * 5000, ["x"], ""),
    ],
)
def test_only_what_is_near_is_suggested(word: str, known: list[str], found: str) -> None:
    """A wrong guess misleads more than none."""
    assert nearest(word, known) == found


def test_words_that_are_as_near_are_all_suggested() -> None:
    """The author knows which one was meant."""
    assert did_you_mean("cat", ["car", "can", "dog"]) == "did you mean 'car' or 'can'?"
    assert did_you_mean("elephant", ["car", "dog"]) == "use one of car, dog"


@given(st.text("abc_-D", min_size=3, max_size=12))
def test_a_known_word_is_its_own_nearest(word: str) -> None:
    """Whatever else is known, other than words that differ in case or dashes only."""
    others = ["subject", "from_name", "validation.spf"]
    if word.strip("-_"):
        assert find_near(word, [*others, word]) == (word,)
