"""Validation: check and convert the values of each row. It happens once, when a file lands; the lake stores the result.

Frame in, frame out, without I/O and Dagster. The functions take any frame that narwhals reads (pandas, Polars eager or
lazy, ...) and return the same kind, with the same rows in the same order (`rejects`: some of them). They raise no error
for a bad value: its row becomes a reject, with a reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

import narwhals as nw

from orders_pipeline.schema import (
    AMOUNT,
    BLANK,
    COUNTS,
    CURRENCY,
    DAY,
    ERROR_VALUE,
    ID_COLUMNS,
    LANDED_AT,
    LONGEST_ID,
    MONEY,
    NO_AMOUNT,
    NO_IDS,
    NO_IDS_AS_WRITTEN,
    NULL_TEXTS,
    ORDER_COLUMNS,
    ORDER_DATE,
    OUTCOME,
    PROBLEM,
    REASON,
    REJECTED,
    REQUIRED_COLUMNS,
    ROW_NUMBER,
    ROWS,
    SOURCE,
    TEXT,
    TOO_LONG,
    UPDATED_AT,
    VALIDATION_COLUMNS,
    VOID,
)
from orders_pipeline.sources import conditions, values
from orders_pipeline.sources.dates import UNCLEAR
from orders_pipeline.sources.declaration import PLAIN, Source
from orders_pipeline.times import TIME, Frame, day_of, instant, read_time, wall_clock

AMOUNT_TEXT: Final = r"^[+-]?[0-9]{1,16}(?:\.[0-9]{1,2}0*)?$"

LONGEST_TEXT: Final = 2_000  # characters of a reject's text; a longer one is cut and ends in an ellipsis
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_MISSING: Final = [  # every spelling: cheaper than converting every text of every file to upper case
    "".join(letters) for text in NULL_TEXTS for letters in product(*({letter.lower(), letter} for letter in text))
]
_NO_ID: Final = [
    *_MISSING,
    *NO_IDS_AS_WRITTEN,
    *sorted({spelling for text in NO_IDS for spelling in (text, text.lower(), text.upper(), text.capitalize())}),
]


def validate(raw: Any, zone: str, source: Source = PLAIN, id_chars: int = LONGEST_ID) -> Any:
    """Raw rows with the results of their validation, and with the text of each reject as CSV.

    Args:
        raw: orders, with at least `schema.REQUIRED_COLUMNS`. Columns that are not text are cast to text.
        zone: the business day's time zone. An `order_date` with an offset is converted to it.
        source: how the sender writes.
        id_chars: the most characters of an id.

    Returns:
        The columns of `raw`, followed by `schema.VALIDATION_COLUMNS`.

    Raises:
        QuarantineError: the frame has no column that the source names.
    """
    columns = nw.from_native(raw).collect_schema().names()
    return with_text(validated(raw, zone, source, id_chars), columns).select(*columns, *VALIDATION_COLUMNS).to_native()


def rejects(raw: Any, zone: str = "UTC") -> Any:
    """The rows that validation refused.

    Args:
        raw: raw rows, validated or not.
        zone: the business day's time zone.

    Returns:
        `source` (key of the file), `row_number` (from 1), `reason` (a code of `schema.REASONS`), `raw` (the row as
        CSV, at most `LONGEST_TEXT` characters) and `rows` (how many rejects it stands for: 1, unless `raw` says it).
    """
    rejected = validated(raw, zone).filter(~nw.col(REASON).is_null())
    columns = nw.from_native(raw).collect_schema().names()
    return (
        with_text(rejected, columns)
        .select(
            source=nw.col(SOURCE),
            row_number=nw.col(ROW_NUMBER),
            reason=nw.col(REASON),
            raw=nw.col(TEXT).str.replace_all("\x00", "\N{SYMBOL FOR NULL}", literal=True),
            rows=nw.col(ROWS) if ROWS in columns else nw.lit(1, nw.Int64),
        )
        .to_native()
    )


def validated(raw: Any, zone: str, source: Source = PLAIN, id_chars: int = LONGEST_ID) -> Frame:
    """Raw rows with `schema.VALIDATION_COLUMNS`, and with defaults for missing columns, as a narwhals frame. Rows that
    already have these columns are returned as they are: they were validated when their file landed."""
    frame = _with_defaults(raw)
    names = frame.collect_schema().names()
    if REASON in names:
        return frame if OUTCOME in names else frame.with_columns(**{OUTCOME: _outcome()})
    rows = values.with_plain_texts(frame.with_columns(**{CURRENCY: conditions.currency(source, names)}), source)
    rows = rows.with_columns(**{REASON: _first(_reasons(rows, source, id_chars))}).with_columns(**{OUTCOME: _outcome()})
    rows = _with_void_rows(rows, names, source, id_chars)
    is_clean = nw.col(OUTCOME) == COUNTS
    has_rank = nw.col(REASON).is_null() & ~_is_missing("updated_at")
    if source.lines == "sum":
        rows, has_rank = _with_blank_rows(rows, names), has_rank & (nw.col(OUTCOME) != BLANK)
    rows = rows.with_columns(
        **{
            AMOUNT: nw.when(is_clean).then(values.text_of(source, "amount")).cast(MONEY),
            f"{ORDER_DATE}_text": nw.when(is_clean).then(values.text_of(source, "order_date")),
            f"{UPDATED_AT}_text": nw.when(has_rank).then(values.text_of(source, "updated_at")),
        }
    )
    rows = read_time(rows, ORDER_DATE).with_columns(**{ORDER_DATE: wall_clock(ORDER_DATE, zone, source.timezone)})
    if _is_empty(rows, f"{UPDATED_AT}_text"):
        rows = rows.with_columns(**{UPDATED_AT: nw.lit(None, nw.Datetime("us", "UTC"))})
    else:
        rows = read_time(rows, UPDATED_AT).with_columns(**{UPDATED_AT: instant(UPDATED_AT, source.timezone or zone)})
    return rows.with_columns(**{DAY: day_of(ORDER_DATE)}).select(*names, *VALIDATION_COLUMNS)


def _reasons(frame: Frame, source: Source, id_chars: int) -> dict[str, nw.Expr]:
    """For each reason to reject a row, whether it holds. The first one that does is the row's."""
    order_date, amount = values.text_of(source, "order_date"), values.text_of(source, "amount")
    unclear: dict[str, nw.Expr] = {}
    if source.amount_unit == "minor":
        unclear["currency_unclear"] = amount == UNCLEAR
    if len(source.date_formats) > 1:
        unclear["order_date_unclear"] = order_date == UNCLEAR
    reasons: dict[str, nw.Expr] = {
        TOO_LONG: _has_long_id(id_chars),
        "nul_character": nw.any_horizontal(*(_contains_nul(name) for name in ID_COLUMNS), ignore_nulls=True),
        **{f"{name}_missing": has_no_id(frame, name) for name in ID_COLUMNS},
        **{f"{name}_missing": _is_missing(name) for name in REQUIRED_COLUMNS if name not in ID_COLUMNS},
        **unclear,
        "amount_not_decimal": ~amount.str.contains(AMOUNT_TEXT),
        "order_date_unreadable": ~order_date.str.contains(TIME),
        "updated_at_unreadable": _has_no_rank(source),
    }
    if source.currency is not None and source.currency_column is not None:
        reasons["currency_other"] = nw.col(CURRENCY).fill_null("") != source.currency
    return reasons


