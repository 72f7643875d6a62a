"""Texts from outside: bounded before they go into a history, printable before they reach a terminal."""


def printable(text: str) -> str:
    """Replace every character that could steer a terminal by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "�" for char in text)


def bounded(text: str, limit: int = 300) -> str:
    """Cut a text to at most `limit` characters; a cut text ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
