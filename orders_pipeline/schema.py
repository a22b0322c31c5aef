"""Columns, types, reasons and code versions: each is defined here once."""

from dataclasses import dataclass
from typing import Final

import narwhals as nw

MONEY: Final = nw.Decimal(18, 2)


@dataclass(frozen=True)
class Column:
    """A column as users and the Dagster UI see it. `rules`: constraints on its values. `default`: in Postgres, if a
    release that does not know the column writes a row."""

    name: str
    type: str
    description: str
    nullable: bool = False
    rules: tuple[str, ...] = ()
    default: str | None = None


# The columns of an order in files and in the source table. Other columns are not used.
REQUIRED_COLUMNS: Final = ("order_id", "customer_id", "amount", "order_date")
ORDER_COLUMNS: Final = (*REQUIRED_COLUMNS, "updated_at")
ID_COLUMNS: Final = ("order_id", "customer_id")

# Where a raw row comes from. The leading underscore separates these from the columns of files.
SOURCE: Final = "_source"  # key of the landed file, or `table:orders/YYYY-MM-DD`
TABLE_PREFIX: Final = "table:orders/"  # of the keys of the days of the source table
ROW_NUMBER: Final = "_row_number"  # line of the file where the row begins; row of a Parquet file or table day
LANDED_AT: Final = "_landed_at"  # when the file's bytes landed, UTC: equal bytes that land again keep it
PROBLEM: Final = "_problem"  # reason why the row could not be split into columns at all
TEXT: Final = "_text"  # the row as text where PROBLEM is set

# The results of `validation`, stored once, when the file lands. Their values are null for a row that is no version.
REASON: Final = "_reason"  # why the row is rejected, null for any other
ROWS: Final = "_rows"  # how many rejects a row stands for
OUTCOME: Final = "_outcome"  # what became of the row, one of OUTCOMES
CURRENCY: Final = "_currency"  # of the amount, where the source says it
AMOUNT: Final = "_amount"
ORDER_DATE: Final = "_order_date"  # wall clock of the business day's time zone
UPDATED_AT: Final = "_updated_at"  # UTC
DAY: Final = "_day"  # business day
VALIDATION_COLUMNS: Final = (REASON, OUTCOME, AMOUNT, CURRENCY, ORDER_DATE, UPDATED_AT, DAY)

# What becomes of a row.
COUNTS: Final = "counts"
VOID: Final = "void"
MERGED: Final = "merged"
BLANK: Final = "blank"
REJECTED: Final = "rejected"
OUTCOMES: Final = {
    COUNTS: "an order, or an earlier version of one",
    VOID: "takes part as a version of its order, and if it is the latest, there is no such order: a row that deletes,"
    " or that its source drops",
    MERGED: "another line of an order whose lines are summed; the line that counts has the sum",
    BLANK: "no line, where lines are summed: it is empty, or has no amount and is beside another row of its order",
    REJECTED: "cannot be used; see `_reason`",
}

# Texts that mean "no value", in upper or lower case, with or without spaces around them.
NULL_TEXTS: Final = ("", "NULL", "N/A", "\\N")  # the last one is Postgres's, MySQL's and Snowflake's

# What programs write if an id has no value: pandas, numpy, Python, JavaScript, Go, Ruby and database tools. Matched
# also in lower and upper case. Orders that have the same such "id" are not the same order.
NO_IDS: Final = (
    *("NaN", "-NaN", "NaT", "<NA>", "None", "nil", "undefined", "inf", "-inf", "Infinity", "-Infinity"),
    *("<null>", "(null)", "[null]", "<nil>", "#N/A", "#NA", "#NV", "#YOK", "#GETTING_DATA"),
)
# Matched only as written here. R and pandas write `NA` for a missing value; `Na` may be a person's name.
NO_IDS_AS_WRITTEN: Final = ("NA", "[object Object]", "#HI\u00c1NYZIK", *(f"Err:{code}" for code in range(501, 541)))
# The error values of spreadsheets in any language (`#REF!`, `#\u00a1VALOR!`, `#DIV/0!`, `#NAME?`, `#N/D`), and a column
# too narrow for its value (`#####`). Does not match ids like `#1001` or `#A-17`.
ERROR_VALUE: Final = r"^#(?:#*|[^\s0-9a-z#/!?-]+(?:/0)?[!?]|[^\s0-9a-z#/!?-]{1,2}/[^\s0-9a-z#/!?-]!?)$"

NO_AMOUNT: Final = "amount_missing"
TOO_LONG: Final = "id_too_long"
LONGEST_ID: Final = 1_000  # characters, by default
MOST_REJECTS: Final = 10_000  # of a file that are listed one by one

