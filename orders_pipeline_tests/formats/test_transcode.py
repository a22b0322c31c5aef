"""Text in another encoding than UTF-8, as a source declares it."""

import codecs
import csv
import encodings
import json
import pkgutil
import random
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import delimited_fast, transcode
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import PROBLEM, REQUIRED_COLUMNS, ROW_NUMBER, TEXT
from orders_pipeline.sources.declaration import Source
from orders_pipeline_tests.support.declared import HEADER, read, refusal
from orders_pipeline_tests.support.driver import gzipped
from orders_pipeline_tests.support.files import ORDER, fields

SAMPLES = {
    "cp1252": "Müller “€”",
    "latin-1": "Müller £",
    "utf-16": "Müller 東京 𝄞",
    "utf-16-le": "Müller 東京 𝄞",
    "utf-16-be": "Müller 東京 𝄞",
    "utf-32": "Müller 東京 𝄞",
    "utf-7": "Müller 東京",
    "shift_jis": "東京 ｱｲｳ",
    "cp932": "東京 ①",
    "gb18030": "东京 𝄞",
    "iso2022_jp": "東京",
    "koi8-r": "Москва",
    "cp037": "M ller",
    "utf-8": "Müller 東京 𝄞",
}


def all_encodings() -> Iterator[str]:
    """Python's own encodings of files."""
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            yield Source(encoding=module.name).encoding
        except ValidationError:
            continue


@pytest.mark.parametrize("encoding", SAMPLES)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_text_of_an_encoding_is_read_by_it_wherever_it_is_cut(
    tmp_path: Path, encoding: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcode, "_BLOCK", block)
    name = SAMPLES[encoding]
    text = f'{HEADER},{name}\r\n007,"{name}\n",1.50,2026-03-04,\r\n008,{name},1,2026-03-04,x\r\n'

    rows = read(tmp_path, text.encode(encoding), encoding=encoding)

    assert fields(rows) == [["007", f"{name}\n", "1.50", "2026-03-04"], ["008", name, "1", "2026-03-04"]]
    assert [(row[ROW_NUMBER], row[PROBLEM], row[name]) for row in rows] == [(2, None, ""), (4, None, "x")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8", "gb18030"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, encoding: str, quote: str) -> None:
    own = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    header = HEADER.replace("order_id", f"{quote}order_id{quote}")

    rows = read(tmp_path, f"\ufeff{header}\n1,ü,1,2026-03-04\n".encode(own), encoding=encoding)

    assert fields(rows) == [["1", "ü", "1", "2026-03-04"]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["-le", "-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_unicode_of_either_byte_order_is_read_with_a_mark_and_without(
    tmp_path: Path, encoding: str, order: str, mark: str
) -> None:
    content = f"{mark}{HEADER}\n1,東京,1,2026-03-04\n".encode(encoding + order)

    assert fields(read(tmp_path, content, encoding=encoding)) == [["1", "東京", "1", "2026-03-04"]]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "shift_jis"])
@pytest.mark.parametrize("indent", [None, 1])
def test_json_and_compressed_files_are_read_in_their_encoding_too(
    tmp_path: Path, encoding: str, indent: int | None
) -> None:
    name = SAMPLES[encoding]
    value = dict(zip(ORDER, ["007", name, "1.50", "2026-03-04"], strict=True))
    content = gzipped(json.dumps([value], ensure_ascii=False, indent=indent).encode(encoding))

    assert fields(read(tmp_path, content, encoding=encoding)) == [["007", name, "1.50", "2026-03-04"]]


@pytest.mark.parametrize(
    ("encoding", "bad", "shown"),
    [
        ("cp1252", b"a\x81b", r"a\xffb"),
        ("ascii", "é".encode(), r"\xff\xff"),  # valid UTF-8, and not what is declared
        ("iso8859-6", b"\xa1", r"\xff"),
        ("shift_jis", b"\x85\x40", None),
        ("utf-16-le", b"\x00\xd8", r"\xff"),  # half a character
        ("utf-7", b"+2AA-", r"\xff"),
        ("gb18030", b"\xff", r"\xff"),
    ],
)
@pytest.mark.parametrize("piece", [60, 1 << 20])
def test_bytes_that_are_none_of_the_encoding_reject_their_row_alone(
    tmp_path: Path, encoding: str, bad: bytes, shown: str | None, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited_fast, "_PIECE", piece)
    before, after = (text.encode(encoding) for text in (f"{HEADER}\n1,a,1,2026-03-04\n2,", ",1,2026-03-04\n3,b,1,x\n"))

    rows = read(tmp_path, before + bad + after, encoding=encoding)

    assert [row["order_id"] for row in rows] == ["1", None, "3"]
    assert [(row[ROW_NUMBER], row[PROBLEM]) for row in rows] == [(2, None), (3, "not_utf8"), (4, None)]
    assert shown is None or rows[1][TEXT] == f"2,{shown},1,2026-03-04"


