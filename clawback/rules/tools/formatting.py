"""Formats rule files: the layout of their YAML, if the loader reads the same before and after."""

from typing import Any

from clawback.rules.source.errors import Problems
from clawback.rules.source.yaml_layout import CannotFormat, format_yaml
from clawback.rules.source.yaml_reader import read_documents


def format_rule_file(name: str, raw: bytes) -> bytes:
    """Format the content of a rule file. What is formatted stays as it is.

    Raises:
        CannotFormat: it is not UTF-8 or YAML, or its meaning would change.

    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise CannotFormat("not UTF-8 text") from None

    result = format_yaml(text).encode()
    if _read(name, result) != _read(name, raw):
        raise CannotFormat("the loader would read it differently")
    return result


def _read(name: str, raw: bytes) -> list[Any]:
    problems = Problems()
    documents = [document.data for document in read_documents(name, raw, problems)]
    return [documents, len(problems)]