# Why a row is rejected; the first match wins. The codes never change: users count and search by them.
REASONS: Final = {
    "field_count": "the row has more or fewer fields than the header, or a JSON object more than 1,000 fields or a"
    " name of more than 500 characters",
    "not_utf8": "the row has bytes that are not UTF-8, or none of the encoding that its source declares",
    "json_unreadable": "the line is not valid JSON",
    "not_an_object": "the line is JSON, but not an object",
    "key_twice": "the JSON object has a key twice, or two keys for one column of an order",
    "nested_value": "a column of the order holds a list or an object",
    TOO_LONG: "an id has more characters than ORDERS_MAX_ID_CHARS",
    "nul_character": "an id contains the character U+0000, which Postgres cannot store",
    "order_id_missing": "no order_id",
    "customer_id_missing": "no customer_id",
    NO_AMOUNT: "no amount",
    "order_date_missing": "no order_date",
    "order_date_unclear": "order_date fits several of the formats that its source declares, with different results",
    "currency_unclear": "the amount is in minor units, and the row's currency is no code like EUR",
    "amount_not_decimal": "amount is not a plain number with at most 16 digits and 2 decimals, or not written as its"
    " source declares",
    "order_date_unreadable": "order_date is not a date or time like 2026-03-05 or 2026-03-05T14:30:00+01:00, or not"
    " written as its source declares",
    "currency_other": "the row's currency is not the one that its source declares",
    "updated_at_unreadable": "updated_at is not a date or time like 2026-03-05T14:30:00+01:00",
    "line_rejected": "another line of the order is rejected, and its source sums the lines of an order",
    "lines_differ": "the lines of the order have several customers, days or currencies, and its source sums them",
    "order_id_repeated": "the file has the order_id more than once, and its source refuses that",
}

# A file with enough rows is quarantined whole if more than half of them are rejected for one of these reasons: the file
# itself is wrong. Missing values are not among them, since real files have many.
UNREADABLE_REASONS: Final = (
    "field_count",
    "not_utf8",
    "json_unreadable",
    "not_an_object",
    "key_twice",
    "nested_value",
    "amount_not_decimal",
    "order_date_unreadable",
    "order_date_unclear",
)
UNREADABLE_FILE_ROWS: Final = 20

# The checks that record findings: the kinds of findings.
FINDING_KINDS: Final = (
    "landed_files_are_readable",
    "files_are_in_the_landing_zone",
    "every_source_delivered",
    "ids_look_intact",
    "amounts_are_in_one_currency",
    "lake_is_intact",
    "few_rows_are_rejected",
    "no_order_is_lost",
    "order_ids_are_unique",
    "no_order_replaces_another",
    "repeated_orders_agree",
    "summed_orders_are_whole",
    "no_negative_amounts",
    "yesterday_is_built",
    "revenue_reconciles",
    "revenue_is_plausible",
    "no_revenue_vanishes",
)

# Why a file is quarantined. These codes never change either. The message that goes with one has the details.
QUARANTINES: Final = {
    "column_missing": "a column of an order, or one that its source names, is missing; the message names it",
    "column_twice": "two columns are the same column of an order, both by its name or both by an alias; or the same one"
    " that its source names",
    "column_type": "a Parquet column of an order has a type that is no single value",
    "compressed_twice": "the file is compressed, and what is in it is too",
    "compression_broken": "the file is cut short, damaged, or has something after its compressed end",
    "csv_unreadable": "quotes are not closed, or something follows a closing quote",
    "date_not_in_key": "its key has no date, or several, where its source declares one",
    "delimiter_unclear": "the header can be read with more than one delimiter",
    "encoding_not_utf8": "the header is not UTF-8, or the file is UTF-16 or UTF-32",
    "encoding_other": "its header, its byte order mark or its text is of another encoding than its source declares",
    "expands_too_far": "it expands beyond ORDERS_MAX_EXPANDED_BYTES or ORDERS_MAX_EXPANSION_RATIO",
    "field_too_long": "a value is longer than ORDERS_MAX_FIELD_CHARS",
    "file_too_large": "it is larger than ORDERS_MAX_FILE_BYTES; it was not downloaded",
    "format_other": "it is of another format than its source declares",
    "format_unsupported": "it is another kind of file: a workbook, an archive, a web page, a log of changes that"
    " deletes, ...",
    "gave_up": "it failed every time for a reason that its bytes do not explain",
    "header_unreadable": "the quotes of the header do not match, or a column's name is far too long",
    "json_truncated": "the last line ends in the middle of a JSON object",
    "json_unreadable": "it is neither one object a line nor an array, or has no array where its source declares it",
    "lost": "its object is missing from the lake, and the file cannot be read from S3 again; days that depend on it"
    " keep their last published values",
    "mostly_unreadable": "more than half of its rows, of at least 20, cannot be read",
    "original_gone": "another declaration applies to it, and it cannot be read again, since it is gone from S3,"
    " archived or frozen; its rows count as they were read before",
    "parquet_unreadable": "it begins as Parquet and is cut short, damaged, at odds with its own counts of rows, or"
    " built to take too much memory",
    "row_too_long": "a row is far longer than its longest fields may be: a quote or a line end is missing",
    "too_many_cells": "its rows times its columns are more than ORDERS_MAX_CELLS",
    "too_many_columns": "it has more than 1,000 columns",
    "too_many_rows": "it has more rows than ORDERS_MAX_ROWS",
}

