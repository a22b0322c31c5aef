"""The checks no_order_replaces_another and repeated_orders_agree: what replaced an order may be another order, or
another part of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline_tests.support.checks import WARN, evaluate
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, check_results

REPLACES, REPEATED, SHRUNK = "no_order_replaces_another", "repeated_orders_agree", "summed_orders_are_whole"
D, E = "2026-03-04", "2026-03-05"
TABLE = f"table:orders/{E}"


@dataclass(frozen=True)
class Given:
    """Files that land one after the other, the last column of each row an `updated_at`, rows of the source table, and a
    declaration."""

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    table: tuple[str, ...] = ()
    sources: str = ""

    def arrive(self, pipeline: Pipeline, folder: Path) -> Mapping[str, object]:
        """Let all of it arrive; the results of a run's checks."""
        if self.sources:
            (folder / "sources.toml").write_text(self.sources)
            assert call("sources", "apply", str(folder / "sources.toml")).exit_code == 0
        if self.table:
            pipeline.execute(f"CREATE TABLE orders ({', '.join(f'{name} text' for name in HEADER.split(','))})")
            for row in self.table:
                quoted = ", ".join(f"'{text}'" for text in row.split(","))
                pipeline.execute(f"INSERT INTO orders VALUES ({quoted})")
        for key, rows in self.files.items():
            pipeline.land_rows(key, *rows, header=f"{HEADER},updated_at")
        return check_results(pipeline.run("s3_arrival"))


@dataclass(frozen=True)
class Named(Given):
    """What is named: the file, how many orders, the money, and the rest of the message."""

    key: str = ""
    rows: int = 0
    amount: str = ""
    words: str = ""


def source(name: str, keys: str, more: str = "") -> str:
    return f"[[source]]\nname = '{name}'\nkeys = '{keys}'\n{more}\n"


