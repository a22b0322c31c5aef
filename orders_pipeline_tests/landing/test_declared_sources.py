"""Declared sources: rows that delete or are dropped, other columns, and what a change reaches of what was loaded."""

import re
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.errors import SourcesError
from orders_pipeline.ledger import declarations
from orders_pipeline.resources import S3Resource
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline.settings import read_settings
from orders_pipeline.tables import totals as all_totals
from orders_pipeline_tests.support.driver import HEADER, Pipeline
from orders_pipeline_tests.support.landed import statuses
from orders_pipeline_tests.support.ticks import run_all

DAY, NEXT, LATER = "2026-03-04", "2026-03-05", "2026-03-06"
CDC = 'deletes = { Op = ["D"] }'


def apply(tmp_path: Path, fields: str, *options: str, keys: str = "landing/*") -> str:
    """Declare one source, as a person does."""
    return apply_toml(tmp_path, f'[[source]]\nname = "acme"\nkeys = "{keys}"\n{fields}\n', *options)


def apply_toml(tmp_path: Path, toml: str, *options: str) -> str:
    file = tmp_path / "sources.toml"
    file.write_text(toml)
    done = CliRunner().invoke(main, ["sources", "apply", str(file), "--by", "ann", *options])
    assert done.exit_code == 0, done.output
    return str(done.output)


def cut_off(*_: object) -> None:
    raise AssertionError("Nothing is to be read from S3.")


# Rows that delete


@pytest.mark.parametrize("order", [["insert", "delete"], ["delete", "insert"]])
def test_a_row_that_deletes_takes_its_order_off_whichever_lands_first(
    pipeline: Pipeline, tmp_path: Path, order: list[str]
) -> None:
    apply(tmp_path, CDC)
    files = {
        "insert": ("a.csv", f"I,1,ann,5.00,{DAY},2026-03-04 10:00"),
        "delete": ("b.csv", "D,1,,,,2026-03-04 11:00"),
    }
    header = f"Op,{HEADER},updated_at"
    pipeline.land_rows("c.csv", f"I,2,bob,1.00,{NEXT},", header=header)
    for name in order:
        key, row = files[name]
        pipeline.land_rows(key, row, header=header)
        pipeline.sync()

    assert pipeline.revenue() == {NEXT: ("1.00", 1)}
    assert pipeline.orders("daily_orders").keys() == {"2"}
    assert pipeline.rejected() == []


def test_an_older_delete_does_not_take_off_a_later_version(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, CDC)
    header = f"Op,{HEADER},updated_at"
    pipeline.land_rows("a.csv", f"I,1,ann,5.00,{DAY},2026-03-04 12:00", "D,1,,,,2026-03-04 11:00", header=header)

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("5.00", 1)}


def test_a_delete_takes_an_order_off_every_day_that_it_had_and_rebuilds_no_other(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    apply(tmp_path, CDC)
    header = f"Op,{HEADER},updated_at"
    pipeline.land_rows("a.csv", f"I,1,ann,5.00,{DAY},2026-03-04 10:00", f"I,2,bob,1.00,{LATER},", header=header)
    pipeline.land_rows("b.csv", f"U,1,ann,6.00,{NEXT},2026-03-04 11:00", header=header)
    pipeline.sync()
    assert pipeline.revenue() == {NEXT: ("6.00", 1), LATER: ("1.00", 1)}

    pipeline.land_rows("c.csv", "D,1,,,,2026-03-04 12:00", header=header)
    done = pipeline.sync()

    assert pipeline.revenue() == {LATER: ("1.00", 1)}
    assert {str(day) for day in done.rebuilt["cleaned_orders"]} == {DAY, NEXT}
    assert set(done.failed_checks) == {"no_revenue_vanishes"}  # the day had no other order


def test_a_retracted_delete_brings_its_order_back(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, CDC)
    pipeline.land_rows("a.csv", f"I,1,ann,5.00,{DAY}", header=f"Op,{HEADER}")
    key = pipeline.land_rows("b.csv", "D,1,,,", header=f"Op,{HEADER}")
    pipeline.sync()
    assert pipeline.revenue() == {}

    assert CliRunner().invoke(main, ["retract", key]).exit_code == 0
    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("5.00", 1)}


