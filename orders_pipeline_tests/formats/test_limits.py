"""Hostile files cost bounded memory, disk and time; honest large ones pass; limits can be raised."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.errors import QuarantineError, SettingsError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import LIMITS, Reading
from orders_pipeline.resources import S3Resource
from orders_pipeline.settings import read_settings
from orders_pipeline_tests.support.driver import HEADER, Pipeline, gzipped

MIB = 1 << 20
H = f"{HEADER}\n".encode()
ROW = b"1,ann,1.00,2026-03-04\n"

# What it takes to make a raw object of a file: the verdict, the greatest memory beyond that of an orderly small file,
# and the disk.
_MEASURE = """
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from orders_pipeline.errors import QuarantineError
from orders_pipeline.landing.provenance import Origin
from orders_pipeline.landing.raw_objects import write_object
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.sources.declaration import PLAIN
from orders_pipeline.storage.lake import FolderLake

def peak():
    # Not getrusage: that remembers the parent's.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024

os.environ.update(ORDERS_MAX_EXPANDED_BYTES=str(1 << 30), ORDERS_MAX_EXPANSION_RATIO=sys.argv[3])
NOW = datetime.now(UTC)

def read(path):
    version = FileVersion("bucket", path.name, "etag", path.stat().st_size, NOW)
    made = write_object(FolderLake(str(path.parent / "lake")), path, Origin.of(version, "UTC", PLAIN, None, NOW))
    return made.raw.rows

read(Path(sys.argv[1]))
before, hostile = peak(), Path(sys.argv[2])
try:
    verdict = str(read(hostile))
except QuarantineError as error:
    verdict = error.code
disk = sum(path.stat().st_size for path in hostile.parent.rglob("*")) // (1 << 20)
print(verdict, peak() - before, disk)
"""


def packed(pieces: Iterator[bytes]) -> bytes:
    buffer = BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as file:
        for piece in pieces:
            file.write(piece)
    return buffer.getvalue()


def times(count: int, piece: bytes, *, start: bytes = b"", end: bytes = b"") -> Callable[[], bytes]:
    """A gzip file of a piece of about 1 MiB, many times."""

    def content() -> bytes:
        return packed(iter([start, *([piece] * count), end]))

    return content


def parquet_of(values: Any, **options: Any) -> bytes:
    table = pa.table({**{name: ["1"] * len(values) for name in HEADER.split(",")}, "note": values})
    buffer = BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def dictionary_bomb() -> bytes:
    """A text of 30 MB among short ones, written once and meant 100,000 times: three terabytes."""
    texts = pa.array(["x" * 30_000_000, *map(str, range(1_000))])
    long = pa.DictionaryArray.from_arrays(pa.array([*range(1_001), *([0] * 100_000)], pa.int32()), texts)
    return parquet_of(long, compression="zstd", dictionary_pagesize_limit=1 << 30, write_statistics=False)


def prefix_bomb() -> bytes:
    """Texts of which each repeats the one before: 900 KB, written once and meant 50,000 times."""
    values = pa.array(["x" * 900_000] * 2_000)
    return parquet_of(values, use_dictionary=False, column_encoding={"note": "DELTA_BYTE_ARRAY"}, compression="zstd")


def wide_parquet(rows: int, columns: int) -> bytes:
    """Columns of nulls: a few bytes on disk, and a text in memory for each of their cells."""
    order = dict(zip(HEADER.split(","), ("1", "ann", "1.00", "2026-03-04"), strict=True))
    nulls = pa.nulls(rows, pa.string())
    table = pa.table({name: [text] * rows for name, text in order.items()} | {f"x{n}": nulls for n in range(columns)})
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def wide_pages() -> bytes:
    """Values that are as long as a page, in many columns: a few rows of each are a gigabyte together."""
    values = {f"x{n}": ["x" * 500_000] * 8 for n in range(30)}
    table = pa.table({name: ["1"] * 8 for name in HEADER.split(",")} | values)
    buffer = BytesIO()
    pq.write_table(table, buffer, use_dictionary=False, data_page_size=1, write_batch_size=1, compression="zstd")
    return buffer.getvalue()


def nested_bomb() -> bytes:
    """A text of a million characters, written once and meant 1,000 times in the list of one row."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["x" * MIB]))
    return parquet_of(pa.ListArray.from_arrays(pa.array([0, 1_000], pa.int32()), texts), compression="zstd")