def test_a_character_that_is_cut_off_at_the_end_rejects_the_last_row(tmp_path: Path) -> None:
    content = f"{HEADER}\n1,a,1,2026-03-04\n2,b,1,2026-03-0ü".encode("utf-16")[:-1]

    assert [row[PROBLEM] for row in read(tmp_path, content, encoding="utf-16")] == [None, "not_utf8"]


@pytest.mark.parametrize(
    ("content", "encoding", "says"),
    [
        (f"\ufeff{HEADER}\n".encode(), "cp1252", "encoding_other: The file has the byte order mark of UTF-8, and"),
        (f"\ufeff{HEADER}\n".encode(), "utf-16", "encoding_other: The file has the byte order mark of UTF-8, and"),
        (HEADER.encode("utf-16"), "cp1252", "encoding_other: The file has the byte order mark of UTF-16-LE, and"),
        (f"\ufeff{HEADER}".encode("utf-16-be"), "utf-16-le", "the byte order mark of UTF-16-BE, and the source"),
        (HEADER.encode("utf-32"), "utf-16", "byte order mark of UTF-32-LE, and the source 'acme' declares"),
        (HEADER.encode("utf-16-le"), "utf-16-be", "encoding_other: The file seems to be UTF-16-LE, and"),
        (HEADER.encode("utf-16-le"), "cp1252", "The file seems to be UTF-16-LE, and"),
        (HEADER.encode(), "utf-16", "column_missing"),
        (HEADER.encode() + b",\x81", "cp1252", "encoding_other: The header is not CP1252, and the source 'acme'"),
        ("order_id,amount".encode("utf-16"), "utf-16", "column_missing: No column customer_id, order_date. Found"),
        ("order_id,amount".encode("utf-16-le"), "utf-16", "column_missing: No column customer_id, order_date. Found"),
        ("order_id,amount".encode("utf-16-be"), "utf-16-be", "column_missing: No column customer_id, order_date."),
        ("order_id,amount".encode("utf-32"), "utf-32", "column_missing: No column customer_id, order_date."),
        (b"PK\x03\x04 xl/workbook", "cp1252", "Excel workbook"),
        (b"\xff\xfe", "utf-16", "column_missing"),
        (HEADER.encode("utf-16"), "utf-8", "or declare its `encoding` for its source (docs/sources.md)"),
        (HEADER.encode("utf-16-le"), "utf-8", "seems to be UTF-16-LE. Save it as UTF-8, or declare its `encoding`"),
        (HEADER.encode() + b",\xe4\n", "utf-8", "header is not UTF-8. Save it as UTF-8, or declare its `encoding`"),
    ],
)
def test_a_file_of_another_encoding_is_set_aside_with_both_names(
    tmp_path: Path, content: bytes, encoding: str, says: str
) -> None:
    assert says in refusal(tmp_path, content, encoding=encoding)


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "koi8-r", "shift_jis", "gb18030", "utf-16", "cp037", "ascii"]
)
@pytest.mark.parametrize("block", [1, 1 << 20])
@pytest.mark.parametrize("odd", [b"", b"9,\xff,1,2026-03-04\n"])
def test_utf_8_is_never_read_by_another_encoding(
    tmp_path: Path, encoding: str, block: int, odd: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcode, "_BLOCK", block)
    content = f"{HEADER}\n1,Jörg Müller,1,2026-03-04\n2,東京,1,2026-03-05\n".encode() + odd
    if encoding == "ascii":  # by which each such letter rejects its row
        assert [row[PROBLEM] for row in read(tmp_path, content, encoding=encoding)][:2] == ["not_utf8", "not_utf8"]
        return

    message = refusal(tmp_path, content, encoding=encoding)

    if encoding in ("utf-16", "cp037"):  # its header is noticed
        assert message.startswith(("column_missing", "encoding_other: The header"))
    else:
        assert message.startswith("encoding_other: The file seems to be UTF-8, and the source 'acme' declares")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "né à Paris, Spaß…"),
        ("cp866", "мама мыла раму"),
        ("tis-620", "สมชาย ใจดี กรุงเทพมหานคร"),
        ("gbk", "王小明 韩梅梅 联通"),
        ("shift_jis", "ｱｲｳ 東京"),
        ("euc-kr", "김철수 이영희"),
    ],
)
def test_text_in_which_some_letters_are_utf_8_by_chance_is_read(tmp_path: Path, encoding: str, text: str) -> None:
    content = f"{HEADER}\n1,{text.replace(',', '')},1,2026-03-04\n".encode(encoding)

    assert [row["customer_id"] for row in read(tmp_path, content, encoding=encoding)] == [text.replace(",", "")]