def test_rows_are_conserved_by_outcome_in_number_and_money(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, f'{CDC}\nkeep = {{ Status = ["paid"] }}')
    pipeline.land_rows(
        "a.csv",
        f"I,paid,1,ann,5.00,{DAY}",
        f"I,draft,2,ann,7.00,{DAY}",
        f"I,draft,,ann,0.50,{DAY}",  # dropped: it needs no id
        f"I,paid,3,,11.00,{DAY}",
        "D,paid,,,13.00,",  # deletes nobody knows what
        "D,,4,,17.00,",
        header=f"Op,Status,{HEADER}",
    )

    assert pipeline.sync().is_complete

    columns = "rows, clean_rows, void_rows, clean_amount, void_amount, rejected_amount"
    ((*found,),) = pipeline.query(f"SELECT {columns} FROM ledger.landed_files")
    assert [str(value) for value in found] == ["6", "1", "3", "5.00", "24.50", "24.00"]
    assert [reason for _, _, reason, _ in pipeline.rejected()] == ["customer_id_missing", "order_id_missing"]
    with pipeline.connect() as connection:
        held = all_totals.totals(connection, read_settings())
    assert (held.rows, held.clean_orders, held.void_rows, sum(held.rejected_rows.values())) == (6, 1, 3, 2)
    outcomes = pl.read_parquet(_object(pipeline, "landing/a.csv"))["_outcome"].value_counts()
    assert dict(outcomes.rows()) == {"counts": 1, "void": 3, "rejected": 2}


def test_dropped_rows_are_no_rejects_and_an_order_cancelled_later_is_gone(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, 'drop = { Status = ["cancelled", "draft"] }')
    header = f"Status,{HEADER}"
    pipeline.land_rows(
        "a.csv", *[f"draft,d{n},ann,x,{DAY}" for n in range(30)], f"paid,1,ann,5.00,{DAY}", header=header
    )
    done = pipeline.sync()
    assert pipeline.revenue() == {DAY: ("5.00", 1)}
    assert done.failed_checks == {}

    pipeline.land_rows("b.csv", "cancelled,1,ann,5.00,", header=header)
    pipeline.sync()

    assert pipeline.revenue() == {}


def test_another_currency_than_the_declared_one_is_rejected(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, 'currency = "EUR"\ncurrency_column = "Currency"')
    pipeline.land_rows(
        "a.csv", f" eur ,1,ann,5.00,{DAY}", f"USD,2,ann,6.00,{DAY}", f",3,ann,7.00,{DAY}", header=f"Currency,{HEADER}"
    )

    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("5.00", 1)}
    assert [(number, reason) for _, number, reason, _ in pipeline.rejected()] == [
        (3, "currency_other"),
        (4, "currency_other"),
    ]
    assert pipeline.query("SELECT currencies FROM ledger.landed_files") == [(["EUR"],)]


# What a change of the declaration reaches


def test_a_quarantined_file_is_tried_again_by_the_declaration_that_fits(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", f"1;ann;5.00;{DAY}", header="Nr;Kunde;Betrag;Datum")
    pipeline.sync()
    assert statuses(pipeline) == {key: ("quarantined", "column_missing")}
    columns = 'columns = { order_id = "nr", customer_id = "Kunde", amount = "Betrag", order_date = "Datum" }'

    preview = apply(tmp_path, columns, "--dry-run")
    assert "1 file quarantined, to try again: landing/a.csv" in preview
    assert pipeline.status().pending == []
    apply(tmp_path, columns)

    assert pipeline.status().pending == [key]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("5.00", 1)}


def test_a_file_that_no_declaration_reads_is_tried_once_by_each(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY}", header="a,b,c,d")
    pipeline.sync()
    apply(tmp_path, 'columns = { order_id = "nr" }')

    assert pipeline.sync().runs > 0
    ((message,),) = pipeline.query("SELECT message FROM ledger.landed_files")
    assert "acme" in message or "No column" in message
    assert pipeline.sync().runs == 0


