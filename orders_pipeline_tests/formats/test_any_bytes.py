"""Any bytes: rows in are rows loaded and rows rejected, or the file is quarantined. `make fuzz` is the coverage-guided
fuzzer of the same property; what it found is in fuzz/corpus."""

import csv
import json
import random
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orders_pipeline import transforms
from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import delimited_fast
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import NO_IDS, NO_IDS_AS_WRITTEN, NULL_TEXTS, REQUIRED_COLUMNS
from orders_pipeline_tests.fuzz.any_bytes import READING, check
from orders_pipeline_tests.support.driver import HEADER, gzipped

CORPUS = sorted((Path(__file__).parents[1] / "fuzz" / "corpus").iterdir())
Order = tuple[str, str, Decimal, datetime]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_interesting_once(path: Path, tmp_path: Path) -> None:
    assert check(path.read_bytes(), tmp_path)


def test_the_corpus_is_small_and_not_all_of_it_is_refused(tmp_path: Path) -> None:
    verdicts = [check(path.read_bytes(), tmp_path) for path in CORPUS]

    assert verdicts.count("rows") > len(verdicts) / 3
    assert sum(path.stat().st_size for path in CORPUS) < 100_000


_PIECES = st.sampled_from(
    [",", ";", "\t", "|", '"', '""', "\n", "\r", "\r\n", "\x00", "\ufeff", "é", "\ud800", "[", "]", "{", "}", ":", "1",
     "order_id", "2026-03-04", "1.00", " ", "null", '{"order_id": 1, "customer_id": 2, "amount": 3.0, "order_date": 4}',
     "1,ann,1.00,2026-03-04\n", '"a\nb",ann,1e3,x\r\n', "\\ud83d", "NaN", "-", "1E+5",
     '{\n"order_id": 1.0, "customer_id": 1e3,\n"amount": 3.0, "order_date": 4}', '"Order_ID":']
)  # fmt: skip


