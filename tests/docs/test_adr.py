"""docs/adr/ has one record per number, without gaps, and an index of all of them."""

import re

from docs.tables import DOCS

RECORDS = sorted((DOCS / "adr").glob("0*.md"))


def test_the_numbers_have_no_gaps() -> None:
    """They start at 1, and each follows the one before."""
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_title_has_the_number_of_the_file() -> None:
    """A renumbered file keeps no old number in its title."""
    for record in RECORDS:
        title = record.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {int(record.name[:4])}. ")


def test_the_index_has_every_title() -> None:
    """Each row links a file and repeats its title."""
    index = (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
    for record in RECORDS:
        title = re.sub(r"^# \d+\. ", "", record.read_text(encoding="utf-8").splitlines()[0])
        assert f"| [{record.name[:4]}]({record.name}) | {title} |" in index
