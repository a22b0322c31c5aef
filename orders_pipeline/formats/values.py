"""One value, one text: an id that is a number or a time has the same text in every type and format."""

import re
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER: Final = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?")
_LARGEST_EXPONENT: Final = 400  # beyond every float: such a number would only become a long text
_DIGITS: Final = 6  # the longest exponent passed to `int`
# Trailing zeros after the point, of a number or of a time with or without its `Z`.
_ZEROS: Final = ((r"(\.[0-9]*[1-9])0+(Z?)$", r"\1\2"), (r"\.0+(Z?)$", r"\1"))


def plain(written: str) -> str:
    """A number's digits without exponent: `1e3` is `1000`, and `1.0e3` is `1000`. Other texts stay as they are."""
    if not (number := _NUMBER.fullmatch(written)) or not number[4]:
        return written
    sign, whole, fraction, exponent = number[1], number[2], number[3] or "", number[4]
    shift = int(exponent) if len(exponent) <= _DIGITS else _LARGEST_EXPONENT + 1
    if abs(shift) > _LARGEST_EXPONENT:
        return written
    digits, point = whole + fraction, len(whole) + shift
    digits = digits.ljust(point, "0").rjust(len(digits) - min(point - 1, 0), "0")
    point = max(point, 1)
    return sign + (digits[:point].lstrip("0") or "0") + (f".{digits[point:]}" if digits[point:] else "")


def id_number(written: str) -> str:
    """The text of a number in an id: plain digits, without trailing zeros after the point, and no negative zero."""
    text = plain(written)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def id_texts(texts: Any, kind: Any) -> Any:
    """The texts of an id column, with one text for each value in types where a value can have several."""
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_temporal(kind):
        for pattern, replacement in _ZEROS:
            texts = pc.replace_substring_regex(texts, pattern, replacement)
        return pc.replace_substring_regex(texts, "^-0$", "0")
    return texts