_ROWS = st.sampled_from(
    ["1,ann,1.00,2026-03-04\n", "2,bob,2,x\n", "3,é,3,2026-03-04\r\n", ",,,\n", "1,2,3\n", "1,2,3,4,5\n", "\n",
     "\r\n", " \n", '4,"a\nb",1,2026-03-04\n', "5,a\rb,1,x\n", "\ufeff6,ann,1,2026-03-04\n", "7,\udcff,1,x\n",
     "8,\x00,1,x\n", f"9,{'x' * 1100},1,x\n", '"10","a, b","",""\n', '11,"a ""b"" c","""",x\r\n', '12,a"b,1,x\n',
     '13,"a"b,1,x\n', '14, "a",1,x\n', '15,"a\rb",1,x\n', '16,"a\n', '17,"""a,1,x\n', '18,"",1,""\n',
     " , ,\t,\n", '"","","",""\n', ",,\n", '"=""019""",a,1,x\n',
     '="020",a,1,x\n', '"=""a"" & b",a,1,x\n', "\u3000,,,\n"]
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    more=st.sampled_from([0, 40, 500, 996, 997]),
    rows=st.sampled_from([1, 9, 250, 2_999, 3_001]),
    text=st.sampled_from(["", "x", "ab," * 300, "y" * 1_001]),
    wide=st.sampled_from(["csv", "jsonl", "parquet"]),
)
@example(more=996, rows=101, text="", wide="parquet")
@example(more=0, rows=2_999, text="ab," * 300, wide="parquet")
def test_wide_long_and_repetitive_files_are_read_whole_or_refused(more: int, rows: int, text: str, wide: str) -> None:
    height = min(rows, 400_000 // (more + 4))  # beyond the limit of cells, and no more than that
    names = [f"c{number}" for number in range(more)]
    orders = {"order_id": "1", "customer_id": text or "ann", "amount": "1.00", "order_date": "2026-03-04"}
    table = pl.DataFrame({**orders, **dict.fromkeys(names, text)}).select(pl.all().repeat_by(height).explode())
    content = BytesIO()
    {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[wide](content)

    with TemporaryDirectory() as folder:
        found = check(content.getvalue(), Path(folder))

    is_beyond = more + 4 > 1_000 or height > 3_000 or height * (more + 4) > 100_000
    is_beyond |= len(text) > READING.field_chars
    may_be_beyond = len(text) * (more + 1) > READING.row_chars  # a block of the file may hold the whole of such a row
    assert (found == "rows") != is_beyond or found == "expands_too_far" or (found == "row_too_long" and may_be_beyond)


@settings(max_examples=400, deadline=None)
@given(
    start=st.sampled_from([f"{HEADER}\n", f"\ufeff{HEADER}\r\n", f"\n\n{HEADER}\n"]),
    rows=st.lists(_ROWS, max_size=12),
    end=st.sampled_from(["", "10,eve,1,2026-03-05", "11,eve"]),
    piece=st.sampled_from([60, 200, 1 << 20]),
)
@example(start=f"{HEADER}\n", rows=["1,ann,1.00,2026-03-04\n", "\ufeff6,ann,1,2026-03-04\n"], end="", piece=30)
@example(start=f"{HEADER}\n", rows=["1,ann,1.00,2026-03-04\n", "\n", "2,bob,2,x\n"], end="", piece=200)
@example(start=f"{HEADER}\n", rows=["1,ann,1,x\r", "2,bob,2,x\r\r\n", "3,bob,3,x\n"], end="", piece=200)
@example(start=f"{HEADER}\n", rows=['1,"a"b,1,x\n'], end="", piece=200)
@example(start=f"{HEADER}\n", rows=['1,a"b,1,x"\n'], end="", piece=200)
@example(start=f"{HEADER}\n", rows=['1,"a\n', 'b",2,x\n'], end="", piece=200)
@example(start=f"{HEADER}\n", rows=['1,"a\rb",2,x\n'], end="", piece=200)
@example(start=f"{HEADER}\n", rows=[f"9,{'x' * 1100},1,x\n"], end="", piece=1 << 20)
def test_rows_read_fast_are_the_rows_read_with_care(start: str, rows: list[str], end: str, piece: int) -> None:
    """However a file is cut into pieces, and whichever of these are plain."""
    content, limits = (start + "".join(rows) + end).encode("utf-8", "surrogateescape"), Reading(field_chars=1000)

    def read() -> list[tuple[object, ...]] | str:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(content)
            try:
                return [row for batch in read_rows(path, limits) for row in batch.rows()]
            except QuarantineError as error:
                return str(error)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delimited_fast, "_PIECE", piece)
        fast = read()
        patched.setattr(delimited_fast.Piece, "columns", lambda *_: None)
        patched.setattr(delimited_fast.Piece, "stands_alone", lambda *_: False)
        assert fast == read()


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from(["", f"{HEADER}\n", f"{HEADER.replace(',', ';')},updated_at\r\n", "[", '{"order_id": 1}\n']),
    pieces=st.lists(_PIECES, max_size=30),
    is_packed=st.booleans(),
    tail=st.binary(max_size=20),
)
@example(start="", pieces=[], is_packed=True, tail=b"")
def test_no_row_is_lost_or_invented(start: str, pieces: list[str], is_packed: bool, tail: bytes) -> None:
    content = (start + "".join(pieces)).encode("utf-8", "surrogatepass") + tail
    with TemporaryDirectory() as folder:
        assert check(gzipped(content) if is_packed else content, Path(folder))


_NO_IDS = {text.upper() for text in (*NULL_TEXTS, *NO_IDS, *NO_IDS_AS_WRITTEN)}
_IDS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
    .filter(lambda text: text.strip().upper() not in _NO_IDS)
    .filter(lambda text: not text.strip().startswith(("#", '="')))
)
_ORDERS = st.lists(
    st.tuples(
        _IDS,
        _IDS,
        st.decimals(min_value=-(10**16) + 1, max_value=10**16 - 1, places=2),
        st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2199, 12, 31)),
    ),
    max_size=30,
    unique_by=lambda order: order[0],
)


