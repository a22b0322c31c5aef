"""A fuzzer guided by coverage: `make fuzz SECONDS=60`. What is interesting it keeps in .fuzz/kept, what fails in
.fuzz/failed: such an input belongs into corpus/, where `make test` tries it again."""

import gzip
import hashlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["orders_pipeline.landing", "orders_pipeline_tests.fuzz.any_bytes"]):
    from orders_pipeline_tests.fuzz.any_bytes import check

_CORPUS = Path(__file__).parent / "corpus"
_KEPT = Path(".fuzz/kept")
_FAILED = Path(".fuzz/failed")
_HEADER = b"order_id,customer_id,amount,order_date\n"


def main() -> None:
    """Fuzz for as long as libFuzzer's own options say."""
    with TemporaryDirectory(prefix="orders-fuzz-") as folder:

        def one_input(data: bytes) -> None:
            # The last byte tells what the others are put into: not before them, or seeds would be no files.
            kind, content = (data[-1] % 16, data[:-1]) if data else (0, data)
            if kind == 1:
                content = gzip.compress(content, 1)
            elif kind == 2:
                content = _HEADER + content
            try:
                check(content, Path(folder))
            except BaseException:
                (_FAILED / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
                raise

        for folder_kept in (_KEPT, _FAILED):
            folder_kept.mkdir(parents=True, exist_ok=True)
        options = [
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-max_len=20000",
            "-print_final_stats=1",
            "-artifact_prefix=.fuzz/failed/",
        ]
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(_KEPT), str(_CORPUS)], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
