"""Patterns of keys. `*` stands for any characters, slashes too; every other character stands for itself."""

import re
from itertools import product


def matches(pattern: str, key: str) -> bool:
    """Whether a whole key fits a pattern. In linear time for each star, however many there are."""
    first, *middle = pattern.split("*")
    if not middle:
        return key == pattern
    last = middle.pop()
    if len(key) < len(first) + len(last) or not (key.startswith(first) and key.endswith(last)):
        return False
    place, end = len(first), len(key) - len(last)
    for text in middle:  # the leftmost place leaves most room for what follows
        place = key.find(text, place, end)
        if place < 0:
            return False
        place += len(text)
    return True


def like(pattern: str) -> str:
    """The pattern for SQL's LIKE, with a backslash as its escape."""
    return re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%")


def literals(pattern: str) -> int:
    """How many characters of a key the pattern names. Of several patterns that fit a key, the one with most applies."""
    return len(pattern) - pattern.count("*")


def can_share_a_key(one: str, other: str) -> bool:
    """Whether some key fits both patterns."""
    # fits[i, j]: some text fits both one[i:] and other[j:].
    fits = {(len(one), len(other)): True}
    for i, j in product(range(len(one), -1, -1), range(len(other), -1, -1)):
        if (i, j) in fits:
            continue
        mine, theirs = one[i : i + 1], other[j : j + 1]
        fits[i, j] = (
            (mine == "*" and (fits[i + 1, j] or (theirs != "" and fits[i, j + 1])))
            or (theirs == "*" and (fits[i, j + 1] or (mine != "" and fits[i + 1, j])))
            or (mine == theirs != "" and fits[i + 1, j + 1])
        )
    return fits[0, 0]
