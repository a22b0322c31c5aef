"""Every format is recognized by its bytes, and a file that cannot be read says why."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline_tests.support.driver import gzipped
from orders_pipeline_tests.support.files import HEADER, JSON_ROW, ONE_ROW, fields, parquet, read


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b"007,ann,1.50,2026-03-04\n",
        HEADER + b"007,ann,1.50,2026-03-04",
        b"\xef\xbb\xbf" + HEADER + b"007,ann,1.50,2026-03-04\r\n",
        HEADER.upper() + b'"007","ann","1.50","2026-03-04"\n',
        b" Order_ID ;CUSTOMER_ID;amount;order_date\n007;ann;1.50;2026-03-04\n",
        HEADER.replace(b",", b"\t") + b"007\tann\t1.50\t2026-03-04\n",
        b'"order_id";"customer_id";"amount";"order_date"\n"007";"ann";"1.50";"2026-03-04"\n',
        HEADER.strip() + b",_amount\n007,ann,1.50,2026-03-04,9\n",
        b"amount,surplus,order_date,customer_id,order_id\n1.50,x,2026-03-04,ann,007\n",
        HEADER + b"\n007,ann,1.50,2026-03-04\n\n  \n",
        gzipped(HEADER + b"007,ann,1.50,2026-03-04\n"),
        pa.Codec("zstd").compress(HEADER + b"007,ann,1.50,2026-03-04\n").to_pybytes(),
        json.dumps(JSON_ROW).encode(),
        b"\n" + json.dumps(JSON_ROW).encode() + b"\n\n",
        json.dumps([JSON_ROW], indent=1).encode(),
        b'{"Order_Id": "007", "customer_id": "ann", "amount": 1.50, "order_date": "2026-03-04", "tags": [1, 2.50]}\n',
        parquet(**{name: [value] for name, value in JSON_ROW.items()}),
        gzipped(parquet(**{name: [value] for name, value in JSON_ROW.items()})),
    ],
)
def test_an_order_is_read_from_every_format_by_its_bytes(tmp_path: Path, content: bytes) -> None:
    assert fields(read(tmp_path, content)) == ONE_ROW


GOOD = HEADER + b"1,a,1,2026-03-04\n" * 50
PARQUET = parquet(**{name: [value] for name, value in JSON_ROW.items()})


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (b"order_id,amount\n1,2\n", "column_missing", "customer_id, order_date. Found: order_id, amount"),
        (b"order_id,,amount,order_date\n1,2,3,4\n", "column_missing", "customer_id"),
        (b"1,a,1,2026-03-04\n", "column_missing", "Found: 4 other names; is the header missing"),
        (b"\x00\x01\xff" * 40, "encoding_not_utf8", "UTF-8"),
        (b"\x00\x01\x02" * 40, "column_missing", "order_id"),
        (HEADER.strip() + b",Amount\n", "column_twice", "amount"),
        (HEADER.strip() + b",Gr\xf6\xdfe\n1,a,1,2026-03-04,3\n", "encoding_not_utf8", "header"),
        (HEADER.strip() + b",x" * 1500 + b"\n", "too_many_columns", "1000"),
        (b'"order_id,customer_id\n', "header_unreadable", "quotes"),
        (HEADER + b'1,"a,1,2026-03-04\n2,b,1,2026-03-04\n', "csv_unreadable", "end of data"),
        (HEADER + b'1,"a"b,1,2026-03-04\n', "csv_unreadable", "Line 2"),
        (GOOD.decode().encode("utf-16"), "encoding_not_utf8", "UTF-16"),
        (gzipped(GOOD)[:-12], "compression_broken", "expanded"),
        (gzipped(GOOD)[:20], "compression_broken", "expanded"),
        (pa.Codec("zstd").compress(GOOD).to_pybytes()[:-12], "compression_broken", "expanded"),
        (PARQUET[:-20], "parquet_unreadable", "Parquet"),
        (json.dumps(JSON_ROW).encode() + b'\n{"order_id": "00', "json_truncated", "line (2)"),
        (b'[{"order_id": 1}', "json_unreadable", "array"),
        (b'{"order_id": 1}\n', "column_missing", "customer_id, amount, order_date"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, code: str, named: str) -> None:
    with pytest.raises(QuarantineError) as caught:
        read(tmp_path, content)

    assert caught.value.code == code
    assert named in str(caught.value)