# Code versions: raise one when the meaning of the table changes. Its days (or files) are then rebuilt.
CODE_VERSIONS: Final = {
    "raw_orders": 3,
    "cleaned_orders": 2,
    "rejected_orders": 2,
    "daily_revenue": 2,
    "daily_orders": 2,
    "daily_revenue_partitioned": 1,
}

# The table that each built table reads. Tables that read raw_orders follow `order_days.version`.
UPSTREAM: Final = {
    "cleaned_orders": "raw_orders",
    "daily_orders": "raw_orders",
    "daily_revenue": "cleaned_orders",
    "daily_revenue_partitioned": "daily_orders",
}

# Tables with daily partitions. The other tables build all stale days.
PARTITIONED: Final = ("daily_orders", "daily_revenue_partitioned")

_FROM_ONE: Final = ("at least 1",)
_ZONE_OF_DAYS: Final = "in ORDERS_TIMEZONE"
_CURRENCY: Final = "in the currency of the source: nothing is converted"

CLEAN_COLUMNS: Final = (
    Column("order_id", "text", "The shop's id of the order, exactly as written."),
    Column("customer_id", "text", "The shop's id of the customer, exactly as written: leading zeros stay."),
    Column("amount", "decimal(18,2)", f"What the order is worth, {_CURRENCY}; negative for a return."),
    Column("order_date", "timestamp", f"When the order was placed, wall clock {_ZONE_OF_DAYS}."),
    Column(SOURCE, "text", "Key of the landed file, or day of the source table, that the order was taken from."),
    Column(ROW_NUMBER, "bigint", "Where in the file or table the row begins, 1-based.", rules=_FROM_ONE),
)

TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "raw_orders": (
        *(Column(name, "text", f"`{name}` exactly as it came.", nullable=True) for name in ORDER_COLUMNS),
        Column(SOURCE, "text", "Key of the landed file, or day of the source table."),
        Column(ROW_NUMBER, "bigint", "Where in the file or table the row begins, 1-based.", rules=_FROM_ONE),
        Column(LANDED_AT, "timestamptz", "When the file's bytes landed, UTC: LastModified of the first upload."),
        Column(PROBLEM, "text", "Why the row could not be split into columns.", nullable=True),
        Column(TEXT, "text", "The row as CSV text, of a reject.", nullable=True),
        Column(REASON, "text", "Why the row is rejected; null for any other.", nullable=True),
        Column(OUTCOME, "text", "What became of the row.", rules=(f"one of {', '.join(OUTCOMES)}",)),
        Column(
            AMOUNT,
            "decimal(18,2)",
            f"The amount of a clean row (of summed lines: their sum), {_CURRENCY}.",
            nullable=True,
        ),
        Column(CURRENCY, "text", "Currency of the amount, where a column or its source says it.", nullable=True),
        Column(ORDER_DATE, "timestamp", f"The order_date of a clean row, wall clock {_ZONE_OF_DAYS}.", nullable=True),
        Column(UPDATED_AT, "timestamptz", "The updated_at of a clean or void row that has one, UTC.", nullable=True),
        Column(DAY, "date", f"Business day of a clean row, {_ZONE_OF_DAYS}.", nullable=True),
    ),
    "cleaned_orders": CLEAN_COLUMNS,
    "daily_orders": CLEAN_COLUMNS,
    "rejected_orders": (
        Column("source", "text", "Key of the landed file, or day of the source table."),
        Column("row_number", "bigint", "Where in the file or table the row begins, 1-based.", rules=_FROM_ONE),
        Column("reason", "text", "Why it was rejected: a fixed code.", rules=(f"one of {', '.join(REASONS)}",)),
        Column("raw", "text", "The row as CSV text; cut where it is long. May hold personal data."),
        Column("bucket", "text", "S3 bucket of the file; empty for the source table."),
        Column(
            "rows",
            "bigint",
            f"How many rejects it stands for. 1; beyond the first {MOST_REJECTS:,} of a file, all further ones of a"
            " reason are one row, with the number of the first of them.",
            rules=_FROM_ONE,
            default="1",
        ),
    ),
    "daily_revenue": (
        Column("order_date", "date", f"Business day {_ZONE_OF_DAYS}; a day without orders has no row."),
        Column("revenue", "numeric(38,2)", f"Sum of the day's amounts, {_CURRENCY}; returns are taken off."),
        Column("order_count", "bigint", "Orders of the day.", rules=_FROM_ONE),
    ),
    "daily_revenue_partitioned": (
        Column("order_date", "date", f"Business day {_ZONE_OF_DAYS}."),
        Column("customer_id", "text", "The shop's id of the customer, exactly as written."),
        Column("daily_spend", "numeric(38,2)", f"Sum of the customer's amounts that day, {_CURRENCY}."),
    ),
}

# The columns that identify a row of a table. No index in Postgres enforces it; the locks of the ledger do.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "cleaned_orders": ("order_id",),
    "daily_orders": ("order_id",),
    "rejected_orders": ("bucket", "source", "row_number"),
    "daily_revenue": ("order_date",),
    "daily_revenue_partitioned": ("order_date", "customer_id"),
}
