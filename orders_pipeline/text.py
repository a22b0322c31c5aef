"""Texts of others, keys and values and errors, as they may be shown to people."""


def printable(text: str) -> str:
    """The text with escapes for what would break a line, turn its direction, or be obeyed by a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