OTHER_ORDERS = {
    "two shops": Named(
        {"shop-a/1.csv": (f"1001,anna,100.00,{D},",), "shop-b/1.csv": (f"1001,bert,10.00,{D},",)},
        key="landing/shop-b/1.csv",
        rows=1,
        amount="100.00",
        words="landing/shop-b/1.csv replaced 1 order worth 100.00 of landing/shop-a/1.csv"
        " (1 of another sender, 1 of another customer; for example 1001)",
    ),
    "copies beside other orders": Named(
        {
            "a/1.csv": (f"1,ann,1.00,{D},", f"2,ann,2.00,{D},", f"3,ann,4.00,{D},"),
            "b/1.csv": (f"1,ann,1.00,{D},", f"2,ann,2.50,{D},", f"3,ann,4.00,{E},"),
        },
        key="landing/b/1.csv",
        rows=2,
        amount="6.00",
        words="(2 of another sender; for example 2, 3)",
    ),
    "two shops with one customer": Named(
        {f"shop-{n}/{D}/1.csv": (f"1,ann,{n}.00,{D},", f"2,ann,{n}.00,{D},") for n in (1, 2)},
        key=f"landing/shop-2/{D}/1.csv",
        rows=2,
        amount="2.00",
        words="(2 of another sender; for example 1, 2)",
    ),
    "three shops": Named(
        {f"{shop}/1.csv": (f"1,{shop},{n}0.00,{D},",) for n, shop in enumerate("abc", start=1)},
        key="landing/c/1.csv",
        rows=2,
        amount="30.00",
        words="replaced 2 orders worth 30.00 of landing/b/1.csv, landing/a/1.csv",  # the most money first
    ),
    "another customer in one folder": Named(
        {
            "a.csv": (f"1,ann,100.00,{D},", f"2,bob,50.00,{D},", f"3,cid,7.00,{E},"),
            "b.csv": (f"1,ann,90.00,{D},", f"2,dan,60.00,{D},", f"3,cid,8.00,{E},"),
        },
        key="landing/b.csv",
        rows=1,
        amount="50.00",
        words="of landing/a.csv (1 of another customer; for example 2)",
    ),
    "another customer of a row with updated_at": Named(
        {"a.csv": (f"1,ann,1.00,{D},2026-03-06", f"1,bob,2.00,{D},2026-03-07")},
        key="landing/a.csv",
        rows=1,
        amount="1.00",
        words="(1 of another customer; for example 1)",
    ),
    "another customer and the same amount": Named(
        {"a.csv": (f"1,ann,1.00,{D},", f"1,bob,1.00,{D},")},
        key="landing/a.csv",
        rows=1,
        amount="1.00",
        words="(1 of another customer; for example 1)",
    ),
    "a file and the source table": Named(
        {"a.csv": (f"1,ann,2.00,{D},",)},
        (f"1,ann,1.00,{E}",),
        key="landing/a.csv",
        rows=1,
        amount="1.00",
        words=f"of {TABLE} (1 of another sender; for example 1)",
    ),
    "another day of the source table": Named(
        {}, (f"1,ann,1.00,{D}", f"1,bob,1.00,{E}"), key=TABLE, rows=1, amount="1.00", words="1 of another customer"
    ),
    "a delete of another sender": Named(
        {"a/1.csv": (f"1,ann,1.00,{D},",), "b/1.csv": ("1,gone,,,",)},
        sources=source("a", "landing/a/*") + source("b", "landing/b/*", "deletes = { customer_id = ['gone'] }"),
        key="landing/b/1.csv",
        rows=1,
        amount="1.00",
        words="(1 of another sender; for example 1)",
    ),
    "two declared sources in one folder": Named(
        {"a-1.csv": (f"1,ann,1.00,{D},",), "b-1.csv": (f"1,ann,2.00,{D},",)},
        sources=source("a", "landing/a-*") + source("b", "landing/b-*"),
        key="landing/b-1.csv",
        rows=1,
        amount="1.00",
        words="(1 of another sender; for example 1)",
    ),
}
CORRECTIONS = {
    "in one folder": Given({"a.csv": (f"1,ann,1.00,{D},",), "b.csv": (f"1,ann,2.00,{D},",)}),
    "in the folder of the next day": Given({f"{D}/a.csv": (f"1,ann,1.00,{D},",), f"{E}/a.csv": (f"1,ann,2.00,{D},",)}),
    "of the day in the source table": Given({}, (f"1,ann,1.00,{D}", f"1,ann,2.00,{E}")),
    "by a declared source": Given(
        {"a/1.csv": (f"1,ann,1.00,{D},",), "b/1.csv": (f"1,ann,2.00,{D},",)}, sources=source("both", "landing/*")
    ),
    "that deletes": Given(
        {"a/1.csv": (f"1,ann,1.00,{D},",), "a/2.csv": ("1,gone,,,",)},
        sources=source("a", "landing/a/*", "deletes = { customer_id = ['gone'] }"),
    ),
    "a copy in another folder": Given(
        {"a/1.csv": (f"1,ann,1.00,{D},", f"2,ann,1.00,{D},"), "b/1.csv": (f"2,ann,1.00,{D},", f"1,ann,1.00,{D},")}
    ),
    "of a line": Given({"a.csv": (f"1,ann,1.00,{D},", f"1,bob,2.00,{D},")}),  # repeated_orders_agree names it
}
REPEATED_ORDERS = {
    "lines": Named(
        {"a.csv": (f"1,ann,10.00,{D},", f"1,ann,20.00,{D},", f"1,ann,5.00,{D},", f"2,ann,7.00,{D},")},
        key="landing/a.csv",
        rows=2,
        amount="30.00",
        words="landing/a.csv repeats orders with other amounts: 2 rows worth 30.00 not counted, for example 1",
    ),
    "lines of other days": Named(
        {"a.csv": (f"1,ann,10.00,{E},", f"1,ann,20.00,{D},")},
        key="landing/a.csv",
        rows=1,
        amount="10.00",
        words="1 row worth 10.00",
    ),
    "ids that a spreadsheet wrote": Named(
        {"a.csv": tuple(f"1.23457E+12,{who},{n}0.00,{D}," for n, who in enumerate("xyz", start=1))},
        key="landing/a.csv",
        rows=2,
        amount="30.00",
        words="for example 1.23457E+12",
    ),
    "a log of changes": Named(
        {"a.csv": (*(f"1,ann,{n}.00,{D}," for n in (1, 2, 3)), *(f"2,ann,{n}.00,{D}," for n in (4, 5)))},
        key="landing/a.csv",
        rows=3,
        amount="7.00",
        words="for example 1, 2",
    ),
    "a winner out of range": Named(
        {"a.csv": (f"1,ann,10.00,{D},", "1,ann,20.00,2025-12-31,")}, key="landing/a.csv", rows=1, amount="10.00"
    ),
    "several customers, although the last row was declared to count": Named(
        {"a.csv": (f"1,ann,10.00,{D},", f"1,cid,1.00,{D},", f"2,ann,2.00,{D},", f"2,ann,3.00,{D},")},
        sources=source("a", "*", "lines = 'last'"),
        key="landing/a.csv",
        rows=1,
        amount="10.00",
    ),
    "lines on two days of the source table, where lines are summed": Named(
        {},
        (f"1,ann,10.00,{D}", f"1,ann,10.00,{E}", f"2,ann,1.00,{E}", f"2,ann,2.00,{E}"),
        sources="[[source]]\nname = 'shop'\ntable = 'orders'\nlines = 'sum'",
        key=TABLE,
        rows=1,
        amount="10.00",
        words=f"1 row worth 10.00, also of table:orders/{D}, not counted, for example 1",
    ),
    "the source table": Named(
        {},
        (f"1,ann,10.00,{D}", f"1,ann,20.00,{E}", f"2,ann,1.00,{E}", f"2,ann,2.00,{E}"),
        key=TABLE,
        rows=2,
        amount="11.00",
        words=f"2 rows worth 11.00, also of table:orders/{D}, not counted, for example 1, 2",
    ),
}
AGREEING = {
    "the same row twice": Given({"a.csv": (f"1,ann,1.00,{D},", f"1,ann,1.00,{D},")}),
    "rows with an updated_at": Given({"a.csv": (f"1,ann,1.00,{D},2026-03-06", f"1,ann,2.00,{D},2026-03-07")}),
    "only the later row has an updated_at": Given({"a.csv": (f"1,ann,1.00,{D},", f"1,ann,2.00,{D},2199-01-01")}),
    "only the earlier row has an updated_at": Given({"a.csv": (f"1,ann,1.00,{D},1999-01-01", f"1,ann,2.00,{D},")}),
    "in two files": Given({"a.csv": (f"1,ann,1.00,{D},",), "b.csv": (f"1,ann,2.00,{D},",)}),
    "lines that a later file replaced": Given(
        {"a.csv": (f"1,ann,1.00,{D},", f"1,ann,2.00,{D},"), "b.csv": (f"1,ann,3.00,{D},",)}
    ),
    "what a person declared the last row to be": Given(
        {"a.csv": (f"1,ann,1.00,{D},", f"1,ann,2.00,{D},")}, sources=source("a", "*", "lines = 'last'")
    ),
    "what a person declared for every source": Given(
        {"a.csv": (f"1,ann,1.00,{D},", f"1,ann,2.00,{D},")}, sources="[defaults]\nlines = 'last'"
    ),
    "a row that is deleted": Given(
        {"a.csv": (f"1,ann,1.00,{D},", "1,gone,,,")},
        sources=source("a", "*", "deletes = { customer_id = ['gone'] }"),
    ),
}


