"""Declarations: what is accepted, what is refused and by which words, and which source a key has."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from orders_pipeline.errors import SourcesError
from orders_pipeline.sources.declaration import PLAIN, Source, parse

ACME = """
[defaults]
max_reject_share = "2%"
deletes = { Op = ["D"] }

[[source]]
name = "acme"
keys = "landing/acme/*"
columns = { order_id = "Nr", amount = "Betrag" }
keep = { Status = ["paid", "refunded"] }

[[source]]
name = "acme-returns"
keys = "landing/acme/returns/*"
deletes = {}
max_reject_share = "10%"

[[source]]
name = "shop"
table = "shop.orders"
frozen_after = "60d"
currency = "EUR"
"""


def test_a_declaration_that_says_nothing_is_the_plain_reading() -> None:
    assert parse("").undeclared == PLAIN
    assert PLAIN.bytes_hash is PLAIN.rows_hash is None
    assert PLAIN.reading == {}


def test_the_pattern_with_most_literal_characters_holds() -> None:
    sources = parse(ACME)

    assert sources.of_key("landing/acme/1.csv").name == "acme"
    assert sources.of_key("landing/acme/returns/1.csv").name == "acme-returns"
    assert sources.of_key("landing/other/1.csv") == sources.undeclared
    assert sources.of("", "table:orders/2026-03-04").name == "shop"


def test_defaults_hold_what_no_source_says() -> None:
    sources = parse(ACME)

    assert sources.undeclared.deletes == sources.of_key("landing/acme/1.csv").deletes == {"Op": ("D",)}
    assert sources.of_key("landing/acme/returns/1.csv").deletes == {}
    assert sources.of_key("landing/acme/1.csv").max_reject_share == Decimal("0.02")
    assert sources.of_table.frozen_after == timedelta(days=60)


def test_the_name_the_keys_and_the_scope_change_no_hash() -> None:
    one = Source(name="a", keys="a*", columns={"amount": "Total"}, drop={"S": ("x",)}, ignore=("*.tmp",))
    other = Source(name="b", keys="b*", columns={"amount": "Total"}, drop={"S": ("x",)})

    assert (one.bytes_hash, one.rows_hash) == (other.bytes_hash, other.rows_hash)
    assert one.bytes_hash != Source(columns={"amount": "Sum"}).bytes_hash
    assert one.rows_hash != Source(drop={"S": ("y",)}).rows_hash


def test_a_reading_survives_the_metadata_of_an_object() -> None:
    source = parse(ACME).of_key("landing/acme/1.csv")

    again = Source.of_reading(json.loads(json.dumps(source.reading)))

    assert (again.bytes_hash, again.rows_hash) == (source.bytes_hash, source.rows_hash)
    assert again.keep == source.keep


SOURCE = '[[source]]\nname = "acme"\nkeys = "landing/acme/*"\n'


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("a b = 1", ["not TOML", "line 1"]),
        ("[[sources]]\n", ["sources: there is no such table"]),
        ("source = 1", ["[[source]]"]),
        ('[[source]]\nkeys = "a*"', ["source 'number 1' has no name"]),
        ('[[source]]\nname = "acme"', ["'acme'", "either keys or table"]),
        ('[[source]]\nname = "Acme Ltd"\nkeys = "a*"', ["'Acme Ltd'", "name", "lower-case"]),
        (f"{SOURCE}colums = {{}}", ["'acme'", "colums: there is no such field"]),
        (f'{SOURCE}columns = {{ total = "T" }}', ["'acme'", "columns.total", "'amount'"]),
        (f'{SOURCE}columns = {{ amount = "T", order_id = "t " }}', ["'t '", "both"]),
        (f'{SOURCE}columns = {{ amount = "" }}', ["'acme'", "columns.amount", "empty"]),
        (f'{SOURCE}keep = {{ Status = "paid" }}', ["'acme'", "keep.Status", "list of texts"]),
        (f"{SOURCE}keep = {{ Status = [1] }}", ["'acme'", "keep.Status", "text in quotes"]),
        (f"{SOURCE}drop = {{ Status = [] }}", ["'acme'", "drop", "Status", "empty"]),
        (f'{SOURCE}keep = {{ S = ["a"] }}\ndrop = {{ S = ["b"] }}', ["'acme'", "keep and drop", "'S'"]),
        (f'{SOURCE}keep = {{ S = ["a"], s = ["b"] }}', ["'acme'", "keep", "twice"]),
        (f'[defaults]\ndrop = {{ S = ["a"] }}\n{SOURCE}keep = {{ s = ["b"] }}', ["'acme'", "'S'", "[defaults]"]),
        (f'{SOURCE}currency = "euro"', ["'acme'", "currency", "'EUR'"]),
        (f"{SOURCE}max_reject_share = 0.01", ["'acme'", "max_reject_share", "'1%'"]),
        (f'{SOURCE}max_reject_share = "200%"', ["'acme'", "max_reject_share"]),
        (f'{SOURCE}frozen_after = "60d"', ["'acme'", "frozen_after", "table"]),
        (f'{SOURCE}format = "xlsx"', ["'acme'", "format", "'csv', 'json' or 'parquet'"]),
        (f'{SOURCE}encoding = "windows"', ["'acme'", "encoding", "'windows' is no encoding that Python has"]),
        (f'{SOURCE}encoding = "hex"', ["'acme'", "encoding", "'hex'"]),
        (f'{SOURCE}encoding = "undefined"', ["'acme'", "encoding", "'undefined'"]),
        (f'{SOURCE}encoding = "idna"', ["'acme'", "encoding", "'idna' is no encoding of files"]),
        (f'{SOURCE}encoding = "unicode_escape"', ["'acme'", "encoding", "no encoding of files"]),
        (f'{SOURCE}encoding = "a\\u0000b"', ["'acme'", "encoding", "no encoding"]),
        (f'{SOURCE}encoding = "ü \\" "', ["'acme'", "encoding", "no encoding"]),
        (f'{SOURCE}encoding = ""', ["'acme'", "encoding", "'' is no encoding"]),
        (f'{SOURCE}format = "parquet"\nencoding = "cp1252"', ["'acme' encoding: it says nothing about parquet files"]),
        (f'{SOURCE}delimiter = ""', ["'acme'", "delimiter", "'' is no delimiter"]),
        (f'{SOURCE}delimiter = ";;"', ["'acme'", "delimiter", "';;' is no delimiter", "one character"]),
        (f'{SOURCE}delimiter = "\\""', ["'acme'", "delimiter", "quote"]),
        (f'{SOURCE}delimiter = "\\n"', ["'acme'", "delimiter", "line end"]),
        (f'{SOURCE}delimiter = "1"', ["'acme'", "delimiter", "'1'"]),
        (f"{SOURCE}skip_lines = -1", ["'acme'", "skip_lines"]),
        (f"{SOURCE}skip_lines = 1001", ["'acme'", "skip_lines", "1000"]),
        (f'{SOURCE}skip_lines = "2"', ["'acme'", "skip_lines", "integer"]),
        (f'{SOURCE}format = "json"\ndelimiter = ";"', ["'acme' delimiter: it says nothing about json files"]),
        (f'{SOURCE}format = "parquet"\nskip_lines = 1', ["'acme' skip_lines: it says nothing about parquet files"]),
        (f'{SOURCE}json_records = "a..b"', ["'acme'", "json_records", "'a..b' is no path of keys like 'data.orders'"]),
        (f'{SOURCE}json_records = ""', ["'acme'", "json_records", "no path"]),
        (f'{SOURCE}json_records = ".orders[]"', ["'acme'", "json_records", "no path"]),
        (f'{SOURCE}format = "csv"\njson_records = "a"', ["'acme' json_records: it says nothing about csv files"]),
        (f'{SOURCE}skip_lines = 1\njson_records = "a"', ["'acme' json_records: it says nothing about csv files"]),
        (f'[defaults]\nformat = "json"\n{SOURCE}skip_lines = 1', ["'acme' skip_lines: it says nothing"]),
        ('[defaults]\nformat = "json"\ndelimiter = ";"', ["[defaults] delimiter: it says nothing"]),
        ('[[source]]\nname = "shop"\ntable = "orders"\nskip_lines = 1', ["'shop' skip_lines: only a source with keys"]),
        (f'{SOURCE}decimal = ","\nthousands = ","', ["'acme'", "decimal and thousands", "','"]),
        (f'{SOURCE}thousands = "."', ["'acme'", "decimal and thousands", "'.'"]),
        (f'{SOURCE}expected = "hourly"', ["'acme'", "expected", "'daily 07:00'"]),
        ('[[source]]\nname = "t"\ntable = "x"\nexpected = "daily 07:00"', ["'t'", "expected", "keys"]),
        (f'{SOURCE}decimal = ";"', ["'acme'", "decimal", "','"]),
        (f'{SOURCE}date_formats = ["%d.%m"]', ["'acme'", "date_formats", "'%d.%m'", "year"]),
        (f'{SOURCE}date_formats = ["%d.%m.%Y %Q"]', ["'acme'", "date_formats", "%Q", "%H"]),
        (f'{SOURCE}date_formats = ["%d.%m.%Y %I:%M"]', ["'acme'", "date_formats", "%I without %p"]),
        (f'{SOURCE}date_formats = ["%d.%m.%Y %S"]', ["'acme'", "date_formats", "%S without %M"]),
        (f'{SOURCE}date_formats = ["%d.%d.%m.%Y"]', ["'acme'", "date_formats", "twice"]),
        (f'{SOURCE}date_formats = ["%d.%m.%Y%"]', ["'acme'", "date_formats", "%"]),
        (f'{SOURCE}date_formats = "%d.%m.%Y"', ["'acme'", "date_formats", "list of texts"]),
        (f'{SOURCE}timezone = "Berlin"', ["'acme'", "timezone", "'Europe/Berlin'"]),
        (f'{SOURCE}timezone = "../x"', ["'acme'", "timezone", "'Europe/Berlin'"]),
        (f'{SOURCE}date_from_key = "%Y-%m-%d"', ["'acme'", "date_from_key", "brackets"]),
        (f'{SOURCE}date_from_key = "(%Y-%m-%d %H)"', ["'acme'", "date_from_key", "%H"]),
        (
            f'{SOURCE}date_from_key = "(%Y-%m-%d)"\ncolumns = {{ order_date = "D" }}',
            ["'acme'", "date_from_key", "columns"],
        ),
        ('[[source]]\nname = "t"\ntable = "x"\ndate_from_key = "(%Y-%m-%d)"', ["'t'", "date_from_key", "keys"]),
        (f'{SOURCE}customer_default = " "', ["'acme'", "customer_default", "empty"]),
        (f'{SOURCE}ignore = "*.tmp"', ["'acme'", "ignore", "list of texts"]),
        (f"{SOURCE}{SOURCE}", ["'acme'", "twice"]),
        ('[defaults]\nkeys = "a*"', ["[defaults] keys"]),
        ('[defaults]\ncurrency = "x"', ["[defaults] currency"]),
        (
            '[[source]]\nname = "a"\ntable = "x"\n[[source]]\nname = "b"\ntable = "y"',
            ["one source table"],
        ),
        (
            '[[source]]\nname = "a"\nkeys = "landing/*1"\n[[source]]\nname = "b"\nkeys = "landing/2*"',
            ["'a' and 'b'", "'landing/*1'", "equally exact"],
        ),
    ],
)
def test_a_bad_declaration_names_source_and_field(toml: str, words: list[str]) -> None:
    with pytest.raises(SourcesError) as error:
        parse(toml)

    assert all(word in str(error.value) for word in words), str(error.value)


def test_every_problem_is_named_at_once_and_a_default_only_once() -> None:
    with pytest.raises(SourcesError) as error:
        parse(f'[defaults]\ncurrency = "x"\n{SOURCE}foo = 1\n{SOURCE.replace("acme", "beta")}bar = 1')

    message = str(error.value)
    assert message.count("no currency code") == 1
    assert "foo" in message
    assert "bar" in message


def test_what_defaults_say_is_no_conflict_of_a_source_that_does_not_say_it() -> None:
    sources = parse(f'[defaults]\nfrozen_after = "60d"\n{SOURCE}')

    assert sources.of_table.frozen_after == timedelta(days=60)


def test_patterns_that_share_no_key_may_be_equally_exact() -> None:
    assert len(parse('[[source]]\nname = "a"\nkeys = "x/*"\n[[source]]\nname = "b"\nkeys = "y/*"').declared) == 2


def test_how_files_are_written_does_not_concern_the_table() -> None:
    of_files = 'delimiter = ";"\nencoding = "utf-16"\njson_records = "a"\ndate_from_key = "(%Y%m%d)"'
    sources = parse(f'[defaults]\n{of_files}\nlines = "sum"\n[[source]]\nname = "shop"\ntable = "t"\n')

    assert sources.of_table == parse('[defaults]\nlines = "sum"\n[[source]]\nname = "shop"\ntable = "t"\n').of_table
    assert sources.of_table.bytes_hash is None
    assert sources.of_table.declares_lines
    assert parse(f"[defaults]\n{of_files}").of_table == PLAIN


def test_a_default_that_says_nothing_about_the_format_of_a_source_is_no_problem() -> None:
    (source,) = parse(f'[defaults]\ndelimiter = ";"\n{SOURCE}format = "json"').declared

    assert source.format == "json"


@pytest.mark.parametrize("names", [("UTF8", "utf-8-sig", "u8"), ("windows-1252", "cp1252"), ("Latin1", "ISO-8859-1")])
def test_an_encoding_has_one_name(names: tuple[str, ...]) -> None:
    assert len({Source(encoding=name).bytes_hash for name in names}) == 1
    assert (Source(encoding=names[0]).bytes_hash is None) == (names[0] == "UTF8")


def test_a_declaration_says_what_minor_units_are_if_it_names_no_currency() -> None:
    (remark,) = parse(f'{SOURCE}amount_unit = "minor"').remarks

    assert "acme" in remark
    assert "hundredths" in remark
    assert parse(f'{SOURCE}amount_unit = "minor"\ncurrency = "JPY"').remarks == []
