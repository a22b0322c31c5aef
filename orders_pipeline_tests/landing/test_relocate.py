"""`orders-pipeline relocate`: files of another bucket or prefix are the same files, whatever was loaded before.

In each test the oracle sees every version of a file under the name that it has in the end."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders_pipeline.cli.sync import Synced
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.ledger import files
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import HEADER, Pipeline, put_in_parts
from orders_pipeline_tests.support.oracle import Oracle
from orders_pipeline_tests.support.places import database_of, new_bucket, new_database

CHECK = "files_are_in_the_landing_zone"
DAY = "2026-03-04"


def csv(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


@dataclass
class Move:
    """A landing zone that moves, and what its files should come to, by their names below the prefix."""

    pipeline: Pipeline
    services: Path
    environment: pytest.MonkeyPatch
    oracle: Oracle = field(default_factory=lambda: Oracle(ZoneInfo("UTC"), date(2026, 1, 1), datetime.now(UTC).date()))

    def __post_init__(self) -> None:
        self.old = self.place

    @property
    def place(self) -> str:
        """The landing zone."""
        return f"s3://{s3.bucket}/{s3.prefix}"

    def land(self, name: str, *rows: str) -> None:
        self.put(name, csv(*rows))

    def put(self, name: str, content: bytes, *, in_parts: bool = False) -> None:
        """Put an object into the landing zone of now. The oracle knows files by their names below the prefix."""
        if in_parts:
            put_in_parts(f"{s3.prefix}{name}", content)
        else:
            self.pipeline.land(name, content)
        head = s3.current(f"{s3.prefix}{name}")
        assert head is not None
        self.oracle.see(name, content, head.last_modified, head.etag)

    def to(self, prefix: str | None = None, *, is_other_bucket: bool = True) -> str:
        """Configure another landing zone, and return its place. Nothing is copied."""
        if is_other_bucket:
            self.environment.setenv("ORDERS_S3_BUCKET", new_bucket(self.services))
        if prefix is not None:
            self.environment.setenv("ORDERS_LANDING_PREFIX", prefix)
        return self.place

    def relocate(self, *options: str) -> str:
        done = call("relocate", self.old, self.place, *options)
        assert done.exit_code == 0, done.output
        return done.output

    def sync(self) -> Synced:
        synced = self.pipeline.sync()
        assert synced.is_complete, synced
        return synced

    def assert_exact(self) -> None:
        """All tables are what the oracle says, nothing is left to do, and no file counts elsewhere."""
        assert self.pipeline.sync().runs == 0
        expected, pipeline, prefix = self.oracle.tables(), self.pipeline, s3.prefix
        assert pipeline.orders("cleaned_orders") == expected.orders
        assert pipeline.orders("daily_orders") == expected.orders
        assert pipeline.revenue() == expected.revenue
        assert pipeline.spend() == expected.spend
        rejected = [(f"{prefix}{name}", *rest) for name, *rest in expected.rejected]
        assert [row[:3] for row in pipeline.rejected()] == sorted(rejected)
        superseded = {
            (day, f"{prefix}{winner}", f"{prefix}{loser}"): found
            for (day, winner, loser), found in expected.superseded.items()
        }
        assert pipeline.superseded() == superseded
        counted = pipeline.query("SELECT bucket, key, ranked_at FROM ledger.landed_files WHERE active")
        assert {key: (bucket, rank) for bucket, key, rank in counted} == {
            f"{prefix}{name}": (s3.bucket, file.ranked_at) for name, file in self.oracle.active.items()
        }
        for asset in ("cleaned_orders", "daily_orders"):
            sources = {row["_source"] for row in pipeline.lake_frame(asset).to_dicts()}
            assert all(source.startswith(prefix) for source in sources)
        assert not [one for one in pipeline.status().findings if one.kind == CHECK]


@pytest.fixture
def move(pipeline: Pipeline, services: Path, monkeypatch: pytest.MonkeyPatch) -> Move:
    return Move(pipeline, services, monkeypatch)


def before(move: Move) -> None:
    """Files that share orders, on days of their own and together; equal ranks are decided by key."""
    move.land("a.csv", f"1,ann,1.00,{DAY}", "2,ann,2.00,2026-03-05", "3,bob,much,2026-03-05")
    move.land("b/2026-03-05/z.csv", f"1,ann,9.00,{DAY}", "4,bob,4.00,2026-03-06")
    move.land("same.csv", "4,bob,5.00,2026-03-06", "5,bob,5.00,2026-03-07", "6,,6.00,2026-03-07")
    move.land("left.csv", "7,eve,7.00,2026-03-08", "2,eve,2.50,2026-03-08")
    move.land("worse.csv", "8,eve,8.00,2026-03-09")
    move.put("broken.csv", b"nonsense\n")


def copied(move: Move) -> None:
    """The copies in the new place: one is as it was, one leaves out an order, two are unreadable, one is missing."""
    move.put("same.csv", csv("4,bob,5.00,2026-03-06", "5,bob,5.00,2026-03-07", "6,,6.00,2026-03-07"), in_parts=True)
    move.land("a.csv", "2,ann,2.00,2026-03-05")
    move.put("b/2026-03-05/z.csv", csv(f"1,ann,9.00,{DAY}", "4,bob,4.00,2026-03-06"))
    move.put("worse.csv", b"no orders\n")
    move.put("broken.csv", b"nonsense too\n")


PLACES = [(None, True), ("/", True), ("landing2/", False), ("x/y/landing/", True)]


@pytest.mark.parametrize("first", ["relocate", "sync"])
@pytest.mark.parametrize(("prefix", "is_other_bucket"), PLACES)
def test_the_tables_are_the_same_whether_the_new_place_was_loaded_before_or_not(
    move: Move, first: str, prefix: str | None, is_other_bucket: bool
) -> None:
    before(move)
    move.sync()
    move.to(prefix, is_other_bucket=is_other_bucket)
    copied(move)
    if first == "sync":
        assert CHECK in move.sync().failed_checks

    move.relocate()

    assert CHECK not in move.sync().failed_checks
    move.assert_exact()


def test_equal_bytes_in_the_new_place_rebuild_nothing_once_the_names_are_rebuilt(move: Move) -> None:
    before(move)
    move.sync()
    move.to("in/")
    said = move.relocate()
    assert "6 files renamed" in said
    assert "2026-03-04 to 2026-03-09 will be rebuilt" in said
    move.sync()
    move.assert_exact()
    move.put("same.csv", csv("4,bob,5.00,2026-03-06", "5,bob,5.00,2026-03-07", "6,,6.00,2026-03-07"), in_parts=True)
    move.land("left.csv", "7,eve,7.00,2026-03-08", "2,eve,2.50,2026-03-08")

    assert not any(move.sync().rebuilt.values())

    move.assert_exact()


def test_only_the_days_that_a_relocation_touches_are_rebuilt(move: Move) -> None:
    move.land("x/a.csv", f"1,ann,1.00,{DAY}")
    move.land("y/b.csv", "1,bob,2.00,2026-03-05", "2,bob,2.00,2026-03-06")
    move.land("y/c.csv", "3,bob,2.00,2026-03-07")
    move.sync()
    move.pipeline.land("z/a.csv", csv(f"1,ann,1.00,{DAY}"))
    move.sync()

    done = call("relocate", f"{move.place}x/", f"{move.place}z/")

    assert done.exit_code == 0, done.output
    touched = [DAY, "2026-03-05"]  # its own, and that of the same order in another file
    assert [str(day) for day in move.pipeline.stale("cleaned_orders")] == touched
    assert {asset: list(map(str, days)) for asset, days in move.sync().rebuilt.items() if days} == dict.fromkeys(
        ("cleaned_orders", "daily_revenue", "daily_orders", "daily_revenue_partitioned"), touched
    )
    asked = move.pipeline.query("SELECT day, asked_version = version FROM ledger.order_days ORDER BY day LIMIT 2")
    assert [(str(day), is_asked) for day, is_asked in asked] == [(day, True) for day in touched]


def test_a_relocation_names_what_is_in_a_folder_and_not_what_begins_like_it(move: Move) -> None:
    for number, name in enumerate(["a/1.csv", "a/b/1.csv", "ab/1.csv", "A/1.csv", "a.csv", "a_/1.csv"]):
        move.land(name, f"{number},ann,1.00,{DAY}")
    move.sync()

    done = call("relocate", f"{move.place}a/", f"{move.place}c/")

    assert done.exit_code == 0, done.output
    move.sync()
    assert active(move.pipeline) == [
        "landing/A/1.csv", "landing/a.csv", "landing/a_/1.csv", "landing/ab/1.csv", "landing/c/1.csv",
        "landing/c/b/1.csv",
    ]  # fmt: skip
    assert move.pipeline.revenue() == {DAY: ("6.00", 6)}


def active(pipeline: Pipeline) -> list[str]:
    return [key for (key,) in pipeline.query("SELECT key FROM ledger.landed_files WHERE active ORDER BY key")]


ODD = [
    "a b+c.csv",
    "ü/é 1.csv",
    "100%_a\\b.csv",
    "it's [x] *?.csv",
    "//double//slash.csv",
    "s3:/x.csv",
    'q"u.csv',
    "日本/🙂.csv",
]


@pytest.mark.parametrize("first", ["relocate", "sync"])
def test_keys_with_odd_characters_move_as_they_are(move: Move, first: str) -> None:
    for number, name in enumerate(ODD):
        move.land(name, f"{number},ann,1.00,{DAY}", f"o{number},ann,1.00,{DAY}")
    move.sync()
    move.to("né w%_/", is_other_bucket=False)
    for number, name in enumerate(ODD):
        move.land(name, f"{number},ann,3.00,{DAY}")
    if first == "sync":
        move.sync()

    move.relocate()

    move.sync()
    move.assert_exact()


def test_a_single_file_moves(move: Move) -> None:
    move.land("a.csv", f"1,ann,1.00,{DAY}", f"2,ann,1.00,{DAY}")
    move.land("a.csv.csv", f"3,ann,1.00,{DAY}")
    move.sync()

    done = call("relocate", f"{move.place}a.csv", f"{move.place}2026/b.csv")

    assert done.exit_code == 0, done.output
    assert active(move.pipeline) == ["landing/2026/b.csv", "landing/a.csv.csv"]
    move.land("2026/b.csv", f"1,ann,5.00,{DAY}")
    move.sync()
    assert move.pipeline.revenue() == {DAY: ("6.00", 2)}


@pytest.mark.parametrize("new", [b"nonsense\n", b"", None], ids=["quarantined", "empty", "failing"])
@pytest.mark.parametrize("is_same_second", [False, True])
def test_rows_count_on_under_a_new_name_whose_versions_cannot_be_read(
    move: Move, new: bytes | None, is_same_second: bool
) -> None:
    move.land("a.csv", f"1,ann,1.00,{DAY}")
    move.sync()
    move.to()
    content = csv(f"1,ann,1.00,{DAY}") if new is None else new
    move.put("a.csv", content)
    if new is None:
        interrupt(move.pipeline, s3.current("landing/a.csv"))
    else:
        move.sync()
    if is_same_second:
        move.pipeline.execute(
            "UPDATE ledger.landed_files SET last_modified = :now", now=datetime(2026, 3, 4, tzinfo=UTC)
        )

    said = move.relocate()

    assert "1 file renamed that counts until a newer version can be loaded" in said
    ((bucket, is_latest),) = move.pipeline.query(
        "SELECT bucket, id = (SELECT max(id) FROM ledger.landed_files l WHERE (l.bucket, l.key) = (f.bucket, f.key))"
        " FROM ledger.landed_files f WHERE active"
    )
    assert bucket == s3.bucket
    assert is_latest is (new is None and is_same_second)
    if is_same_second:
        return  # no oracle knows what S3 has
    move.sync()
    move.assert_exact()
    move.land("a.csv", f"1,ann,3.00,{DAY}")
    move.sync()
    move.assert_exact()


def interrupt(pipeline: Pipeline, version: Any) -> None:
    """As if a process had died that was about to read a version."""
    with pipeline.connect() as connection:
        files.claim(connection, [version], "a run that died")
        connection.commit()


def test_a_file_that_was_due_to_be_read_again_is_taken_from_its_object(move: Move) -> None:
    """The new name has a later version, which cannot be read: nothing would ever read the earlier one."""
    move.land("a.csv", f"1,ann,1.00,{DAY}")
    move.sync()
    assert call("retry", "--loaded", "landing/a.csv").exit_code == 0
    move.to()
    move.put("a.csv", b"nonsense\n")
    move.pipeline.sync()

    move.relocate()

    move.sync()
    move.assert_exact()


@pytest.mark.parametrize("what", ["quarantined", "retracted", "ignored"])
@pytest.mark.parametrize("first", ["relocate", "sync"])
def test_what_did_not_count_in_the_old_place_is_forgotten_for_what_is_in_the_new_one(
    move: Move, what: str, first: str
) -> None:
    move.put("a.csv", {"quarantined": b"nonsense\n", "ignored": b""}.get(what, csv(f"1,ann,1.00,{DAY}")))
    move.sync()
    if what == "retracted":
        assert call("retract", "landing/a.csv").exit_code == 0
        move.oracle.retract("a.csv")
    move.to()
    move.land("a.csv", f"1,ann,3.00,{DAY}")
    if first == "sync":
        move.sync()

    said = move.relocate()

    assert ("Retract again" in said) is (what == "retracted")
    move.sync()
    move.assert_exact()
    status = move.pipeline.status()
    assert (status.files["ignored"], status.quarantined) == (0, [])


@pytest.mark.parametrize("first", ["relocate", "sync"])
def test_bytes_that_came_back_in_the_new_place_keep_no_rank(move: Move, first: str) -> None:
    """`z.csv` landed later than the first `a.csv`, so it wins until `a.csv` gets a new rank."""
    move.land("a.csv", f"1,ann,1.00,{DAY}")
    move.land("z.csv", f"1,ann,2.00,{DAY}")
    move.sync()
    move.to()
    if first == "relocate":
        move.relocate()
    for content in (csv(f"1,ann,1.00,{DAY}"), csv(f"1,ann,3.00,{DAY}"), csv(f"1,ann,1.00,{DAY}")):
        move.put("a.csv", content)
        move.sync()
    if first == "sync":
        move.relocate()

    move.sync()
    move.assert_exact()


def test_equal_bytes_that_were_loaded_before_get_the_rank_of_the_old_name(move: Move) -> None:
    move.land("a.csv", f"1,ann,1.00,{DAY}")
    move.land("z.csv", f"1,ann,2.00,{DAY}")
    move.sync()
    earlier = "UPDATE ledger.landed_files SET last_modified = last_modified - interval '1 day', ranked_at = NULL"
    move.pipeline.execute(f"{earlier} WHERE key = 'landing/a.csv'")
    move.to()
    move.pipeline.land("a.csv", csv(f"1,ann,1.00,{DAY}"))
    move.pipeline.land("z.csv", csv(f"1,ann,2.00,{DAY}"))
    move.sync()
    move.pipeline.execute(
        "UPDATE ledger.landed_files SET ranked_at = now() WHERE key = 'landing/a.csv' AND bucket = :b", b=s3.bucket
    )

    move.relocate()

    move.sync()
    assert move.pipeline.revenue() == {DAY: ("2.00", 1)}


def test_a_dry_run_says_what_would_change_and_changes_nothing(move: Move) -> None:
    before(move)
    move.sync()
    move.to("in/")
    copied(move)
    move.sync()
    tables = everything(move.pipeline)

    said = move.relocate("--dry-run")

    assert everything(move.pipeline) == tables
    assert [line.strip() for line in said.splitlines()] == [
        "1 file renamed: what lands under the new name is the next version",
        "3 files replaced by the version that was loaded from the new place",
        "1 file renamed that counts until a newer version can be loaded: what landed in the new place is not",
        "1 file forgotten: it does not count, and another version landed in the new place",
        "to be rebuilt: 2026-03-04 to 2026-03-09",
        "Nothing was changed: this was a dry run.",
    ]


def everything(pipeline: Pipeline) -> list[list[tuple[Any, ...]]]:
    tables = ("landed_files", "order_days", "shared_orders", "built_files", "findings")
    return [pipeline.query(f"SELECT * FROM ledger.{table} ORDER BY 1, 2") for table in tables]


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("s3://{old}/landing/", "s3://{old}/landing/", "are the same place, or one is in the other"),
        ("s3://{old}/landing/", "s3://{old}/landing/x/", "are the same place, or one is in the other"),
        ("s3://{old}/", "s3://{new}/landing/x/", "is not in the landing zone"),
        ("s3://{old}/landing/a/", "s3://{old}/landing/", "are the same place, or one is in the other"),
        ("s3://{old}/landing/a.csv", "s3://{old}/landing/a.csv", "are the same place"),
        ("s3://{old}/landing", "s3://{old}/other/", "are not both folders"),
        ("s3://{old}/landing/", "s3://{old}/other", "are not both folders"),
        ("s3://{old}/landing/a", "s3://{old}/landing/b", "a folder is named with a slash at its end"),
        ("s3://{old}", "s3://{old}/landing/", "for the whole bucket"),
        ("landing/", "s3://{old}/landing/", "is no full name like"),
        ("s3:///landing/", "s3://{old}/landing/", "is no full name like"),
        ("https://{old}/landing/", "s3://{old}/landing/", "is no full name like"),
        ("s3://{old}/landing/no/", "s3://{old}/landing/x/", "has no file in s3://{old}/landing/no/"),
        ("s3://{old}/landing/no.csv", "s3://{old}/landing/x.csv", "has no file 's3://{old}/landing/no.csv'"),
        ("s3://no-such/landing/", "s3://{old}/landing/x/", "has files in s3://{old}/landing/a/, s3://{old}/root/"),
        ("s3://{old}/landing/a/", "s3://{old}/root/", "is not in the landing zone s3://{old}/landing/"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_changes_nothing(
    move: Move, monkeypatch: pytest.MonkeyPatch, source: str, target: str, why: str
) -> None:
    names = {"old": s3.bucket, "new": "elsewhere"}
    move.land("a/1.csv", f"1,ann,1.00,{DAY}")
    move.sync()
    with monkeypatch.context() as other:
        other.setenv("ORDERS_LANDING_PREFIX", "root/")
        move.land("2.csv", f"2,ann,1.00,{DAY}")
        move.sync()
    tables = everything(move.pipeline)

    done = call("relocate", source.format(**names), target.format(**names))

    assert done.exit_code == 2
    assert "Nothing was changed: " in done.output
    assert why.format(**names) in done.output
    assert everything(move.pipeline) == tables


def test_a_relocation_that_fails_can_be_repeated_and_one_that_was_made_too(move: Move) -> None:
    before(move)
    move.sync()
    move.to("in/")
    copied(move)
    move.sync()
    tables = everything(move.pipeline)
    with move.pipeline.failing_commits("ledger.order_days"):
        assert "the connection broke" in call("relocate", move.old, move.place).output
    assert everything(move.pipeline) == tables

    move.relocate()
    tables = everything(move.pipeline)
    again = move.relocate()

    assert again.startswith("Nothing to do, for example: Relocated to s3://")
    assert everything(move.pipeline) == tables
    move.sync()
    move.assert_exact()
    assert move.relocate() == again


@pytest.mark.parametrize("first", ["relocate", "sync"])
def test_an_old_place_that_is_still_listed_is_not_loaded_again(move: Move, first: str) -> None:
    """The landing zone has both places. What was left out of the new version must not come back from the old one."""
    move.pipeline.land("x/a.csv", csv(f"1,ann,1.00,{DAY}", f"2,ann,1.00,{DAY}"))
    move.pipeline.land("x/broken.csv", b"nonsense\n")
    move.sync()
    move.pipeline.land("y/a.csv", csv(f"1,ann,5.00,{DAY}"))
    if first == "sync":
        move.sync()

    done = call("relocate", f"{move.place}x/", f"{move.place}y/")

    assert done.exit_code == 0, done.output
    move.sync()
    assert move.pipeline.revenue() == {DAY: ("5.00", 1)}
    assert move.pipeline.sync().runs == 0
    move.pipeline.land("x/a.csv", csv(f"2,ann,7.00,{DAY}"))  # a version that is new is another file
    move.sync()
    assert move.pipeline.revenue() == {DAY: ("12.00", 2)}


def test_what_moved_can_move_back(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    before(move)
    move.sync()
    bucket, old = s3.bucket, move.place
    new = move.to("in/")
    copied(move)
    move.relocate()
    move.sync()
    monkeypatch.setenv("ORDERS_S3_BUCKET", bucket)
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", "landing/")
    move.old = new
    assert move.place == old

    move.relocate()

    for name in ("same.csv", "left.csv"):
        move.pipeline.remove(name)
    for name in ("a.csv", "b/2026-03-05/z.csv", "worse.csv", "broken.csv"):
        move.put(name, csv("8,eve,0.50,2026-03-09") if name == "worse.csv" else csv())
    move.sync()
    move.assert_exact()


def test_rejects_and_accepted_findings_follow_their_file(move: Move) -> None:
    move.land("a.csv", f"1.0,ann,1.00,{DAY}", f"2,,1.00,{DAY}")
    move.land("b.csv", f"3.0,ann,1.00,{DAY}", f"4,,1.00,{DAY}")
    move.sync()
    assert call("accept", "--kind", "ids_look_intact").exit_code == 0
    move.to("in/")
    move.land("b.csv", f"3.0,ann,1.00,{DAY}", f"4,,1.00,{DAY}")
    move.sync()

    move.relocate()

    assert "ids_look_intact" in move.sync().failed_checks  # in the version that no one has accepted
    move.assert_exact()
    found = move.pipeline.query(
        "SELECT subject, accepted_at IS NOT NULL FROM ledger.findings"
        " WHERE kind = 'ids_look_intact' AND settled_at IS NULL ORDER BY subject"
    )
    assert found == [(f"{s3.bucket}/in/a.csv", True), (f"{s3.bucket}/in/b.csv", False)]


def test_a_recovery_after_a_relocation_adopts_nothing_of_the_old_place(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake has older objects of the same version, and of one that was replaced."""
    move.land("a.csv", f"1,ann,1.00,{DAY}", f"2,ann,1.00,{DAY}")
    move.sync()
    move.land("a.csv", f"1,ann,2.00,{DAY}")
    move.land("b.csv", f"3,ann,2.00,{DAY}")
    move.sync()
    monkeypatch.setenv("ORDERS_TIMEZONE", "Asia/Kolkata")
    move.sync()
    move.pipeline.remove("b.csv")
    move.to("in/")
    move.land("a.csv", f"1,ann,3.00,{DAY}")
    move.sync()
    move.relocate()
    move.sync()
    known = move.pipeline.query("SELECT * FROM ledger.landed_files ORDER BY id")

    recovered = call("recover")

    assert "Nothing to recover" in recovered.output
    assert move.pipeline.query("SELECT * FROM ledger.landed_files ORDER BY id") == known
    move.assert_exact()


@pytest.mark.parametrize("order", [["recover", "relocate"], ["relocate", "recover"]], ids=" ".join)
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_backup_of_before_the_relocation_is_completed_if_the_relocation_is_repeated(
    move: Move, monkeypatch: pytest.MonkeyPatch, stack: ExitStack, order: list[str], is_listed: bool
) -> None:
    before(move)
    move.sync()
    postgres.engine().dispose()  # a database in use cannot be copied
    name = database_of(postgres.engine().url.render_as_string())
    backup = stack.enter_context(new_database(move.services, name))
    move.to("in/")
    move.relocate()
    copied(move)
    move.sync()
    move.assert_exact()
    if not is_listed:
        for name in ("a.csv", "same.csv", "b/2026-03-05/z.csv"):
            move.pipeline.remove(name)

    monkeypatch.setenv("ORDERS_DATABASE_URL", backup)
    for step in order:
        assert call(*{"relocate": ("relocate", move.old, move.place)}.get(step, (step,))).exit_code == 0

    move.sync()
    move.assert_exact()