def _named(pipeline: Pipeline, kind: str) -> dict[str, tuple[int, str]]:
    found = pipeline.suspected()
    return {key: (rows, str(amount)) for (check, key), (rows, amount) in found.items() if check == kind}


def _assert_named(case: Named, kind: str, pipeline: Pipeline, folder: Path) -> None:
    evaluation = case.arrive(pipeline, folder)[kind]

    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert case.words in (evaluation.description or "")
    assert _named(pipeline, kind) == {case.key: (case.rows, case.amount)}


@pytest.mark.parametrize("case", OTHER_ORDERS.values(), ids=OTHER_ORDERS.keys())
def test_a_file_that_replaced_what_may_be_other_orders_is_named(
    case: Named, pipeline: Pipeline, tmp_path: Path
) -> None:
    _assert_named(case, REPLACES, pipeline, tmp_path)


@pytest.mark.parametrize("case", CORRECTIONS.values(), ids=CORRECTIONS.keys())
def test_a_correction_is_not_named(case: Given, pipeline: Pipeline, tmp_path: Path) -> None:
    assert case.arrive(pipeline, tmp_path)[REPLACES].passed
    assert pipeline.superseded()
    assert _named(pipeline, REPLACES) == {}


@pytest.mark.parametrize("case", REPEATED_ORDERS.values(), ids=REPEATED_ORDERS.keys())
def test_a_file_that_repeats_orders_with_other_amounts_is_named(
    case: Named, pipeline: Pipeline, tmp_path: Path
) -> None:
    _assert_named(case, REPEATED, pipeline, tmp_path)


