"""Recognize files of other formats by their first bytes, so that the message names what was uploaded."""

from typing import Final

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.options import Reading
from orders_pipeline.formats.transcode import is_read_as, refusal, unmarked_utf16

_EXPORT: Final = "Export the orders as CSV, JSON lines or Parquet"
_COMPRESS: Final = "Upload the file plain, or compressed with gzip or zstd"

_SIGNATURES: Final = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", _EXPORT),
    (b"PK\x05\x06", "an empty zip archive", _EXPORT),
    (b"\xd0\xcf\x11\xe0", "an old Office document, perhaps an Excel workbook", _EXPORT),
    (b"BZh", "a bzip2 file", _COMPRESS),
    (b"\xfd7zXZ\x00", "an xz file", _COMPRESS),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _COMPRESS),
    (b"Rar!", "a RAR archive", _COMPRESS),
    (b"\x04\x22\x4d\x18", "an lz4 file", _COMPRESS),
    (b"\x1f\x9d", "a file of the old compress program", _COMPRESS),
    (b"\xff\x06\x00\x00sNaPpY", "a snappy file", _COMPRESS),
    (b"%PDF", "a PDF document", _EXPORT),
    (b"{\\rtf", "an RTF document", _EXPORT),
    (b"PARE", "a Parquet file whose footer is encrypted", "Write it without encryption"),
    (b"ARROW1", "an Arrow or Feather file", _EXPORT),
    (b"ORC", "an ORC file", _EXPORT),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"SQLite format 3", "an SQLite database", _EXPORT),
    (b"\x89PNG", "a picture", _EXPORT),
    (b"\xff\xd8\xff", "a picture", _EXPORT),
    (b"GIF8", "a picture", _EXPORT),
)
_MARKUP: Final = (
    (b"<!doctype html", "an HTML page, perhaps of an error or a login"),
    (b"<html", "an HTML page, perhaps of an error or a login"),
    (b"<?xml", "an XML file"),
    (b"<", "XML or HTML"),
)


def name_foreign(start: bytes, error: QuarantineError, reading: Reading) -> QuarantineError:
    """A better error for a file of another format, with what it seems to be; else the error itself."""
    is_binary = any(byte < 9 or byte > 0x7F for byte in start)  # a header may begin with ORC, too
    for signature, kind, advice in _SIGNATURES:
        if start.startswith(signature) and (is_binary or not signature.isalnum()):
            return QuarantineError("format_unsupported", f"The file seems to be {kind}. {advice}.")
    if start[257:262] == b"ustar":
        return QuarantineError("format_unsupported", f"The file seems to be a tar archive. {_COMPRESS}.")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, kind in _MARKUP:
        if text.startswith(signature):
            return QuarantineError("format_unsupported", f"The file seems to be {kind}. {_EXPORT}.")
    if (utf16 := unmarked_utf16(start)) and not is_read_as(utf16, reading):
        return refusal(f"The file seems to be {utf16.upper()}", reading)
    return error
