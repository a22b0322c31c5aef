"""Files that are read at once share one budget of memory, so that no files up to the limits cost more than it."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orders_pipeline.landing import raw_objects
from orders_pipeline.landing.memory import Budget, size_of
from orders_pipeline_tests.support.driver import HEADER, Pipeline, gzipped

MOST = 1_500  # MiB: the peak of a whole `sync`
ORDER = dict(zip(HEADER.split(","), ("1", "ann", "1.00", "2026-03-04"), strict=True))

_SYNC = """
import sys
from pathlib import Path
from orders_pipeline.cli.main import main

try:
    main(["sync"], standalone_mode=False)
except SystemExit as end:
    print("exit", end.code)
(line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(line.split()[1]) // 1024)
"""


def parquet(rows: int, columns: dict[str, pa.Array], **options: object) -> bytes:
    order = {
        name: pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text]) for name, text in ORDER.items()
    }
    buffer = BytesIO()
    pq.write_table(pa.table({**order, **columns}), buffer, compression="zstd", **options)
    return buffer.getvalue()


def columns_of_nulls() -> bytes:
    return parquet(6_000, {f"x{n}": pa.nulls(6_000, pa.string()) for n in range(990)})


def long_values_in_many_columns() -> bytes:
    texts = pa.array(["x" * 500_000] * 8)
    return parquet(8, {f"x{n}": texts for n in range(30)}, use_dictionary=False, data_page_size=1, write_batch_size=1)


def one_long_id() -> bytes:
    return gzipped(f"{HEADER}\n{'x' * 999_999},ann,1.00,2026-03-04\n".encode())


def empty_rows() -> bytes:
    return f"{HEADER}\n".encode() + b"1,ann,1.00,2026-03-04\n" * 160_000 + b",,,x\n" * 150_000


HOSTILE: dict[Callable[[], bytes], int] = {
    columns_of_nulls: 4,
    long_values_in_many_columns: 4,
    one_long_id: 20,
    empty_rows: 1,
}


@pytest.mark.skipif(sys.platform != "linux", reason="measured by /proc")
def test_a_sync_of_hostile_files_has_a_bounded_peak(pipeline: Pipeline, environment: dict[str, str]) -> None:
    """Beside each other, too: four are read at once. Each batch of such a file is as large as it may be."""
    for place, (content, files) in enumerate(HOSTILE.items()):
        written = content()
        for number in range(files):
            pipeline.land(f"{place}/{number}.file", written)

    measured = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SYNC],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.defpath},
    )

    assert pipeline.query("SELECT DISTINCT status FROM ledger.landed_files") == [("loaded",)]
    assert int(measured.stdout.split()[-1]) < MOST, "MiB"


def test_every_batch_takes_its_share(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    class Recording(Budget):
        def share(self, size: int) -> AbstractContextManager[None]:
            taken.append(size)
            return super().share(size)

    monkeypatch.setattr(raw_objects, "BATCHES", Recording(1))
    for name in ("a.csv", "b.csv"):
        pipeline.land_rows(name, f"{name},ann,1.00,2026-03-04")
    pipeline.sync()

    assert pipeline.revenue() == {"2026-03-04": ("2.00", 2)}
    assert len(taken) == 2
    assert min(taken) > 0


def test_threads_wait_until_there_is_room() -> None:
    budget, end = Budget(10), Event()

    def work(size: int, begun: Event) -> None:
        with budget.share(size):
            begun.set()
            end.wait(5)

    first, second, third = Event(), Event(), Event()
    threads = [Thread(target=work, args=(size, begun)) for size, begun in ((6, first), (4, second), (99, third))]
    for thread, begun in zip(threads[:2], (first, second), strict=True):
        thread.start()
        assert begun.wait(5)
    threads[2].start()
    assert not third.wait(0.2)
    end.set()
    assert third.wait(5)  # more than there is: it has all
    for thread in threads:
        thread.join()


def test_empty_cells_count() -> None:
    nulls = pl.DataFrame({f"x{n}": pl.Series([None] * 1_000, dtype=pl.String) for n in range(100)})

    assert size_of(nulls) >= 16 * 100 * 1_000