@pytest.mark.parametrize("case", AGREEING.values(), ids=AGREEING.keys())
def test_rows_that_agree_or_say_which_is_later_are_not_named(case: Given, pipeline: Pipeline, tmp_path: Path) -> None:
    assert case.arrive(pipeline, tmp_path)[REPEATED].passed
    assert pipeline.superseded()
    assert _named(pipeline, REPEATED) == {}


def _declare_one_source(pipeline: Pipeline, folder: Path) -> None:
    Given(sources=source("shop", "landing/shop-*")).arrive(pipeline, folder)


@pytest.mark.parametrize(
    "mend",
    [
        lambda pipeline, folder: Given({"shop-b/1.csv": (f"b-1,ann,2.00,{D},",)}).arrive(pipeline, folder),
        lambda pipeline, _: (call("retract", "landing/shop-a/1.csv"), pipeline.run("s3_arrival")),
        lambda pipeline, _: (call("retract", "landing/shop-b/1.csv"), pipeline.run("s3_arrival")),
        _declare_one_source,
    ],
    ids=["other ids", "the loser is retracted", "the winner is retracted", "one source is declared"],
)
def test_a_replacement_is_settled_when_its_cause_is_gone(
    mend: Callable[[Pipeline, Path], object], pipeline: Pipeline, tmp_path: Path
) -> None:
    files = {f"shop-{name}/1.csv": (f"1,ann,{amount}.00,{D},",) for name, amount in (("a", 1), ("b", 2))}
    Given(files).arrive(pipeline, tmp_path)
    assert _named(pipeline, REPLACES) == {"landing/shop-b/1.csv": (1, "1.00")}

    mend(pipeline, tmp_path)

    assert _named(pipeline, REPLACES) == {}


@pytest.mark.parametrize(
    "mend",
    [
        lambda pipeline: pipeline.land_rows("a.csv", f"1,ann,1.00,{D}", f"2,ann,2.00,{D}"),
        lambda pipeline: pipeline.land_rows("a.csv", f"1,ann,3.00,{D}"),
        lambda _: call("retract", "landing/a.csv"),
        lambda pipeline: pipeline.land_rows("b.csv", f"1,ann,3.00,{D}"),
    ],
    ids=["other ids", "one row", "the file is retracted", "a later file replaces the order"],
)
def test_repeated_orders_are_settled_when_their_cause_is_gone(
    mend: Callable[[Pipeline], object], pipeline: Pipeline, tmp_path: Path
) -> None:
    Given({"a.csv": (f"1,ann,1.00,{D},", f"1,ann,2.00,{D},")}).arrive(pipeline, tmp_path)
    assert _named(pipeline, REPEATED) == {"landing/a.csv": (1, "1.00")}

    mend(pipeline)
    pipeline.run("s3_arrival")

    assert _named(pipeline, REPEATED) == {}


