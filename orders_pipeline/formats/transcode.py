"""Text in another encoding than UTF-8, as its source declares it: rewritten as UTF-8, for the same readers."""

import codecs
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.options import Reading

_BLOCK: Final = 1 << 20
_ERRORS: Final = "orders_pipeline.not_text"
_ASCII: Final = bytes(range(0x80))
_HEADER: Final = "order_id,"
_MOST: Final = 0.9  # of the bytes beyond ASCII
_MARKS: Final[Mapping[bytes, str]] = {  # a longer mark before one that it begins with
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def to_utf8(path: Path, reading: Reading) -> None:
    """Replace a file by the same text in UTF-8, unless it is UTF-8. The new file has a byte order mark, so that it is
    not taken for the old one. Bytes that are no text in the old encoding are none in the new one: their rows are
    rejected.

    Raises:
        QuarantineError: its byte order mark names another encoding, it is UTF-8 already, or it is too large as UTF-8.
    """
    with path.open("rb") as file:
        start = file.read(64)
    mark = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if mark is not None and not mark.startswith(reading.encoding):
        raise refusal(f"The file has the byte order mark of {mark.upper()}", reading)
    if reading.encoding == "utf-8":
        return
    codecs.register_error(_ERRORS, _not_text)
    decoder = codecs.getincrementaldecoder(mark or _ordered(reading.encoding, start))(_ERRORS)
    written, likeness = 0, _LikenessToUtf8()
    is_checked = not reading.may_look_like_utf8 and _may_be_mistaken(reading.encoding)
    utf8 = path.with_name(f"{path.name}.utf8")
    with path.open("rb") as old, utf8.open("wb") as new:
        new.write(codecs.BOM_UTF8)
        for block in chain(iter(partial(old.read, _BLOCK), b""), [b""]):
            if is_checked:
                likeness.add(block)
            text = decoder.decode(block, final=not block)
            content = (text if written else text.removeprefix("\ufeff")).encode("utf-8", _ERRORS)
            written += len(content)
            if written > reading.expanded_bytes:
                raise reading.beyond(
                    "expanded_bytes", f"As UTF-8, the file has more than {reading.expanded_bytes:,} bytes"
                )
            new.write(content)
    if likeness.is_strong:
        raise _seems_to_be_utf8(reading)
    utf8.replace(path)


def unmarked_utf16(start: bytes) -> str | None:
    """The encoding of a file that begins like UTF-16 without a byte order mark; None: it does not."""
    if len(start) < 8:
        return None
    if not any(start[1:64:2]):
        return "utf-16-le"
    return None if any(start[0:64:2]) else "utf-16-be"


def is_read_as(utf16: str, reading: Reading) -> bool:
    """Whether text of this kind, without a byte order mark, was read as what it is. UTF-32 has as many zeros."""
    return reading.encoding == "utf-16" or reading.encoding.startswith((utf16, "utf-32"))


def refusal(found: str, reading: Reading) -> QuarantineError:
    """The error for a file in another encoding than its source declares. `found` begins a sentence."""
    if reading.encoding == "utf-8":
        return QuarantineError(
            "encoding_not_utf8",
            f"{found}. Save it as UTF-8, or declare its `encoding` for its source (docs/sources.md).",
        )
    return QuarantineError(
        "encoding_other", f"{found}, and the source {reading.source!r} declares `encoding = {reading.encoding!r}`."
    )


class _LikenessToUtf8:
    """How many of the bytes beyond ASCII form characters of UTF-8. In another encoding, few do, and by chance."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._beyond = self._in_utf8 = 0

    def add(self, block: bytes) -> None:
        """The next bytes of the file."""
        if block.isascii() and not self._decoder.getstate()[0]:
            return
        beyond = len(block.translate(None, _ASCII))
        self._beyond += beyond
        self._in_utf8 += len(self._decoder.decode(block).encode()) - (len(block) - beyond)

    @property
    def is_strong(self) -> bool:
        """Whether there are such bytes, and nearly all of them are UTF-8."""
        return self._in_utf8 > _MOST * self._beyond


def _may_be_mistaken(encoding: str) -> bool:
    """Whether UTF-8 can be read by an encoding without a sign of it. By others, its header is read as something else,
    or its letters beyond ASCII as none."""
    text = f"{_HEADER}äöü東".encode().decode(encoding, "ignore")
    return text.startswith(_HEADER) and text != _HEADER


def _seems_to_be_utf8(reading: Reading) -> QuarantineError:
    return QuarantineError(
        "encoding_other",
        f"The file seems to be UTF-8, and the source {reading.source!r} declares `encoding = {reading.encoding!r}`, by"
        " which its letters with accents would be read as others. Have it saved as declared, or declare"
        ' `encoding = "utf-8"` (docs/sources.md). If it is right as it is, declare `may_look_like_utf8 = true`.',
    )


def _ordered(encoding: str, start: bytes) -> str:
    """An encoding with the order of its bytes, of a text without a byte order mark that begins like this."""
    if encoding == "utf-16":
        return unmarked_utf16(start) or "utf-16-le"
    if encoding == "utf-32":
        return "utf-32-be" if start.startswith(b"\0") else "utf-32-le"
    return encoding


def _not_text(error: UnicodeError) -> tuple[str | bytes, int]:
    """What replaces bytes that are no text, and half characters that some encodings can write: one byte that is never
    UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    if isinstance(error, UnicodeEncodeError):
        return b"\xff" * (error.end - error.start), error.end
    raise error
