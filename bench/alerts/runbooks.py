"""The commands of the runbooks, which a bench runs while the alert of the page fires."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "runbooks"
_COMMAND = re.compile(r"^\$ clawback (.*?)\s*(?:#.*)?$", re.MULTILINE)
_WORD = re.compile(r"^[A-Z]{3,}$")


def read_commands(alert: str, section: str, words: Mapping[str, str]) -> list[list[str]]:
    """Return the commands of a section of the page of an alert, without `clawback`.

    Upper-case words stand for what the reader knows, and `words` give it. A command with a word
    that they do not give is for another cause of the alert, and left out.
    """
    page = (PAGES / f"{alert}.md").read_text(encoding="utf-8")
    text = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
    known = {"REASON": "bench", **words}
    found = [[known.get(word, word) for word in shlex.split(one)] for one in _COMMAND.findall(text)]
    return [one for one in found if not any(map(_WORD.match, one))]
