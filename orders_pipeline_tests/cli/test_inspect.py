"""`orders-pipeline inspect`: which declaration it reads by, what it prints, how it exits."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline

ROWS = f"{HEADER}\n1,ann,10.00,2026-03-04\n1,ann,5.00,2026-03-04\n2,bob,1.00,2026-03-05\n"
SUMMED = '[[source]]\nname = "shop"\nkeys = "landing/shop/*"\nlines = "sum"\n'
LAST = '[[source]]\nname = "other"\nkeys = "landing/other/*"\nlines = "last"\n'


def unreachable(*_: object) -> None:
    pytest.fail("A local file needs neither Postgres nor S3.")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A local file, in a process that reaches no service."""
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(PostgresResource, "engine", unreachable)
    monkeypatch.setattr(S3Resource, "client", unreachable)
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(ROWS)
    return "orders.csv"


def test_the_example_of_the_page_prints_what_stands_below_it(file: str) -> None:
    page = (Path(__file__).parents[2] / "docs/sources.md").read_text().partition("## Try before it counts\n")[2]
    page = page.partition("\n## ")[0]
    files = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    command, expected = re.findall(r"^```(?:sh|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:2]
    for name, content in files:
        Path(name).write_text(content)

    assert [name for name, _ in files] == [file, "trial.toml"]
    assert call(*command.split()[1:]).output == expected


def test_the_page_lists_every_key_of_the_json(file: str) -> None:
    page = (Path(__file__).parents[2] / "docs/sources.md").read_text().partition("`--json` prints one object")[2]
    documented = set(re.findall(r"`(\w+)`", page.partition("\n## ")[0]))

    def keys(value: object) -> set[str]:
        nested = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        of_this = set(value) if isinstance(value, dict) and not value.keys() & {"counts", "order_date"} else set()
        return of_this.union(*map(keys, nested))

    Path(file).write_text(f"{ROWS}3,ann,x,2026-03-04\n")
    assert keys(json.loads(call("inspect", file, "--json").stdout)) <= documented


def declared(tmp_path: Path, toml: str) -> str:
    path = tmp_path / "sources.toml"
    path.write_text(toml)
    return str(path)


def revenue(*arguments: str) -> list[str]:
    found = json.loads(call("inspect", *arguments, "--json").stdout)
    return [day["amount"] for day in found["rows"]["days"]]


def test_a_local_file_is_read_as_if_nothing_was_declared_and_needs_no_service(file: str) -> None:
    done = call("inspect", file)

    assert done.exit_code == 0
    assert done.output == (
        """\
file        orders.csv
source      none: nothing is declared for it
result      would be loaded
read as     csv, UTF-8, delimiter comma, header in line 1
columns     order_id = order_id, customer_id = customer_id, amount = amount,
            order_date = order_date
unused      none
rows        3 = 3 counts
money       16.00 counts
replaced    1 row by another version of the order in the file, worth 10.00

day                 rows        orders  revenue
2026-03-04             2             1     5.00
2026-03-05             1             1     1.00

The first rows:
line  order_id  customer_id  amount  day         outcome
   2  1         ann           10.00  2026-03-04  counts
   3  1         ann            5.00  2026-03-04  counts
   4  2         bob            1.00  2026-03-05  counts
"""
    )
    assert not Path("home").exists()


def test_a_local_file_is_read_by_the_declaration_that_is_tried(file: str, tmp_path: Path) -> None:
    one, both = declared(tmp_path, SUMMED), str(tmp_path / "both.toml")
    Path(both).write_text(SUMMED + LAST)
    (tmp_path / "landing" / "shop").mkdir(parents=True)

    assert revenue(file) == ["5.00", "1.00"]
    assert revenue(file, "--sources", one) == ["15.00", "1.00"]  # there is no other
    assert revenue(file, "--sources", both, "--source", "shop") == ["15.00", "1.00"]
    assert revenue(file, "--sources", both, "--source", "other") == ["5.00", "1.00"]
    undecided = call("inspect", file, "--sources", both)
    assert (undecided.exit_code, "Say it with --source: shop, other" in undecided.output) == (2, True)
    unknown = call("inspect", file, "--sources", both, "--source", "typo")
    assert (unknown.exit_code, "No source is called 'typo'. Declared are: other, shop." in unknown.output) == (2, True)


def test_a_declaration_that_cannot_be_used_is_an_error(file: str, tmp_path: Path) -> None:
    done = call("inspect", file, "--sources", declared(tmp_path, SUMMED + 'colums = "x"\n'))

    assert done.exit_code == 2
    assert "source 'shop' colums: there is no such field" in done.output


def test_a_file_that_would_not_be_loaded_exits_with_one_and_shows_what_may_help(file: str) -> None:
    rows = "\n".join(f"{number};a;1.0{number % 10},5;04.03.2026" for number in range(30))
    Path(file).write_text(f"Bestellnummer;Kunde;Betrag;Datum\n{rows}\n".replace(".0", ""))

    done = call("inspect", file)

    assert done.exit_code == 1
    assert "would be quarantined: column_missing" in done.output
    assert '  columns.amount = "Betrag"' in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_a_file_in_another_encoding_than_declared_shows_the_declaration_that_helps(file: str) -> None:
    Path(file).write_text(f"{HEADER}\n1,J\u00f6rg,1.00,2026-03-04\n", encoding="utf-8")
    Path("trial.toml").write_text('[[source]]\nname = "acme"\nkeys = "landing/*"\nencoding = "cp1252"\n')

    done = call("inspect", file, "--sources", "trial.toml")

    assert done.exit_code == 1
    assert "would be quarantined: encoding_other" in done.output
    assert '  encoding = "utf-8"' in done.output


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b\x08broken", b"PK\x03\x04\x00\x00" * 9, b"\xff\xfeo\x00r\x00", b"a", b"{", b"[1]", b"\n"]
)
def test_bytes_that_are_no_orders_are_shown_as_such(file: str, content: bytes) -> None:
    Path(file).write_bytes(content)

    done = call("inspect", file)

    assert done.exit_code == 1
    assert "result      would be " in done.output
    assert call("inspect", file, "--draft").exit_code in (0, 2)


def test_what_a_sender_wrote_does_not_reach_the_terminal_as_commands(file: str) -> None:
    odd = "\x1b[31m\u202e\x9b\t"
    Path(file).write_text(f"{HEADER},{odd}x,Status\n{odd},{odd},{odd},{odd},1,{odd}\n" + "1,ann,1.00,2026-03-04,x,y\n")

    shown = (
        call("inspect", file).output + call("inspect", file, "--draft").output + call("inspect", file, "--json").output
    )

    assert "amount_not_decimal" in shown
    assert all(letter.isprintable() for letter in shown.replace("\n", ""))


def test_a_key_is_read_as_its_source_declares(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.declare(SUMMED)
    key = pipeline.land("shop/a.csv", ROWS)

    assert revenue(key) == ["15.00", "1.00"]
    assert revenue(key, "--sources", declared(tmp_path, LAST)) == ["5.00", "1.00"]
    assert "source      shop" in call("inspect", key).output
    assert pipeline.query("SELECT count(*) FROM ledger.landed_files") == [(0,)]


def test_a_local_file_can_be_read_as_a_source_of_the_ledger(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.declare(SUMMED)
    (tmp_path / "a.csv").write_text(ROWS)

    assert revenue(str(tmp_path / "a.csv"), "--source", "shop") == ["15.00", "1.00"]


def test_a_file_on_this_machine_wins_over_a_key_of_the_same_name(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = pipeline.land("shop/a.csv", ROWS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "landing/shop").mkdir(parents=True)
    (tmp_path / key).write_text(f"{HEADER}\n1,ann,7.00,2026-03-04\n")

    assert revenue(key) == ["7.00"]
    shutil.rmtree(tmp_path / "landing")
    assert revenue(key) == ["5.00", "1.00"]


@pytest.mark.parametrize("name", ["landing/none.csv", "other/a.csv"])
def test_what_is_neither_a_file_nor_a_key_is_an_error(pipeline: Pipeline, name: str) -> None:
    done = call("inspect", name)

    assert done.exit_code == 2
    assert f"'{name}' is neither a file on this machine nor a key under s3://" in done.output


def test_a_draft_is_toml_that_is_tried_as_it_is(file: str, tmp_path: Path) -> None:
    Path(file).write_text("Order ID,Customer,Total,Created at\n1,ann,1.50,2026-03-04\n")

    drafted = call("inspect", file, "--draft")

    assert drafted.exit_code == 0
    assert tomllib.loads(drafted.stdout)["source"][0]["keys"] == "landing/*orders.csv"
    assert revenue(file, "--sources", declared(tmp_path, drafted.stdout)) == ["1.50"]
    assert json.loads(call("inspect", file, "--json").stdout)["draft"] == drafted.stdout