def test_rows_follow_a_declaration_from_the_lake_and_exactly_their_days_are_rebuilt(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.land_rows("x/a.csv", f"open,1,ann,5.00,{DAY}", f"paid,2,ann,1.00,{DAY}", header=f"Status,{HEADER}")
    pipeline.land_rows("x/b.csv", f"1,bob,6.00,{NEXT}")
    pipeline.land_rows("y.csv", f"open,9,ann,3.00,{LATER}", header=f"Status,{HEADER}")
    pipeline.sync()
    with monkeypatch.context() as patched:
        patched.setattr(S3Resource, "download", cut_off)

        said = apply(tmp_path, 'keep = { Status = ["paid"] }', keys="landing/x/a*")
        done = pipeline.sync()

    assert "1 file to validate again from the lake: landing/x/a.csv" in said
    assert pipeline.revenue() == {DAY: ("1.00", 1), NEXT: ("6.00", 1), LATER: ("3.00", 1)}
    assert {str(day) for day in done.rebuilt["cleaned_orders"]} == {DAY, NEXT}
    assert pipeline.sync().runs == 0

    apply_toml(tmp_path, "")  # and back
    pipeline.sync()
    assert pipeline.revenue()[LATER] == ("3.00", 1)
    assert statuses(pipeline)["landing/x/a.csv"] == ("loaded", None)


def test_columns_follow_a_declaration_by_reading_the_file_again(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY},4.20", header=f"{HEADER},Net")
    pipeline.sync()

    said = apply(tmp_path, 'columns = { amount = "Net" }')
    assert f"1 file to read again from S3: {key}" in said
    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("4.20", 1)}
    columns = pl.read_parquet(_object(pipeline, key)).columns
    assert "xamount" in columns  # the column of that name is another one now


def test_a_file_whose_original_is_gone_keeps_counting_and_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY},4.20", header=f"{HEADER},Net")
    pipeline.land_rows("b.csv", f"2,ann,1.00,{NEXT},1.00", header=f"{HEADER},Net")
    pipeline.sync()
    pipeline.remove("a.csv")
    apply(tmp_path, 'columns = { amount = "Net" }')

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("5.00", 1), NEXT: ("1.00", 1)}
    (kept,) = pipeline.status().quarantined
    assert (kept.key, kept.reason, kept.still_counts) == (key, "original_gone", True)
    assert "Upload it again" in kept.message
    assert pipeline.sync().runs == 0

    apply_toml(tmp_path, "")  # the declaration by which it was read holds again
    assert pipeline.sync().is_complete
    assert pipeline.status().quarantined == []

    pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY},4.20", header=f"{HEADER},Net")
    apply(tmp_path, 'columns = { amount = "Net" }')
    pipeline.sync()
    assert pipeline.revenue()[DAY] == ("4.20", 1)


def test_a_declaration_that_makes_rows_unreadable_changes_no_figure_and_names_the_file(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    key = pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY}")
    pipeline.sync()
    apply(tmp_path, 'keep = { Stauts = ["paid"] }')

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("5.00", 1)}
    (kept,) = pipeline.status().quarantined
    assert (kept.key, kept.reason, kept.still_counts) == (key, "column_missing", True)
    assert "Stauts" in kept.message
    assert pipeline.sync().runs == 0


