"""Reads the code examples of the pages, for the tests and for the generator.

The words after the language of a fence say what the example is: `yaml rule`, `yaml list NAME`. A
`yaml wrong FILE` example is followed by a `text` block with the errors that it produces.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from docs.tables import DOCS

RULE_PAGES = sorted((DOCS / "rules").glob("*.md"))
SHIPPED_RULES = DOCS.parent / "rules"

_FENCE = re.compile(r"^```([\w-]+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WRONG = re.compile(
    r"(?P<example>^```yaml wrong (?P<file>\S+)\n(?P<text>.*?)^```\n```text\n).*?(?P<end>^```$)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A fenced block: where it is, its language, its marks, its text and the block after it."""

    page: Path
    line: int
    language: str
    marks: tuple[str, ...]
    text: str
    following: str = ""

    @property
    def kind(self) -> str:
        """The first mark, such as `rule` or `wrong`; empty if there is none."""
        return self.marks[0] if self.marks else ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def read_examples(pages: Iterable[Path]) -> Iterator[Example]:
    """Yield every fenced block of some pages, in order."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        found = list(_FENCE.finditer(text))
        for one, following in zip_longest(found, found[1:]):
            yield Example(
                page=page,
                line=text.count("\n", 0, one.start()) + 1,
                language=one[1],
                marks=tuple(one[2].split()),
                text=one[3],
                following=following[3] if following and following[1] == "text" else "",
            )


def prepare_folder(folder: Path) -> Path:
    """Fill a folder for the examples: an empty safety.yml, the lists of rules/ and of the pages."""
    shutil.copytree(SHIPPED_RULES / "lists", folder / "lists")
    (folder / "safety.yml").write_text("{}\n", encoding="utf-8")
    for example in read_examples(RULE_PAGES):
        if example.kind == "list":
            (folder / "lists" / f"{example.marks[1]}.yml").write_text(example.text, "utf-8")
    return folder


def errors_of(folder: Path, name: str, text: str) -> list[str]:
    """Write an example into a prepared folder and return its problems, one line each."""
    (folder / name).write_text(text, encoding="utf-8")
    return [str(problem) for problem in review_rules(read_folder(folder))]


def fill_errors(page: str, folder: Path) -> str:
    """Return the text of a page with the current errors below each wrong example.

    `folder` is a prepared folder; each example is removed from it again.
    """

    def fill(found: re.Match[str]) -> str:
        errors = errors_of(folder, found["file"], found["text"])
        (folder / found["file"]).unlink()
        lines = "".join(f"{error}\n" for error in errors)
        return f"{found['example']}{lines}{found['end']}"

    return _WRONG.sub(fill, page)