def test_a_declaration_that_leaves_another_customer_is_news(pipeline: Pipeline, tmp_path: Path) -> None:
    """Who accepts that a sender replaced orders has not accepted that they are another customer's."""
    files = {
        "shop-a/1.csv": (f"1,ann,1.00,{D},", f"2,ann,4.00,{D},"),
        "shop-b/1.csv": (f"1,bob,2.00,{D},", f"2,ann,5.00,{D},"),
    }
    Given(files).arrive(pipeline, tmp_path)
    call("accept", "--kind", REPLACES)
    assert check_results(pipeline.run("s3_arrival"))[REPLACES].passed

    _declare_one_source(pipeline, tmp_path)

    assert _named(pipeline, REPLACES) == {"landing/shop-b/1.csv": (1, "1.00")}


def test_the_subject_is_the_file_that_counts_where_another_bucket_had_its_key_before(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    Given({"a.csv": (f"1,ann,1.00,{D},", f"1,ann,2.00,{D},")}).arrive(pipeline, tmp_path)
    pipeline.execute(
        "INSERT INTO ledger.landed_files (bucket, key, etag, size, last_modified, status)"
        " SELECT 'before', key, etag, size, last_modified, status FROM ledger.landed_files WHERE key = 'landing/a.csv'"
    )
    pipeline.run("s3_arrival")

    subjects = pipeline.query("SELECT subject FROM ledger.findings WHERE settled_at IS NULL")

    assert subjects == [(f"{s3.bucket}/landing/a.csv",)]


@pytest.mark.parametrize("kind", [REPLACES, REPEATED])
def test_nothing_is_denied_of_days_that_are_not_built_yet(kind: str, pipeline: Pipeline) -> None:
    assert evaluate(pipeline, "cleaned_orders", kind).passed
    pipeline.land_rows("a.csv", f"1,ann,1.00,{D}", f"1,bob,2.00,{D}")
    pipeline.run("s3_arrival", assets=["raw_orders"])

    found = evaluate(pipeline, "cleaned_orders", kind)

    assert not found.passed
    assert f"1 day is due: {D}. Materialize it" in (found.description or "")


def test_what_was_superseded_on_days_that_are_out_of_range_since_is_named_no_longer(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Given({}, (f"1,ann,10.00,{D}", f"1,bob,20.00,{E}"))
    assert not given.arrive(pipeline, pipeline.folder)["repeated_orders_agree"].passed

    pipeline.execute("DELETE FROM orders WHERE order_date = :day", day=D)
    monkeypatch.setenv("ORDERS_START_DATE", E)
    synced = pipeline.sync()

    assert synced.errors == {}
    assert not {"repeated_orders_agree", "no_order_replaces_another"} & synced.failed_checks.keys()


def test_a_file_with_a_part_of_a_summed_order_is_named_until_the_order_is_whole(pipeline: Pipeline) -> None:
    (pipeline.folder / "sources.toml").write_text(source("acme", "landing/acme/*", 'lines = "sum"'))
    call("sources", "apply", str(pipeline.folder / "sources.toml"))
    pipeline.land_rows("acme/1.csv", f"1,ann,10.00,{D}", f"1,ann,20.00,{D}", f"2,bob,5.00,{D}", f"3,cid,1.00,{D}")
    pipeline.land_rows("other/1.csv", f"9,ann,10.00,{D}")
    pipeline.land_rows("other/2.csv", f"9,ann,1.00,{D}")  # lines are not summed there
    pipeline.land_rows("acme/2.csv", f"1,ann,25.00,{E}", f"2,bob,5.00,{D}", f"2,bob,1.00,{D}")
    assert SHRUNK in pipeline.sync().failed_checks

    (found,) = pipeline.query("SELECT subject, message, amount::text FROM ledger.findings WHERE kind = :k", k=SHRUNK)
    assert found[0] == f"{s3.bucket}/landing/acme/2.csv"
    assert "replaced 1 order of landing/acme/1.csv with smaller sums, 5.00 less in all (it changed 1, 2)" in found[1]
    assert found[2] == "5.00"

    pipeline.land_rows("acme/3.csv", f"1,ann,10.00,{E}", f"1,ann,20.00,{E}")
    assert SHRUNK not in pipeline.sync().failed_checks
