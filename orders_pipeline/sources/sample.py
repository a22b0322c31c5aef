"""The beginning of a file, read without knowing how its sender writes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """What the first bytes of a file seem to be. Guesses: landing decides nothing by them.

    Attributes:
        format: `csv`, `json` or `parquet`.
        names: of the columns, as the file has them; of nested JSON objects, joined by dots.
        rows: the first few rows, a text for each column; none of Parquet.
        encoding: Python's name, if it is not UTF-8.
        delimiter: of CSV.
        skip_lines: lines before the header of CSV that are neither blank nor for Excel.
        json_records: the path of the array of orders, if it is not the whole file.
    """

    format: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    skip_lines: int = 0
    json_records: str | None = None