def test_only_days_of_redeclared_files_wait_for_them(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("x.csv", f"open,1,ann,5.00,{DAY}", header=f"Status,{HEADER}")
    pipeline.land_rows("y.csv", f"2,ann,1.00,{NEXT}")
    pipeline.sync()
    apply(tmp_path, 'keep = { Status = ["paid"] }', keys="landing/x*")
    assert CliRunner().invoke(main, ["rebuild", DAY, LATER]).exit_code == 0

    asked = pipeline.run("stale_days", tags=_range(NEXT, NEXT))
    refused = pipeline.run("stale_days", tags=_range(DAY, DAY))

    assert asked.success
    assert not refused.success
    assert [str(day) for day in pipeline.stale("daily_orders")] == [DAY]
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {NEXT: ("1.00", 1)}


@pytest.mark.parametrize(
    ("column", "value"),
    [("Op", "D"), ("__deleted", "true"), ("_sdc_deleted_at", "2026-03-05T10:00:00Z"), ("_change_type", "delete")],
)
def test_what_the_message_about_a_change_log_says_can_be_declared(
    pipeline: Pipeline, tmp_path: Path, column: str, value: str
) -> None:
    pipeline.land_rows("a.csv", f",1,ann,5.00,{DAY}", f"{value},1,ann,5.00,{DAY}", header=f"{column},{HEADER}")
    pipeline.sync()
    (refused,) = pipeline.status().quarantined
    (fields,) = re.findall(r"`((?:deletes|keep) = [^`]+)`", refused.message)

    apply(tmp_path, fields)

    assert pipeline.sync().is_complete
    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == {}


def test_a_change_log_whose_declaration_is_gone_keeps_counting_as_declared(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, CDC)
    pipeline.land_rows("a.csv", f"I,1,ann,5.00,{DAY}", f"I,2,ann,1.00,{DAY}", "D,1,,,", header=f"Op,{HEADER}")
    pipeline.sync()

    apply_toml(tmp_path, "")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}
    assert [file.reason for file in pipeline.status().quarantined] == ["format_unsupported"]


def test_a_file_may_be_declared_anew_as_often_as_it_takes(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY}", header="a,b,c,d")
    for name in "efghijkl":
        apply(tmp_path, f'columns = {{ order_id = "{name}" }}')
        pipeline.sync()
        assert [file.reason for file in pipeline.status().quarantined] == ["column_missing"]

    apply(tmp_path, 'columns = { order_id = "a", customer_id = "b", amount = "c", order_date = "d" }')
    pipeline.sync()

    assert pipeline.revenue() == {DAY: ("5.00", 1)}


def test_a_dropped_row_without_an_id_hides_no_overlap(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, 'drop = { Status = ["draft"] }')
    pipeline.land_rows("a.csv", f"paid,1,ann,5.00,{DAY}", f"draft,,ann,1.00,{DAY}", header=f"Status,{HEADER}")
    pipeline.sync()
    assert CliRunner().invoke(main, ["retract", "landing/a.csv"]).exit_code == 0
    assert CliRunner().invoke(main, ["retract", "--undo", "landing/a.csv"]).exit_code == 0

    pipeline.land_rows("b.csv", f"paid,1,ann,6.00,{NEXT}", header=f"Status,{HEADER}")
    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {NEXT: ("6.00", 1)}


def test_a_recovery_of_an_intact_ledger_changes_no_file_that_is_kept(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"open,1,ann,5.00,{DAY}", f"paid,2,ann,1.00,{DAY}", header=f"Status,{HEADER}")
    pipeline.sync()
    for fields in ('keep = { Status = ["paid"] }', 'keep = { Stauts = ["paid"] }'):
        apply(tmp_path, fields)
        pipeline.sync()

    assert CliRunner().invoke(main, ["recover"]).exit_code == 0

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_columns_that_a_loaded_file_lacks_are_the_reason_that_is_named(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY}")
    pipeline.sync()
    apply(tmp_path, 'columns = { amount = "Net" }')

    assert pipeline.sync().is_complete
    (kept,) = pipeline.status().quarantined
    assert (kept.reason, kept.still_counts) == ("column_missing", True)
    assert "Net (amount)" in kept.message
    assert "as they were read before" in kept.message
    assert pipeline.revenue() == {DAY: ("5.00", 1)}
    assert pipeline.sync().runs == 0


def test_a_file_of_an_earlier_bucket_blocks_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY},4.00", header=f"{HEADER},Net")
    pipeline.sync()
    pipeline.remove("a.csv")
    pipeline.execute("UPDATE ledger.landed_files SET bucket = 'earlier'")
    pipeline.execute("UPDATE ledger.built_files SET bucket = 'earlier'")
    pipeline.execute("UPDATE analytics.rejected_orders SET bucket = 'earlier'")
    apply(tmp_path, 'columns = { amount = "Net" }')
    pipeline.land_rows("b.csv", f"2,ann,1.00,{DAY},1.00", header=f"{HEADER},Net")

    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("6.00", 2)}
    ((reason,),) = pipeline.query("SELECT reason FROM ledger.landed_files WHERE bucket = 'earlier'")
    assert reason == "original_gone"


