# ruff: noqa: RUF001 - texts of other scripts
r"""`\b`, `\w`, `\d` and `\s` of regular expressions know all scripts, or the author is told."""

from pathlib import Path
from time import process_time

import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clawback.rules.engine.predicates import match_any_regex
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.unicode_regex import translate
from tests.rules.folders import block, is_match, load, message, responding, write
from tests.rules.reference_regex import finds


def found(expression: str, text: str) -> bool:
    """Whether the engine finds an expression."""
    return match_any_regex([expression])(text) is not None


@pytest.mark.parametrize(
    ("expression", "text", "is_found"),
    [
        (r"\bсчёт\b", "ваш счёт!", True),
        (r"\bсчёт\b", "счёт", True),
        (r"\bсчёт\b", "подсчёты", False),
        (r"\bpay\b", "épay", False),
        (r"\bpay\b", "¡pay!", True),
        (r"\bact\b.{0,30}\bnow\b", "act, naïve, now", True),
        (r"\bact\b.{0,3}\bnow\b", "act, naïve, now", False),
        (r"\bact\b.*\bnow\b", "acté now", False),
        (r"(?i)\b(foo|bär) ?(care|team)?s?\b", "x BÄR é", True),
        (r"(?i)\b(foo|bär) ?(care|team)?s?\b", "xBÄR", False),
        (r"\Béa", "xéa", True),
        (r"\Béa", "-éa", False),
        (r"(?m)^\bé", "-\né", True),
        (r"\b", "é", True),
        (r"\b", "…", False),
        (r"^\w+$", "naïve", True),
        (r"^\w+$", "na\u0308ive", True),
        (r"^\W+$", "…¿", True),
        (r"^\W+$", "é", False),
        (r"^[\w-]+$", "größe-é", True),
        (r"^[\W_]+$", "…_", True),
        (r"[^\W\d]", "3é", True),
        (r"[^\W\d]", "3…", False),
        (r"^\d{2}$", "٣٤", True),
        (r"^\D$", "٣", False),
        (r"^[^\D]$", "٣", True),
        (r"a\sb", "a\u00a0b", True),
        (r"a[\s,]b", "a\u2003b", True),
        (r"a\Sb", "a\u00a0b", False),
        (r"a[\S]b", "aéb", True),
        (r"(?i)straße", "STRAẞE", True),
        (r"(?i)\bstraße\b", "die STRAẞE.", True),
        (r"(?i)straße", "STRASSE é", False),
        (r"(?i)\bi\b", "İ", False),
        (r"[[:alpha:]]", "é", False),
        (r"\Q\b\E", "é\\b", True),
    ],
)
def test_classes_and_boundaries_know_all_scripts(
    expression: str, text: str, *, is_found: bool
) -> None:
    """As in Unicode, with or without case, in classes and beside each other."""
    assert found(expression, text) is is_found
    assert not translate(expression).keeps_ascii


def test_a_rule_finds_a_word_of_another_script(tmp_path: Path) -> None:
    """From the file of the rule to the match."""
    rule = responding("sel: {subject|re|i: '\\bсчёт\\b'}\ncondition: sel")
    rules = load(tmp_path, {"a_rule.yml": rule})
    assert is_match(rules, message(subject="Ваш СЧЁТ на оплату"))
    assert not is_match(rules, message(subject="Подсчёт"))


PIECES = st.sampled_from(
    [
        *("a", "b", " ", "-", "_", "é", "É", "щ", "٣", "…", "\u00a0", "."),
        *(r"\b", r"\B", r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", "^", "$"),
        *(r"[\w-]", r"[\W_]", r"[^\w]", r"[^a\s]", r"[ab\d]", "[é-]", "[^é]", r"[\D]"),
    ]
)
EXPRESSIONS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from("?*+")).map(lambda two: f"(?:{two[0]}){two[1]}"),
        inner.map(lambda one: f"({one})"),
        PIECES.filter(lambda one: one[-1] not in "bB^$").map(lambda one: f"{one}{{0,2}}"),
    ),
    max_leaves=7,
)


@settings(max_examples=120, deadline=None)
@given(
    EXPRESSIONS,
    st.sampled_from(["", "(?i)", "(?s)", "(?im)"]),
    st.text("ab -_éÉщ٣…\u00a0\n", max_size=6),
)
def test_the_translation_means_what_unicode_means(pattern: str, flags: str, text: str) -> None:
    """Compared with RE2 on a text in which other characters of ASCII stand for those of Unicode."""
    expression = flags + pattern
    expected = finds(expression, text)
    assume(expected is not None)
    assume(not translate(expression).keeps_ascii)
    assert found(expression, text) is expected, translate(expression).pattern


@settings(max_examples=150, deadline=None)
@given(st.text(r"ab\bBwWsSdD[]^-()|?*+{}1,.éQEpLx", max_size=14), st.text("abé -1", max_size=6))
def test_any_expression_is_translated_to_one_that_compiles(pattern: str, text: str) -> None:
    """And in ASCII it means what it meant."""
    options = re2.Options()
    options.log_errors = False
    try:
        expected = re2.compile(pattern, options).search(text) is not None
    except re2.error:
        return
    re2.compile(translate(pattern).pattern, options)
    assert not text.isascii() or found(pattern, text) is expected


def test_what_cannot_be_translated_is_a_warning(tmp_path: Path) -> None:
    """The author is told what to write, which then works."""
    write(tmp_path, {"x.yml": block(r"sel: {subject|re: '\b\p{Greek}+'}" + "\ncondition: sel")})
    (problem,) = review_rules(read_folder(tmp_path))
    assert "x.yml:5:21: suspicious-value: '\\\\b\\\\p{Greek}+' here \\b and \\B know the words" in (
        str(problem)
    )
    assert found(r"(?:^|[^\p{L}\p{N}])\p{Greek}+", "α")
    assert not found(r"(?:^|[^\p{L}\p{N}])\p{Greek}+", "éα")


def test_a_translation_stays_small_or_is_not_made() -> None:
    """Boundaries in what repeats and nests do not grow beyond bounds, nor take long."""
    expression = r"\b(a|é)?\b(b|c)?\b" * 12 + r"(\b\w+\b ?)*"
    before = process_time()
    translated = translate(expression)
    assert len(translated.pattern) < 50_000
    assert process_time() - before < 30