def as_csv(orders: list[Order], odd: random.Random) -> bytes:
    text = StringIO()
    line_end = odd.choice(["\n", "\r\n", "\r"])
    # Python's writer does not quote a line end of another kind than its own.
    quoting = odd.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]) if line_end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(text, delimiter=odd.choice(",;\t|"), lineterminator=line_end, quoting=quoting)
    columns = odd.sample(range(4), 4)
    names = [odd.choice([str.upper, str.title, str])(name) for name in REQUIRED_COLUMNS]
    writer.writerow([*(names[column] for column in columns), "note"])
    for order in orders:
        fields = [order[0], order[1], f"{order[2]:f}", order[3].isoformat(sep=odd.choice("T "))]
        writer.writerow([*(fields[column] for column in columns), odd.choice(["", 'x"\n,', "é"])])
    return odd.choice([b"", b"\xef\xbb\xbf"]) + text.getvalue().encode()


def as_json(orders: list[Order], odd: random.Random) -> bytes:
    def value(order: Order) -> str:
        amount = f"{order[2]:f}" if odd.random() < 0.5 else f'"{order[2]:f}"'
        ids = {"order_id": order[0], "customer_id": order[1], "order_date": order[3].isoformat()}
        return json.dumps(ids, ensure_ascii=odd.random() < 0.5)[:-1] + f', "amount": {amount}}}'

    rows = [value(order) for order in orders]
    if not rows or odd.random() < 0.5:
        return f" [{odd.choice([',', ' , ', ',' + chr(10)]).join(rows)}]{odd.choice(['', chr(10)])}".encode()
    return odd.choice(["\n", "\r\n", "\n\n"]).join(rows).encode() + odd.choice([b"", b"\n"])


def as_parquet(orders: list[Order], odd: random.Random) -> bytes:
    ids, customers, amounts, times = (list(column) for column in zip(*orders, strict=True)) if orders else ([],) * 4
    text = odd.choice(
        [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]
    )
    columns = {
        "order_id": pa.array([i.encode() for i in ids], text)
        if text == pa.binary()
        else pa.array(ids, pa.string()).cast(text),
        "customer_id": pa.array(customers, pa.string()),
        "amount": pa.array(amounts, odd.choice([pa.decimal128(18, 2), pa.decimal128(38, 4), pa.decimal256(60, 2)])),
        "order_date": pa.array(times, odd.choice([pa.timestamp("us"), pa.timestamp("us", "UTC")])),
    }
    if odd.random() < 0.3:
        columns["amount"] = pa.array([f"{amount:f}" for amount in amounts], pa.string())
    buffer = BytesIO()
    pq.write_table(
        pa.table(columns),
        buffer,
        compression=odd.choice(["none", "snappy", "zstd", "gzip", "lz4", "brotli"]),
        use_dictionary=odd.choice([True, False]),
        data_page_version=odd.choice(["1.0", "2.0"]),
        row_group_size=odd.choice([1, 7, 1000]),
        data_page_size=odd.choice([64, 1 << 20]),
        store_schema=odd.choice([True, False]),
    )  # fmt: skip
    return buffer.getvalue()


@settings(max_examples=200, deadline=None)
@given(orders=_ORDERS, seed=st.integers(0, 2**32), write=st.sampled_from([as_csv, as_json, as_parquet]))
def test_orders_are_the_same_whatever_they_are_written_as(
    orders: list[Order], seed: int, write: Callable[[list[Order], random.Random], bytes]
) -> None:
    odd = random.Random(seed)
    content = write(orders, odd)
    packed = odd.choice([bytes, gzipped, lambda plain: bytes(pa.Codec("zstd").compress(plain).to_pybytes())])(content)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.write_bytes(packed)
        clean = transforms.clean(pl.concat(list(read_rows(file))))

    found = {row["order_id"]: (row["customer_id"], row["amount"], row["order_date"]) for row in clean.to_dicts()}
    assert found == {order[0]: order[1:] for order in orders}


def test_the_plain_readers_would_notice_a_lost_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orders_pipeline_tests.fuzz import any_bytes

    content = f"{HEADER}\n1,ann,1.00,2026-03-04\n2,ann,1.00,2026-03-04\n".encode()
    assert check(content, tmp_path) == "rows"
    monkeypatch.setattr(any_bytes, "read_rows", lambda *of: (batch.head(1) for batch in read_rows(*of)))
    with pytest.raises(AssertionError, match="plain reader finds"):
        check(content, tmp_path)