def _with_void_rows(rows: Frame, columns: Sequence[str], source: Source, id_chars: int) -> Frame:
    """Rows with the outcome VOID for those that delete an order or are dropped. Such a row needs nothing but an id. One
    that is dropped and has none has no effect; one that deletes and has none is rejected, as is one with a long id."""
    deletes, drops = conditions.deletes(source, columns), conditions.drops(source, columns)
    if deletes is None and drops is None:
        return rows
    never = nw.lit(False)
    rows = rows.with_columns(_deletes=never if deletes is None else deletes, _drops=never if drops is None else drops)
    is_without_id = has_no_id(rows, "order_id")
    reason = _first(
        {
            TOO_LONG: _has_long_id(id_chars),
            "nul_character": _contains_nul("order_id"),
            "order_id_missing": nw.col("_deletes") & is_without_id,
            "updated_at_unreadable": _has_no_rank(source),
        }
    )
    is_void = nw.col("_deletes") | nw.col("_drops")
    voided = rows.with_columns(**{REASON: nw.when(is_void).then(reason).otherwise(nw.col(REASON))})
    outcome = nw.when(is_void & nw.col(REASON).is_null()).then(nw.lit(VOID)).otherwise(_outcome())
    return voided.with_columns(**{OUTCOME: outcome}).drop("_deletes", "_drops")


def _with_blank_rows(rows: Frame, columns: Sequence[str]) -> Frame:
    """Rows of a source that sums lines, with the outcome BLANK for those that are empty. One that has an order_id and
    no amount is rejected as NO_AMOUNT, whatever else it lacks: if its order has other rows, `lines` makes it BLANK."""
    if isinstance(rows, nw.DataFrame) and not (rows[OUTCOME] == REJECTED).any():
        return rows
    # The only reasons against a void row that has an id. A row with a long one is a reject, whatever else it lacks.
    is_void = nw.col(REASON).is_in([TOO_LONG, "updated_at_unreadable"])
    is_reject = (nw.col(OUTCOME) == REJECTED) & nw.col(PROBLEM).is_null() & ~is_void.fill_null(False)
    is_empty = is_reject & nw.all_horizontal(
        *(_is_missing(name) for name in columns if not name.startswith("_")), ignore_nulls=True
    )
    has_id = ~has_no_id(rows, "order_id") & ~_contains_nul("order_id")
    reason = nw.when(is_reject & has_id & _is_missing("amount")).then(nw.lit(NO_AMOUNT)).otherwise(nw.col(REASON))
    return rows.with_columns(
        **{
            REASON: nw.when(~is_empty).then(reason),
            OUTCOME: nw.when(is_empty).then(nw.lit(BLANK)).otherwise(nw.col(OUTCOME)),
        }
    )