def rejects() -> bytes:
    """Rows with ids that are too long, and rows without any."""
    return gzipped(
        H + b"".join(b"%s,ann,1.00,2026-03-04\n" % (b"x" * 400_000) for _ in range(500)) + b",,,x\n" * 200_000
    )


def keys_of_their_own() -> bytes:
    """Each key is a column of all rows."""
    lines = (
        b'{"order_id":"%d","customer_id":1,"amount":1,"order_date":"2026-03-04","k%d":1}' % (n, n % 990)
        for n in range(20_000)
    )
    return b"\n".join(lines)


LINE = b"x" * MIB
HOSTILE: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "gzip of zeros": (times(400, bytes(MIB)), 200, "expands_too_far"),
    "one endless line": (times(300, LINE, start=H), 10_000, "row_too_long"),
    "an unclosed quote": (times(300, ROW * 50_000, start=H + b'1,"'), 10_000, "csv_unreadable"),
    "a row of many lines": (times(300, b'"\n",' * 250_000, start=H), 10_000, "row_too_long"),
    "blank lines": (times(300, b"\n" * MIB, start=H), 10_000, "too_many_rows"),
    "an endless JSON line": (times(300, LINE, start=b'{"order_id": "'), 10_000, "row_too_long"),
    "deep JSON": (times(100, b"[" * MIB, start=b'{"order_id":'), 10_000, "row_too_long"),
    "a deep array": (times(100, b"[" * MIB), 10_000, "json_unreadable"),
    "an endless element": (times(300, LINE, start=b'[{"order_id": "'), 10_000, "row_too_long"),
    "spaces in an array": (times(300, b" " * MIB, start=b"["), 10_000, "json_unreadable"),
    "a million columns": (lambda: b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n", 200, "too_many_columns"),
    "a million keys": (lambda: b"{%s}\n" % b",".join(b'"k%d":1' % n for n in range(10**6)), 200, "column_missing"),
    "tiny fields": (times(100, b"1," * (MIB // 2), start=H), 10_000, "row_too_long"),
    "a Parquet dictionary": (dictionary_bomb, 200, "field_too_long"),
    "Parquet prefixes": (prefix_bomb, 200, "expands_too_far"),
    "columns of nulls": (lambda: wide_parquet(20_000, 950), 200, "20000"),
    "long values in many columns": (wide_pages, 200, "8"),
    "a list of long texts": (nested_bomb, 200, "field_too_long"),
    "rejects with long ids": (rejects, 1_000, "200500"),
    "a key for each object": (keys_of_their_own, 200, "20000"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="measured by /proc")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_bounded_memory_disk_and_time(name: str, tmp_path: Path) -> None:
    content, ratio, verdict = HOSTILE[name]
    small, hostile = tmp_path / "small", tmp_path / "of-its-own" / "hostile"
    small.write_bytes(H + ROW * 50_000)
    hostile.parent.mkdir()
    hostile.write_bytes(content())

    measured = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _MEASURE, str(small), str(hostile), str(ratio)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.defpath},
    )
    found, memory, disk = measured.stdout.split()

    assert found == verdict
    assert int(memory) < 500, "MiB"
    assert int(disk) < 450, "MiB"


def test_an_honest_large_file_passes(tmp_path: Path) -> None:
    rows = "".join(f"{n},customer-{n % 9},19.90,2026-03-04,DE,paid\n" for n in range(400_000))
    content = gzipped(f"{HEADER},country,state\n{rows}".encode())
    (tmp_path / "file").write_bytes(content)

    assert sum(batch.height for batch in read_rows(tmp_path / "file")) == 400_000


@pytest.mark.parametrize(
    ("content", "limit", "reading"),
    [
        (gzipped(H + ROW * 5_000), "expanded_bytes", Reading(expanded_bytes=100_000)),
        (gzipped(H + ROW * 99_000), "expansion_ratio", Reading(expansion_ratio=20)),
        (H + ROW * 101, "rows", Reading(rows=100)),
        (b'{"order_id": 1}\n' * 101, "rows", Reading(rows=100)),
        (H + ROW * 101, "cells", Reading(cells=403)),
        (b'{"order_id": 1, "customer_id": 2, "amount": 3, "order_date": 4}\n' * 101, "cells", Reading(cells=403)),
        (parquet_of(["x"] * 101), "cells", Reading(cells=504)),
        (parquet_of(["x" * 900] * 1_000), "expanded_bytes", Reading(expanded_bytes=900_000)),
        (parquet_of(["x"] * 101), "rows", Reading(rows=100)),
        (parquet_of(["x" * 2_000] * 99, compression="zstd"), "field_chars", Reading(field_chars=1_999)),
        (parquet_of([str(n) for n in range(50_000)]), "expanded_bytes", Reading(expanded_bytes=100_000)),
        (H + b"1," + b"x" * 1_001 + b",1,2026-03-04\n", "field_chars", Reading(field_chars=1_000)),
        (b'[{"order_id": "%s"}]' % (b"x" * 1_001), "field_chars", Reading(field_chars=1_000)),
    ],
)  # fmt: skip
def test_beyond_a_limit_a_file_is_told_which_and_how_to_raise_it(
    content: bytes, limit: str, reading: Reading, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(QuarantineError) as caught:
        list(read_rows(tmp_path / "file", reading))

    assert caught.value.code == LIMITS[limit][0]
    assert f"{getattr(reading, limit):,}" in str(caught.value)
    assert f"ORDERS_MAX_{limit.upper()}" in str(caught.value)


@pytest.mark.parametrize("damage", ["footer length", "page size", "page count", "offset"])
def test_a_footer_that_lies_is_found_out(damage: str, tmp_path: Path) -> None:
    content = bytearray(parquet_of(["x"] * 9))
    length = int.from_bytes(content[-8:-4], "little")
    if damage == "footer length":
        content[-8:-4] = (1 << 31).to_bytes(4, "little")
    else:
        place = {"page size": 6, "page count": 14, "offset": len(content) - length + 40}[damage]
        content[place : place + 5] = b"\xff\xff\xff\xff\x0f"
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(QuarantineError, match="parquet_unreadable"):
        list(read_rows(tmp_path / "file"))


def test_a_file_too_large_is_not_fetched_and_is_read_once_the_limit_is_raised(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []
    download = S3Resource.download

    def noticed(resource: S3Resource, version: Any, target: Path) -> None:
        fetched.append(version.key)
        download(resource, version, target)

    monkeypatch.setattr(S3Resource, "download", noticed)
    monkeypatch.setenv("ORDERS_MAX_FILE_BYTES", "100")
    key = pipeline.land_rows("large.csv", *(f"{n},ann,1.00,2026-03-04" for n in range(9)))
    pipeline.land_rows("small.csv", "10,ann,1.00,2026-03-04")

    assert pipeline.sync().is_complete
    (aside,) = pipeline.status().quarantined
    assert (aside.key, aside.reason) == (key, "file_too_large")
    assert "ORDERS_MAX_FILE_BYTES" in aside.message
    assert key not in fetched
    assert pipeline.revenue() == {"2026-03-04": ("1.00", 1)}

    monkeypatch.delenv("ORDERS_MAX_FILE_BYTES")
    assert pipeline.sync().runs == 0
    assert CliRunner().invoke(main, ["retry", key]).exit_code == 0
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-04": ("10.00", 10)}


def test_days_of_the_source_table_are_no_files_of_so_many_bytes(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_MAX_FILE_BYTES", "1")
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount text, order_date text)")
    pipeline.execute("INSERT INTO orders SELECT n, 'ann', '1.00', '2026-03-04' FROM generate_series(1, 9) n")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("9.00", 9)}


def test_columns_may_have_declared_other_names(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "orderId,customer_id,Total,order_date,modified"
    key = pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04,2026-03-05", header=header)
    other = pipeline.land_rows("b.csv", "1,ann,2.00,2026-03-06,2026-03-09", header=f"{HEADER},modified")
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-06": ("2.00", 1)}

    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", "orderid=order_id, total=amount,modified=updated_at")
    assert pipeline.sync().runs == 0
    for said in (["retry", key], ["retry", "--loaded", other]):
        assert CliRunner().invoke(main, said).exit_code == 0
    pipeline.sync()
    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == {"2026-03-06": ("2.00", 1)}
    pipeline.land_rows("a.csv", "1,ann,3.00,2026-03-04,2026-03-10", header=header)
    pipeline.sync()
    assert pipeline.revenue() == {"2026-03-04": ("3.00", 1)}


def test_columns_of_the_source_table_have_them_too(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", "id=order_id,placed=order_date")
    pipeline.execute("CREATE TABLE orders (id text, customer_id text, amount numeric, placed timestamp)")
    pipeline.execute("INSERT INTO orders VALUES ('1', 'ann', 1.5, '2026-03-04 10:00'), ('2', 'ann', 2, '2026-03-05')")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {"2026-03-04": ("1.50", 1), "2026-03-05": ("2.00", 1)}
    assert pipeline.query("SELECT key FROM ledger.landed_files ORDER BY 1") == [
        ("table:orders/2026-03-04",),
        ("table:orders/2026-03-05",),
    ]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("total", "is not an alias like"),
        ("total=sum", "no column of an order"),
        ("Amount=order_id", "column of an order itself"),
        ("a=amount,A=order_id", "stands for both"),
    ],
)
def test_an_alias_that_cannot_be_is_refused_by_name(value: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", value)

    with pytest.raises(SettingsError, match=f"ORDERS_COLUMN_ALIASES.*{re.escape(says)}"):
        read_settings()


def test_new_columns_are_reported_once_for_each_source(pipeline: Pipeline) -> None:
    def remarks() -> str:
        result = pipeline.run("s3_arrival")
        (made,) = list(result.asset_materializations_for_node("raw_orders"))
        return str(made.metadata["Remarks"].value) if "Remarks" in made.metadata else ""

    noted = f"{HEADER},note"
    for name in ("shop/2026-03-04/a.csv", "shop/2026-03-04/b.csv"):
        pipeline.land_rows(name, f"{name},ann,1.00,2026-03-04,x", header=noted)
    pipeline.land_rows("other/a.csv", "3,ann,1.00,2026-03-04")
    first = remarks()
    assert first.count("New columns") == 1
    assert "landing/shop/####-##-##/, kept and not used: note (first in landing/shop/2026-03-04/a.csv)" in first

    pipeline.land_rows("shop/2026-03-05/a.csv", "4,ann,1.00,2026-03-04,x,y", header=f"{noted},channel")
    pipeline.land_rows("other/b.csv", "5,ann,1.00,2026-03-04")
    second = remarks()
    assert second.count("New columns") == 1
    assert "not used: channel (first" in second

    pipeline.land_rows("shop/2026-03-06/a.csv", "6,ann,1.00,2026-03-04,x,y", header=f"{noted},channel")
    assert "New columns" not in remarks()
    assert pipeline.revenue() == {"2026-03-04": ("6.00", 6)}