def test_a_file_that_is_utf_8_by_chance_is_read_if_its_source_says_so(tmp_path: Path) -> None:
    content = f"{HEADER}\n1,Spaß…,1,2026-03-04\n".encode("cp1252")

    assert "declare `may_look_like_utf8 = true`" in refusal(tmp_path, content, encoding="cp1252")
    (row,) = read(tmp_path, content, encoding="cp1252", may_look_like_utf8=True)
    assert row["customer_id"] == "Spaß…"


def test_text_is_bounded_in_bytes_as_utf_8_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(f"{HEADER}\n".encode() + b"\x80" * 1_000)

    with pytest.raises(QuarantineError, match="expands_too_far: As UTF-8, the file has more than 2,000 bytes"):
        list(read_rows(tmp_path / "file", Reading(expanded_bytes=2_000, encoding="cp1252")))


def test_a_file_that_was_rewritten_is_never_taken_for_the_original(tmp_path: Path) -> None:
    read(tmp_path, f"{HEADER}\n1,ü,1,x\n".encode("cp1252"), encoding="cp1252")

    with pytest.raises(QuarantineError, match="encoding_other"):
        list(read_rows(tmp_path / "file", Reading(encoding="cp1252", source="acme")))


def test_utf_8_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcode, "_not_text", None)
    content = f"{HEADER}\n1,ü,1,x\n".encode()

    assert len(read(tmp_path, content, encoding="UTF8")) == len(read(tmp_path, content)) == 1
    assert (tmp_path / "file").read_bytes() == content


@settings(max_examples=150, deadline=None)
@given(
    encoding=st.sampled_from(sorted({*all_encodings()})),
    seed=st.integers(0, 2**32),
    noise=st.binary(max_size=40),
    before=st.integers(0, 3),
    delimiter=st.sampled_from(",;\t|^"),
    block=st.sampled_from([1, 3, 1 << 20]),
)
def test_what_was_written_in_an_encoding_reads_back_and_noise_breaks_nothing(
    encoding: str, seed: int, noise: bytes, before: int, delimiter: str, block: int
) -> None:
    odd = random.Random(seed)
    known = _characters(encoding)
    rows = [["".join(odd.choices(known, k=odd.randint(1, 8))) for _ in range(4)] for _ in range(odd.randint(0, 5))]
    text = StringIO()
    text.writelines("export of a shop\r\n" for _ in range(before))
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([REQUIRED_COLUMNS, *rows])
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(transcode, "_BLOCK", block)

        def again(content: bytes) -> list[list[str | None]]:
            by_chance = encoding != "utf-8"
            declared = {"encoding": encoding, "delimiter": delimiter, "skip_lines": before}
            return fields(read(Path(folder), content, may_look_like_utf8=by_chance, **declared))

        content = text.getvalue().encode(encoding)
        assert again(content) == [row for row in rows if "".join(row).strip()]
        with suppress(QuarantineError):
            again(content + noise)


def _characters(encoding: str) -> str:
    """Characters that the encoding can write and read back one by one, beside those of CSV."""
    candidates = 'aZ09 ,;"\nüßé€£ЖяΩ東京ｱ한א\u2028\x85'
    decode = codecs.getdecoder(encoding)
    return "".join(
        c for c in candidates if _written(c, encoding) and decode(_written(c, encoding))[0].strip("\ufeff") == c
    )


def _written(character: str, encoding: str) -> bytes:
    return character.encode(encoding, "ignore")