@pytest.mark.parametrize("header", ["Status,{},Status", "status,{},STATUS"])
def test_two_columns_of_the_name_that_decides_are_refused(pipeline: Pipeline, tmp_path: Path, header: str) -> None:
    apply(tmp_path, 'drop = { Status = ["draft"] }')
    pipeline.land_rows("a.csv", f"paid,1,ann,5.00,{DAY},draft", header=header.format(HEADER))

    pipeline.sync()

    assert [file.reason for file in pipeline.status().quarantined] == ["column_twice"]


def test_a_column_that_an_alias_renames_is_named_by_what_it_is_read_as(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_COLUMN_ALIASES", "Kunde=customer_id")
    key = pipeline.land_rows(
        "a.csv", f"1,test,5.00,{DAY}", f"2,ann,1.00,{DAY}", header=HEADER.replace("customer_id", "Kunde")
    )
    apply(tmp_path, 'drop = { Kunde = ["test"] }')
    pipeline.sync()
    assert "is read as customer_id" in next(file.message for file in pipeline.status().quarantined if file.key == key)

    apply(tmp_path, 'drop = { customer_id = ["test"] }')
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"NR,kunde,amount,order_date\n1,test,5.00,{DAY}\n2,ann,1.00,{DAY}\n"),
        (
            "a.jsonl",
            f'{{"NR": "1", "kunde": "test", "amount": 5, "order_date": "{DAY}"}}\n'
            f'{{"NR": "2", "kunde": "ann", "amount": 1, "order_date": "{DAY}"}}\n',
        ),
    ],
)
def test_a_condition_may_name_a_column_that_is_declared_to_be_one_of_an_order(
    pipeline: Pipeline, tmp_path: Path, name: str, content: str
) -> None:
    apply(tmp_path, 'columns = { order_id = "Nr", customer_id = "Kunde" }\ndrop = { Kunde = ["test"] }')
    pipeline.land(name, content)

    pipeline.sync()

    assert pipeline.status().quarantined == []
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_a_sensor_does_not_wait_after_a_declaration(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"paid,1,ann,5.00,{DAY}", header=f"Status,{HEADER}")
    assert run_all(pipeline, s3_arrival_sensor) == 1
    for fields in ('keep = { Status = ["paid"] }', 'keep = { Status = ["open"] }', 'keep = { Status = ["paid"] }'):
        apply(tmp_path, fields)
        assert run_all(pipeline, s3_arrival_sensor) == 1, fields


# The source table


def test_a_condition_on_a_boolean_of_the_table_keeps_what_is_frozen(pipeline: Pipeline, tmp_path: Path) -> None:
    """Its text in the lake may be of a release that copied unused columns in another form."""
    pipeline.execute(
        "CREATE TABLE orders (order_id text, customer_id text, amount numeric, order_date date, paid bool)"
    )
    pipeline.execute(
        "INSERT INTO orders VALUES ('1', 'ann', 5, '2026-01-05', true), ('2', 'ann', 6, current_date, true)"
    )
    pipeline.sync()
    before = pipeline.revenue()
    declared = '[[source]]\nname = "shop"\ntable = "orders"\nfrozen_after = "30d"\n'

    apply_toml(tmp_path, declared + 'keep = { paid = ["true"] }')
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == before


