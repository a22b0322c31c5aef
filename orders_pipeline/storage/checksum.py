"""The checksum of a lake object, which is part of its name: whoever knows which object to read can tell whether it is
still the one that was written."""

import base64
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_AT_ONCE: Final = 1 << 20
_IN_NAME: Final = re.compile(r"-(?P<size>[0-9]+)-(?P<crc32>[0-9a-f]{8})\.parquet")


@dataclass(frozen=True)
class Checksum:
    """The length of an object in bytes, and the CRC-32 of them."""

    size: int
    crc32: int

    @classmethod
    def of(cls, chunks: Iterable[bytes]) -> "Checksum":
        """Of bytes in chunks."""
        size = crc32 = 0
        for chunk in chunks:
            size, crc32 = size + len(chunk), zlib.crc32(chunk, crc32)
        return cls(size, crc32)

    @classmethod
    def of_file(cls, path: Path) -> "Checksum":
        """Of a file.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb", buffering=0) as file:
            return cls.of(iter(lambda: file.read(_AT_ONCE), b""))

    @classmethod
    def in_name(cls, name: str) -> "Checksum | None":
        """The checksum that an object was named by. None: release 0.2 wrote it."""
        found = _IN_NAME.search(name)
        return None if found is None else cls(int(found["size"]), int(found["crc32"], 16))

    @property
    def suffix(self) -> str:
        """The end of the name of an object with this checksum."""
        return f"-{self.size}-{self.crc32:08x}.parquet"

    @property
    def for_s3(self) -> str:
        """The CRC-32 as S3 writes it."""
        return base64.b64encode(self.crc32.to_bytes(4, "big")).decode()
