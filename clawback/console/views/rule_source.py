"""The source of a rule as coloured tokens: a class of the stylesheet and a text, nothing marked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pygments.lexers.data import YamlLexer
from pygments.token import Comment, Keyword, Literal, Name, Number, Punctuation, String, _TokenType

from clawback.console.views.mail_text import show_rule_text

_CLASSES: Final[tuple[tuple[_TokenType, str], ...]] = (
    (Comment, "tok-comment"),
    (Name.Tag, "tok-key"),
    (Number, "tok-value"),
    (String, "tok-text"),
    (Literal, "tok-text"),
    (Keyword, "tok-value"),
    (Name, "tok-value"),
    (Punctuation, "tok-mark"),
)


@dataclass(frozen=True)
class Token:
    """One piece of a line."""

    kind: str
    text: str


@dataclass(frozen=True)
class SourceLine:
    """One line with its number in the file."""

    number: str
    tokens: tuple[Token, ...]


def highlight(lines: Iterable[str], first: int) -> tuple[SourceLine, ...]:
    """Colour YAML; the result has exactly the lines that it was given."""
    found: list[list[Token]] = [[]]
    for kind, text in YamlLexer(stripnl=False, ensurenl=False).get_tokens("\n".join(lines)):
        for number, piece in enumerate(text.split("\n")):
            if number:
                found.append([])
            if piece:
                found[-1].append(Token(_class_of(kind), show_rule_text(piece)))
    return tuple(_numbered(found, first))


def _numbered(lines: Iterable[list[Token]], first: int) -> Iterator[SourceLine]:
    for number, tokens in enumerate(lines, first):
        yield SourceLine(str(number), tuple(tokens))


def _class_of(kind: _TokenType) -> str:
    return next((name for token, name in _CLASSES if kind in token), "")