def test_a_table_that_a_declaration_makes_readable_is_asked_by_the_sensor(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.execute("CREATE TABLE orders (id text, customer_id text, amount numeric, at date)")
    pipeline.execute(f"INSERT INTO orders VALUES ('1', 'ann', 5, '{DAY}')")
    pipeline.sync()
    apply_toml(
        tmp_path, '[[source]]\nname = "shop"\ntable = "orders"\ncolumns = { order_id = "id", order_date = "at" }'
    )

    assert run_all(pipeline, s3_arrival_sensor) == 1

    assert pipeline.revenue() == {DAY: ("5.00", 1)}


def test_the_table_has_a_source_of_its_own(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.execute("CREATE TABLE orders (id text, customer_id text, amount numeric(10,2), at date, gone boolean)")
    pipeline.execute(f"INSERT INTO orders VALUES ('1', 'ann', 5, '{DAY}', false), ('2', 'bob', 6, '{NEXT}', false)")
    source = '[[source]]\nname = "shop"\ntable = "orders"\n'
    apply_toml(tmp_path, f'{source}columns = {{ order_id = "id", order_date = "at" }}\ndeletes = {{ gone = ["true"] }}')
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("5.00", 1), NEXT: ("6.00", 1)}

    pipeline.execute("UPDATE orders SET gone = true WHERE id = '2'")
    assert pipeline.sync().is_complete

    assert pipeline.revenue() == {DAY: ("5.00", 1)}


def test_frozen_days_of_the_table_are_neither_compared_nor_retracted(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.execute("CREATE TABLE orders (order_id text, customer_id text, amount numeric(10,2), order_date date)")
    pipeline.execute("INSERT INTO orders VALUES ('1', 'ann', 5, '2026-01-05'), ('2', 'bob', 6, current_date)")
    pipeline.sync()
    before = pipeline.revenue()
    apply_toml(tmp_path, '[[source]]\nname = "shop"\ntable = "orders"\nfrozen_after = "30d"')

    pipeline.execute("DELETE FROM orders WHERE order_id = '1'")
    pipeline.execute("INSERT INTO orders VALUES ('3', 'bob', 1, '2026-01-06'), ('4', 'bob', 1, current_date)")
    assert pipeline.sync().is_complete

    after = pipeline.revenue()
    assert after["2026-01-05"] == before["2026-01-05"] == ("5.00", 1)
    assert "2026-01-06" not in after
    assert sorted(after.values()) == [("5.00", 1), ("7.00", 2)]

    apply_toml(tmp_path, "")
    assert pipeline.sync().is_complete
    assert "2026-01-05" not in pipeline.revenue()
    assert pipeline.revenue()["2026-01-06"] == ("1.00", 1)


# Scope


def test_ignored_keys_are_left_out_and_named_if_they_count_already(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.land_rows("a.csv", f"1,ann,5.00,{DAY}")
    pipeline.land("a.log", "no orders")
    pipeline.sync()
    assert [file.key for file in pipeline.status().quarantined] == ["landing/a.log"]
    apply(tmp_path, 'ignore = ["*.log", "*/old/*"]')
    pipeline.land_rows("old/b.csv", f"2,ann,1.00,{DAY}")

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("5.00", 1)}
    assert pipeline.status().quarantined == []
    assert pipeline.status().side_files == 2

    apply_toml(tmp_path, "")
    pipeline.sync()
    assert pipeline.revenue() == {DAY: ("6.00", 2)}
    assert [file.key for file in pipeline.status().quarantined] == ["landing/a.log"]


def test_a_source_has_its_own_share_of_rejects(pipeline: Pipeline, tmp_path: Path) -> None:
    rows = [f"{number},ann,1.00,{DAY}" for number in range(50)]
    pipeline.land_rows("x/a.csv", *rows, f"50,,1.00,{DAY}")
    pipeline.land_rows("y/a.csv", *[row.replace(",ann", "y,ann") for row in rows], f"51,,1.00,{DAY}")
    assert "few_rows_are_rejected" not in pipeline.sync().failed_checks
    apply(tmp_path, 'max_reject_share = "1%"', keys="landing/x/*")

    assert [file.key for file in pipeline.status().high_reject_rate] == ["landing/x/a.csv"]


# Applying


def test_a_declaration_that_cannot_be_used_changes_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, CDC)
    file = tmp_path / "bad.toml"
    for text, word in [
        ('[[source]]\nname = "x"\nkeys = "acme/*"', "'landing/'"),
        ('[[source]]\nname = "x"\ntable = "shop.orders"', "ORDERS_SOURCE_TABLE"),
        ('[[source]]\nname = "x"\nkeys = "landing/x/*"\nignore = ["landing/y/*"]', "ignore"),
        ("x", "TOML"),
    ]:
        file.write_text(text)
        done = CliRunner().invoke(main, ["sources", "apply", str(file)])
        assert done.exit_code != 0
        assert word in done.output
    file.write_bytes(b"# \xff")
    assert "UTF-8" in CliRunner().invoke(main, ["sources", "apply", str(file)]).output

    shown = CliRunner().invoke(main, ["sources", "show"]).output
    assert CDC in shown
    assert "by ann" in shown
    assert CliRunner().invoke(main, ["sources", "history"]).output.count("\n") == 1


def test_an_outage_of_the_lake_lets_the_declaration_before_hold(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(tmp_path, CDC)
    with monkeypatch.context() as patched:
        patched.setattr(type(s3.lake()), "write", _fail)
        with pytest.raises(OSError, match="full"):
            _invoke(["sources", "apply", str(tmp_path / "sources.toml")])

    assert CliRunner().invoke(main, ["sources", "history"]).output.count("\n") == 1


def test_recover_restores_the_declarations_that_a_backup_lacks(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, CDC)
    pipeline.land_rows("a.csv", f"I,1,ann,5.00,{DAY}", f"I,2,bob,1.00,{DAY}", "D,1,,,", header=f"Op,{HEADER}")
    pipeline.sync()
    apply(tmp_path, f'{CDC}\nkeep = {{ customer_id = ["bob"] }}')
    pipeline.sync()
    before = pipeline.revenue()
    pipeline.execute("DELETE FROM ledger.source_declarations WHERE toml LIKE '%keep%'")  # as in an older backup

    done = CliRunner().invoke(main, ["recover"])

    assert "restored from the lake: the sources applied" in done.output
    with postgres.ledger().connect() as connection:
        assert declarations.current(connection).of_key("landing/a.csv").keep == {"customer_id": ("bob",)}
    assert pipeline.sync().is_complete
    assert pipeline.revenue() == before
    assert "restored from the lake" not in CliRunner().invoke(main, ["recover"]).output


def test_an_emptied_ledger_is_completed_from_declared_objects(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tmp_path, CDC)
    pipeline.land_rows("a.csv", f"I,1,ann,5.00,{DAY}", f"I,2,bob,1.00,{DAY}", "D,1,,,", header=f"Op,{HEADER}")
    pipeline.sync()
    pipeline.remove("a.csv")
    for table in ("landed_files", "order_days", "built_days", "built_files", "shared_orders", "source_declarations"):
        pipeline.execute(f"DELETE FROM ledger.{table}")

    CliRunner().invoke(main, ["recover"])

    assert pipeline.sync().is_complete
    assert pipeline.revenue() == {DAY: ("1.00", 1)}


def test_a_declaration_that_could_not_be_recorded_is_not_recovered(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(tmp_path, CDC)
    with monkeypatch.context() as patched:
        patched.setattr(declarations, "append", _fail)
        (tmp_path / "sources.toml").write_text("")
        with pytest.raises(OSError, match="full"):
            _invoke(["sources", "apply", str(tmp_path / "sources.toml")])

    assert "restored from the lake" not in CliRunner().invoke(main, ["recover"]).output


def test_a_recovery_leaves_the_order_of_declarations_whatever_the_clocks_showed(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    apply(tmp_path, CDC)
    pipeline.execute("UPDATE ledger.source_declarations SET applied_at = now() + interval '1 hour'")
    apply(tmp_path, 'ignore = ["*.log"]')

    assert "restored from the lake" not in CliRunner().invoke(main, ["recover"]).output
    with postgres.ledger().connect() as connection:
        assert declarations.current(connection).ignores("landing/a.log")


def test_a_declaration_of_a_newer_release_stops_work_with_a_clear_error(pipeline: Pipeline) -> None:
    pipeline.execute("INSERT INTO ledger.source_declarations (toml, applied_by) VALUES (:toml, 'x')", toml="colour = 1")

    with pytest.raises(SourcesError, match="colour"):
        pipeline.sync()


def _object(pipeline: Pipeline, key: str) -> Path:
    ((path,),) = pipeline.query("SELECT path FROM ledger.landed_files WHERE key = :key AND active", key=key)
    return Path(s3.lake().uri) / str(path)


def _range(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _fail(*_: object) -> None:
    raise OSError(28, "The disk is full")


def _invoke(arguments: list[str]) -> None:
    CliRunner().invoke(main, arguments, catch_exceptions=False)
