"""CSV as a source declares it: lines before the header, and any delimiter."""

import csv
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats import delimited, delimited_fast
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import PROBLEM, REQUIRED_COLUMNS, ROW_NUMBER, TEXT
from orders_pipeline_tests.support.declared import HEADER, ONE_ROW, ROW, read, refusal
from orders_pipeline_tests.support.files import ORDER, fields

# Lines before the header


@pytest.mark.parametrize(
    ("before", "skip_lines"),
    [
        ("Orders report\nGenerated: 2026-03-06 06:00\n\n", 3),
        ("Orders report\nGenerated: 2026-03-06 06:00\n\n", 2),  # blank lines before the header are none of it anyway
        ("# exported by shop 1.2\n", 1),
        ('An "unclosed quote\r\n', 1),
        ("cut by CR alone\r", 1),
        ("order_id,customer_id,amount,order_date\n", 1),  # a header that is not the one
        ("[report]\n", 1),
        ('{"report": 1}\n', 1),
        ("Umsätze\udcff, not UTF-8\n", 1),
        ("sep=,\n", 1),
        ("Report\nsep=,\n", 1),
        ("x" * 200_000 + "\n", 1),
        ("\n" * 1_000, 1_000),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_declared_lines_before_the_header_are_skipped_and_counted(
    tmp_path: Path, before: str, skip_lines: int, mark: str
) -> None:
    content = f"{mark}{before}{HEADER}\n{ROW}\n1,a\n".encode("utf-8", "surrogateescape")

    rows = read(tmp_path, content, skip_lines=skip_lines)

    assert fields(rows[:1]) == ONE_ROW
    first = before.replace("\r", "\n").replace("\n\n", "\n" * 2).count("\n") - before.count("\r\n") + 2
    assert [(row[ROW_NUMBER], row[PROBLEM], row[TEXT]) for row in rows] == [
        (first, None, None),
        (first + 1, "field_count", "1,a"),
    ]


@pytest.mark.parametrize(
    ("content", "skip_lines", "says"),
    [
        (
            f"Report\n\nx\n{HEADER}\n{ROW}\n",
            1,
            "in line 4. Declare `skip_lines = 3` for the source 'acme' instead of 1.",
        ),
        (f"Report\n{HEADER}\n{ROW}\n", 2, "in line 2. Declare `skip_lines = 1` for the source 'acme' instead of 2."),
        (f"{HEADER}\n{ROW}\n", 2, "in line 1. Declare `skip_lines = 0`"),
        (f"{HEADER}\n{ROW}\n", 900, "in line 1. Declare `skip_lines = 0`"),
        ("Report\nNr,Kunde,Betrag,Datum\n1,2,3,4\n", 2, "in line 2, with other names. Declare `skip_lines = 1`"),
        ("Report\n", 1, "since 1 lines are skipped before the header (skip_lines of 'acme')"),
    ],
)
def test_a_header_in_another_line_than_declared_is_named(
    tmp_path: Path, content: str, skip_lines: int, says: str
) -> None:
    message = refusal(tmp_path, content, skip_lines=skip_lines)

    assert message.startswith("column_missing: ")
    assert says in message


def test_lines_to_skip_are_bounded_in_memory_as_any_line_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5_000_000)

    with pytest.raises(QuarantineError, match="row_too_long"):
        list(read_rows(tmp_path / "file", Reading(field_chars=1_000, skip_lines=1)))


# Delimiters


@pytest.mark.parametrize(
    "delimiter", [",", ";", "\t", "|", "^", "~", ":", " ", "\x01", "\x1f", "§", "¦", "€", "þ", "𝄞"]
)
@pytest.mark.parametrize("piece", [30, 1 << 20])
def test_any_character_may_separate_fields(
    tmp_path: Path, delimiter: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited_fast, "_PIECE", piece)
    rows = [f"{n},ann,0{'' if delimiter == ',' else ','}50,2026-03-04" for n in range(5)]
    lines = [HEADER, *(row.replace("0,50", "0\v50") for row in rows), ",,,", '9,"a b",1,2026-03-04', "1,2"]
    content = "\n".join(line.replace(",", delimiter).replace("\v", ",") for line in lines)

    found = read(tmp_path, content, delimiter=delimiter)

    value = "050" if delimiter == "," else "0,50"
    assert fields(found) == [
        *([str(n), "ann", value, "2026-03-04"] for n in range(5)),
        ["9", "a b", "1", "2026-03-04"],
        [None] * 4,
    ]
    assert (found[-1][PROBLEM], found[-1][TEXT], found[-1][ROW_NUMBER]) == ("field_count", f"1{delimiter}2", 9)


@pytest.mark.parametrize("delimiter", ["§", "𝄞"])
def test_a_delimiter_of_several_bytes_is_read_as_fast_and_stays_text_where_it_is_quoted(
    tmp_path: Path, delimiter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [HEADER, '1,"a,b",1.50,2026-03-04', "2,\x1fbob\x1e,1.50,2026-03-04"]
    content = "\n".join(line.replace(",", delimiter) for line in lines) + "\n"
    expected = [["1", f"a{delimiter}b", "1.50", "2026-03-04"], ["2", "\x1fbob\x1e", "1.50", "2026-03-04"]]

    with monkeypatch.context() as careful:
        careful.setattr(delimited, "_batches", None)
        assert fields(read(tmp_path, content, delimiter=delimiter)) == expected
    content = content.replace("bob", "\x1c\x1d")  # now no byte is left to stand for it
    expected[1][1] = "\x1f\x1c\x1d\x1e"
    assert fields(read(tmp_path, content, delimiter=delimiter)) == expected


UNCLEAR = (
    f"order_id;customer_id;amount;order_date;a,order_id,customer_id,amount,order_date,b\n1;b;2;2026-03-05;x,{ROW},y\n"
)


def test_a_declared_delimiter_decides_where_the_header_does_not(tmp_path: Path) -> None:
    assert "Declare the `delimiter` of its source" in refusal(tmp_path, UNCLEAR)

    assert fields(read(tmp_path, UNCLEAR, delimiter=";")) == [["1", "b", "2", "2026-03-05"]]
    assert fields(read(tmp_path, UNCLEAR, delimiter=",")) == ONE_ROW


@pytest.mark.parametrize("delimiter", ["^", ":", "§"])
def test_another_delimiter_than_usual_is_told_how_to_be_declared(tmp_path: Path, delimiter: str) -> None:
    content = f"{HEADER}\n{ROW}\n".replace(",", delimiter)

    assert "as the `delimiter` of its source" in refusal(tmp_path, content)
    assert fields(read(tmp_path, content, delimiter=delimiter)) == ONE_ROW


def test_another_delimiter_than_declared_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, f"{HEADER}\n{ROW}\n", delimiter=";")

    assert "can be read with ',', and the source 'acme' declares `delimiter = ';'`" in message


# Reads back


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), max_size=12)
_DELIMITERS = st.sampled_from([*",;\t|^~: \x01\x1f§€𝄞"])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(_TEXT, _TEXT, _TEXT, _TEXT).filter(lambda row: "".join(row).strip()), max_size=8),
    before=st.lists(_TEXT.filter(lambda text: not {*"\r\n"} & {*text}), max_size=4),
    delimiter=_DELIMITERS,
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    piece=st.sampled_from([40, 1 << 20]),
)
@example(rows=[('="1"', "", "", "")], before=['"'], delimiter="€", line_end="\r", piece=40)
def test_what_was_written_with_a_declaration_reads_back_by_it(
    rows: list[tuple[str, ...]], before: list[str], delimiter: str, line_end: str, piece: int
) -> None:
    text = StringIO()
    text.writelines(f"{line}{line_end}" for line in before)
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([REQUIRED_COLUMNS, *rows])
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(delimited_fast, "_PIECE", piece)
        found = read(Path(folder), text.getvalue(), delimiter=delimiter, skip_lines=len(before))

    assert [row[PROBLEM] for row in found] == [None] * len(rows)
    assert [[row[name] for name in ORDER] for row in found] == [[_shown(field) for field in row] for row in rows]


def _shown(field: str) -> str:
    """`="00777"` is 00777."""
    text = field.strip()
    return text[2:-1].replace('""', '"') if text.startswith('="') and text.endswith('"') and len(text) > 2 else field
