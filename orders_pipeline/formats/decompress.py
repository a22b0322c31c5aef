"""Expand compressed files, up to the limits."""

import gzip
import zlib
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.options import Reading

_GZIP: Final = b"\x1f\x8b"
# A frame, or a skippable frame, which parallel compressors write first: RFC 8878.
_ZSTD: Final = (b"\x28\xb5\x2f\xfd", *(bytes([number, 0x2A, 0x4D, 0x18]) for number in range(0x50, 0x60)))
_CHUNK: Final = 1 << 20
_HARMLESS: Final = 1 << 20  # bytes: a small file may have any ratio


def compression(path: Path) -> str | None:
    """How a file is compressed: `gzip` or `zstd`. None: it is not, or in a way that is not read."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_GZIP):
        return "gzip"
    return "zstd" if start.startswith(_ZSTD) else None


def expand(path: Path, reading: Reading) -> None:
    """Replace a gzip or zstd file by its contents. Leave any other file as it is.

    Raises:
        QuarantineError: it is broken, expands beyond a limit, or was compressed twice.
    """
    kind = compression(path)
    if kind is None:
        return
    expanded = path.with_name(f"{path.name}.expanded")
    try:
        with _open(path, kind) as packed, expanded.open("wb") as plain:
            _copy(packed, plain, path.stat().st_size, reading)
    except (EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the file
        raise QuarantineError(
            "compression_broken", f"The file is compressed and cannot be expanded: {error}. Upload it again, whole."
        ) from error
    if compression(expanded):
        raise QuarantineError("compressed_twice", "The file is compressed twice. Compress it once.")
    expanded.replace(path)


def _open(path: Path, kind: str) -> Any:
    return gzip.open(path) if kind == "gzip" else pa.input_stream(str(path), compression="zstd")


def _copy(packed: IO[bytes], plain: IO[bytes], size: int, reading: Reading) -> None:
    written = 0
    while chunk := packed.read(_CHUNK):
        written += len(chunk)
        if written > reading.expanded_bytes:
            raise reading.beyond("expanded_bytes", f"The {size:,} bytes expand to more than {reading.expanded_bytes:,}")
        if written > max(_HARMLESS, size * reading.expansion_ratio):
            raise reading.beyond("expansion_ratio", f"The {size:,} bytes expand to {written:,} and more")
        plain.write(chunk)