def _first(reasons: Mapping[str, nw.Expr]) -> nw.Expr:
    """The problem of a row that could not be split into columns, or else the first reason that holds; null: none."""
    found = (nw.when(holds.fill_null(False)).then(nw.lit(code)) for code, holds in reasons.items())
    return nw.coalesce(nw.col(PROBLEM), *found)


def _outcome() -> nw.Expr:
    """The outcome of a row of a source without conditions."""
    return nw.when(nw.col(REASON).is_null()).then(nw.lit(COUNTS)).otherwise(nw.lit(REJECTED))


def _has_no_rank(source: Source) -> nw.Expr:
    return ~_is_missing("updated_at") & ~values.text_of(source, "updated_at").str.contains(TIME)


def _with_defaults(raw: Any) -> Frame:
    """Raw rows with every order column as text. Missing columns of their origin get defaults: row numbers from 1 in the
    frame's order, an empty source, and a landing time before all others."""
    frame: Frame = nw.from_native(raw)
    schema = frame.collect_schema()
    if ROW_NUMBER not in schema:
        lazy = isinstance(frame, nw.LazyFrame)
        eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        numbered = (
            eager.with_row_index("_index")
            .with_columns(**{ROW_NUMBER: nw.col("_index").cast(nw.Int64) + 1})
            .drop("_index")
        )
        frame = numbered.lazy() if lazy else numbered
    defaults = {
        **{name: nw.lit(None, nw.String) for name in ORDER_COLUMNS if name not in REQUIRED_COLUMNS},
        SOURCE: nw.lit(""),
        LANDED_AT: nw.lit(_NEVER).cast(nw.Datetime("us", "UTC")),
        PROBLEM: nw.lit(None, nw.String),
        TEXT: nw.lit(None, nw.String),
    }
    filled = {name: value for name, value in defaults.items() if name not in schema}
    texts = {name: nw.col(name).cast(nw.String) for name in ORDER_COLUMNS if schema.get(name, nw.String) != nw.String}
    return frame.with_columns(**filled, **texts) if filled or texts else frame


def _is_missing(name: str) -> nw.Expr:
    return nw.col(name).is_null() | nw.col(name).str.strip_chars().is_in(_MISSING)


def has_no_id(frame: Frame, name: str) -> nw.Expr:
    """Whether a column of ids has none in a row."""
    text = nw.col(name).str.strip_chars()
    is_missing = text.is_null() | text.is_in(_NO_ID)
    if isinstance(frame, nw.DataFrame):
        texts = frame[name].fill_null("")
        if not ((texts < "$") & (texts > "") | (texts > "~")).any():  # nothing begins with `#`, or a space before it
            return is_missing
    return is_missing | text.str.contains(ERROR_VALUE)


def _has_long_id(id_chars: int) -> nw.Expr:
    return nw.any_horizontal(*(nw.col(name).str.len_chars() > id_chars for name in ID_COLUMNS), ignore_nulls=True)


def _contains_nul(name: str) -> nw.Expr:
    return nw.col(name).fill_null("").str.contains("\x00", literal=True)


def with_text(rows: Frame, columns: Iterable[str]) -> Frame:
    """Validated rows with the text of each reject. A reject without a text gets its values as CSV. Texts are cut to
    `LONGEST_TEXT` characters. `columns`: the columns of the CSV; those that begin with `_` are left out."""
    if _is_empty(rows, REASON):
        return rows
    names = rows.collect_schema().names()
    given = [name for name in columns if not name.startswith("_")]
    is_reject, text = ~nw.col(REASON).is_null(), nw.col(TEXT)
    fields = {
        f"_field_{number}": nw.when(is_reject).then(nw.col(name).cast(nw.String).fill_null(""))
        for number, name in enumerate(given)
    }
    as_csv = nw.concat_str([_csv_field(field) for field in fields], separator=",")
    cut = nw.concat_str([text.str.slice(0, LONGEST_TEXT - 1), nw.lit("…")])
    return (
        rows.with_columns(**fields)
        .with_columns(**{TEXT: nw.coalesce(text, as_csv)})
        .with_columns(**{TEXT: nw.when(text.str.len_chars() > LONGEST_TEXT).then(cut).otherwise(text)})
        .select(*names)
    )


def _is_empty(frame: Frame, name: str) -> bool:
    """Whether a column holds only nulls, so that there is nothing to compute from it. False for any lazy frame."""
    return isinstance(frame, nw.DataFrame) and bool(frame[name].is_null().all())


def _csv_field(name: str) -> nw.Expr:
    """A field of a reject's text. A long one is cut first: nothing beyond is shown, and copies of it take memory."""
    whole = nw.col(name)
    text = whole.str.slice(0, LONGEST_TEXT + 1)
    quoted = nw.concat_str([nw.lit('"'), text.str.replace_all('"', '""', literal=True), nw.lit('"')])
    return nw.when(whole.str.contains('[",\r\n]')).then(quoted).otherwise(text)
