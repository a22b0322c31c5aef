"""Ids that occur more than once, found by their 64-bit hashes. The hashes are compared in shares that fit in memory."""

from collections.abc import Iterator

import polars as pl


def shares(hashes: pl.Expr, count: int, at_once: int) -> Iterator[pl.Expr]:
    """Conditions that split rows into shares. Equal hashes are in the same share.

    Args:
        hashes: the column of hashes.
        count: the number of rows.
        at_once: about how many rows a share has.
    """
    number = 1 + count // at_once
    return (hashes % number == remainder for remainder in range(number))


def repeated(hashes: pl.Series) -> pl.Series:
    """The values that occur more than once, each once."""
    ordered = hashes.sort()
    return ordered.filter(ordered == ordered.shift()).unique()
