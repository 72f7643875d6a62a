"""A condition on a text means what people read, not how it is encoded."""

from pathlib import Path

import pytest

from tests.rules.folders import PLAIN, is_match, load, message, problems

SAME = [
    "Réinitialisation de votre mot de passe",
    "RE\u0301INITIALISATION de votre mot de passe",
    "Réinitialisation de\u00a0votre mot de passe",
    "Réinitialisation de\r\n votre mot de passe",
    "Réinitialisation  de\tvotre mot de passe",
    "Ré\u200binitia\u00adlisation de votre mot de passe",
    "Ré\u202einitialisation\u202c de votre mot de passe",
    "\uff32éinitialisation de \uff56otre mot de passe",
    "Réinitialisation\ufe0f de votre mot de passe",
]


def _rule(selection: str) -> dict[str, str]:
    return {"a_rule.yml": PLAIN.replace("from: a@x.test}\n", selection + "}\n", 1)}


@pytest.mark.parametrize("subject", SAME, ids=range(len(SAME)))
@pytest.mark.parametrize(
    "selection",
    [
        "subject|contains: 'réinitialisation de votre'",
        "subject|contains: 're\u0301initialisation  de votre'",
        "subject|startswith: RÉINITIALISATION",
        "subject|endswith: 'mot de passe'",
        "subject: réinitialisation de votre mot de passe",
        "subject: 'réini* votre ?ot de passe'",
        "subject: [other, Réinitialisation de votre mot de passe]",
        "subject|fieldref: from_name",
    ],
)
def test_the_same_text_matches(tmp_path: Path, selection: str, subject: str) -> None:
    """Composition, blanks, width and invisible characters change nothing."""
    rules = load(tmp_path, _rule(selection))
    assert is_match(rules, message(subject=subject, from_name=SAME[0]))
    assert not is_match(rules, message(subject="Bonjour", from_name=SAME[0]))


@pytest.mark.parametrize(
    ("selection", "seen", "unseen"),
    [
        ("subject|contains|cased: 'Pay\\u200bPal'", "Pay\u200bPal", "PayPal"),
        ("subject|cased: 'a  b'", "a  b", "a b"),
        ("subject|re: 'a {2}b'", "a  b", "a b"),
        ("subject|re: 'e\\x{301}'", "e\u0301", "\u00e9"),
    ],
)
def test_cased_and_re_see_the_text_as_it_is(
    tmp_path: Path, selection: str, seen: str, unseen: str
) -> None:
    """Whoever looks for a trick sees it."""
    quoted = selection.replace("'Pay\\u200bPal'", '"Pay\\u200bPal"')
    rules = load(tmp_path, _rule(quoted))
    assert is_match(rules, message(subject=seen))
    assert not is_match(rules, message(subject=unseen))


@pytest.mark.parametrize("value", ["\\u200b", "pay\\u200bpal", "\\u2060\\u00ad", "\\ufe0f"])
def test_a_string_of_what_is_not_compared_is_refused(tmp_path: Path, value: str) -> None:
    """Without the invisible character, the rule would match what it does not mean."""
    (line,) = problems(tmp_path, _rule(f'subject|contains: "{value}"'))
    assert "invisible characters, which a comparison ignores; add cased, or use re" in line


@pytest.mark.parametrize("value", ["\\u26a0\\ufe0f", "\\U0001F468\\u200d\\U0001F469"])
def test_emoji_are_taken_with_their_joiners(tmp_path: Path, value: str) -> None:
    """A variation selector after an emoji is no trick, and may be missing in the mail."""
    rules = load(tmp_path, _rule(f'subject|contains: "{value}"'))
    text = value.encode().decode("unicode_escape")
    assert is_match(rules, message(subject=f"Look {text}"))
    assert is_match(rules, message(subject=f"Look {text.replace(chr(0xFE0F), '')}"))


def test_letters_of_another_script_find_domain_names(tmp_path: Path) -> None:
    """An address has A-labels, and a rule may name a part of what people see."""
    rules = load(tmp_path, _rule("from|contains: büch"))
    assert is_match(rules, message(from_="a@xn--bcher-kva.example"))
    assert is_match(rules, message(from_="a@Bücher.example"))
    assert not is_match(rules, message(from_="a@bucher.example"))


def test_a_list_of_international_domains_serves_suffixes(tmp_path: Path) -> None:
    """Names of a list are found as whole names and as ends of names."""
    files = _rule("from|expand|endswith: ['@%names%', '.%names%']") | {
        "lists/names.yml": "title: Names\ndescription: Some.\nvalues: [bücher.example]\n"
    }
    rules = load(tmp_path, files)
    assert is_match(rules, message(from_="a@xn--bcher-kva.example"))
    assert is_match(rules, message(from_="a@mail.BÜCHER.example"))
    assert not is_match(rules, message(from_="a@xbücher.example"))


def test_the_index_finds_the_same_texts(tmp_path: Path) -> None:
    """Many rules at once, whose texts are looked up together, see the same forms."""
    selections = [f"subject|contains: 'mot de passe{'' if n == 0 else n}'" for n in range(20)]
    plain = PLAIN.replace("6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11", "{id}")
    files = {
        f"rule_{n}.yml": plain.replace("from: a@x.test}\n", one + "}\n", 1)
        .replace("name: a_rule", f"name: rule_{n}")
        .replace("{id}", f"6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c{n:02}")
        for n, one in enumerate(selections)
    }
    rules = load(tmp_path, files)
    for subject in SAME:
        assert [one.plan.rule for one in rules.evaluate(message(subject=subject)).matches] == [
            "rule_0"
        ]
