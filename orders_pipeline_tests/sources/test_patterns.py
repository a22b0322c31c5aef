"""Patterns of keys, against a plain search over short keys."""

import re
from itertools import product

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import create_engine

from orders_pipeline.sources import patterns

SHORT = ["".join(letters) for length in range(5) for letters in product("ab", repeat=length)]
PATTERNS = st.text("ab*", max_size=4)


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("landing/acme/*", "landing/acme/2026/03/a.csv", True),
        ("landing/acme/*", "landing/acme", False),
        ("landing/*.csv", "landing/x/y.csv", True),
        ("landing/*.csv", "landing/x/y.csv.gz", False),
        ("a.csv", "abcsv", False),  # a dot is a dot
        ("100%_[x]*", "100%_[x]\n.csv", True),
    ],
)
def test_a_star_stands_for_anything_and_all_else_for_itself(pattern: str, key: str, fits: bool) -> None:
    assert patterns.matches(pattern, key) is fits


@given(one=PATTERNS, other=PATTERNS)
def test_two_patterns_tie_exactly_if_some_key_fits_both(one: str, other: str) -> None:
    # Patterns of up to four characters that share a key share one of at most eight; four letters and the empty key
    # between stars show it here.
    shared = [key for key in SHORT if patterns.matches(one, key) and patterns.matches(other, key)]

    if shared:
        assert patterns.can_share_a_key(one, other)
    if patterns.can_share_a_key(one, other):
        longer = ["".join(letters) for letters in product("ab", repeat=6)]
        assert shared or any(patterns.matches(one, key) and patterns.matches(other, key) for key in longer)


def test_postgres_and_python_agree_on_which_keys_fit(database_url: str) -> None:
    keys = ["a", "ab", "a_b", "a%b", r"a\b", "a*b", "A", "", "a\nb"]
    given_patterns = ["*", "a*", "a_b", "a%b", r"a\b", "a*b", "*b", ""]
    with create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://")).connect() as connection:
        for pattern, key in product(given_patterns, keys):
            fits = sa.literal(key).like(sa.literal(patterns.like(pattern)), escape="\\")
            assert connection.execute(sa.select(fits)).scalar_one() is patterns.matches(pattern, key), (pattern, key)


def test_a_pattern_of_many_stars_is_matched_at_once() -> None:
    assert not patterns.matches("*a" * 40 + "*b", "a" * 500)
    assert patterns.matches("*a" * 40 + "*b", "a" * 500 + "b")


@given(pattern=PATTERNS, key=st.text("ab", max_size=6))
def test_a_pattern_is_matched_as_a_regular_expression_would(pattern: str, key: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))

    assert patterns.matches(pattern, key) == (re.fullmatch(expression, key, re.DOTALL) is not None)
