"""Texts from outside: bounded for histories and records, printable for terminals."""


def printable(text: str, *, keep: str = "", replacement: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Replace control and invisible characters, which could steer a terminal; except `keep`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else replacement for char in text)


def bounded(text: str, limit: int = 300) -> str:
    """Cut a text to at most `limit` characters; a cut text ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
