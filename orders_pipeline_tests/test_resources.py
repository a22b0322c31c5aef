"""PostgresResource and the lakes, used as an engineer would."""

import os
import re
import traceback
from collections.abc import Callable
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import boto3
import pandas as pd
import polars as pl
import pytest
import sqlalchemy as sa

from orders_pipeline.definitions import postgres, s3
from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.landing.outages import is_outage
from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.storage.lake import FolderLake, Lake, S3Lake
from orders_pipeline.storage.postgres import copy_frame
from orders_pipeline_tests.support.driver import Pipeline

FRAME = pd.DataFrame(
    {
        'odd "name"': ["", None, "it's; DROP TABLE x; --"],
        "amount": [Decimal("0.10"), Decimal("-2"), None],
        "number": [1, 2, 3],
        "at": pd.to_datetime(["2026-03-04T10:00:00Z"] * 3),
    }
)


def test_a_frame_written_is_the_frame_read(pipeline: Pipeline) -> None:
    assert postgres.write_table(FRAME, 'odd "table"') == 3

    read = postgres.read_table('odd "table"', schema="public")

    assert read['odd "name"'].isna().tolist() == [False, True, False]
    assert read['odd "name"'][0] == ""
    assert read['odd "name"'][2] == "it's; DROP TABLE x; --"
    assert [None if pd.isna(value) else value for value in read["amount"]] == [Decimal("0.10"), Decimal(-2), None]
    assert read["at"][0] == pd.Timestamp("2026-03-04T10:00:00Z")


def test_append_replace_and_fail(pipeline: Pipeline) -> None:
    one = pd.DataFrame({"n": [1]})
    postgres.write_table(one, "t")
    postgres.write_table(one, "t")
    assert len(postgres.read_table("t", schema="public")) == 2

    postgres.write_table(one, "t", mode="replace")
    assert len(postgres.read_table("t", schema="public")) == 1

    with pytest.raises(ValueError, match="already exists"):
        postgres.write_table(one, "t", mode="fail")


def test_a_write_that_fails_leaves_the_table_as_it_was(pipeline: Pipeline) -> None:
    postgres.write_table(pd.DataFrame({"n": [1]}), "t")

    with pytest.raises(Exception, match="invalid input"):
        postgres.write_table(pd.DataFrame({"n": ["not a number"]}), "t")

    assert postgres.read_table("t", schema="public")["n"].tolist() == [1]


def test_values_of_a_query_are_bound(pipeline: Pipeline) -> None:
    read = postgres.read_query("SELECT CAST(:value AS text) AS value", {"value": "'; SELECT 1; --"})

    assert read["value"].tolist() == ["'; SELECT 1; --"]


def s3_lake(_: Path) -> Lake:
    return S3Lake(f"s3://{s3.bucket}/some/lake", s3.client())


def folder_lake(tmp_path: Path) -> Lake:
    return FolderLake(str(tmp_path / "lake [odd] *name"))


@pytest.mark.parametrize("open_lake", [folder_lake, s3_lake])
def test_a_lake_keeps_what_is_written_and_never_the_unfinished(
    pipeline: Pipeline, tmp_path: Path, open_lake: Callable[[Path], Lake]
) -> None:
    lake = open_lake(tmp_path)
    frame = pl.DataFrame({"a": [1, 2]})

    name = lake.write("daily_orders/2026-03-04", frame.write_parquet)
    other = lake.write("daily_orders/2026-03-04", frame.write_parquet)
    with pytest.raises(RuntimeError):
        lake.write("daily_orders/2026-03-04", half_written)

    assert name != other
    assert sorted(lake.objects()) == sorted([name, other])
    assert lake.scan([name, other]).collect().height == 4
    lake.delete(other)
    lake.delete(other)
    assert list(lake.objects()) == [name]


def half_written(path: Path) -> None:
    path.write_bytes(b"PAR1 and then")
    raise RuntimeError("the power failed")


def test_an_object_and_its_name_are_forced_to_disk_before_anybody_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[str] = []
    fsync = os.fsync

    def record(handle: int) -> None:
        forced.append(str(Path(f"/proc/self/fd/{handle}").readlink()).removeprefix(f"{tmp_path}/"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    lake = FolderLake(str(tmp_path / "lake"))
    lake.write("raw_orders", pl.DataFrame({"a": [1]}).write_parquet)

    (draft,) = [path for path in forced if path.startswith("lake/.unfinished/")]
    assert {str(tmp_path), "lake"} <= set(forced)  # folders that were made
    assert forced[forced.index(draft) :] == [draft, "lake/raw_orders"]


def test_whoever_reads_the_lake_signs_for_the_region_of_who_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signed.extend(re.findall(r"/\d{8}/([\w-]+)/s3/", self.headers.get("Authorization", "")))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - as the server calls it

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="eu-central-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        lake = S3Lake("s3://bucket/lake", client)
        with pytest.raises(OSError, match=r"lake"):
            lake.scan(["raw_orders/a.parquet"]).collect()
        with pytest.raises(ServiceUnavailableError):
            lake.damaged(["raw_orders/a.parquet"])
        server.shutdown()

    assert len(signed) > 1
    assert set(signed) == {"eu-central-1"}


def test_an_error_of_copy_is_one_of_postgres_and_quotes_no_row(pipeline: Pipeline) -> None:
    """A disk that is full is held against no file, and a row may hold what is personal."""
    pipeline.execute(
        "CREATE FUNCTION public.fill() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$"
    )
    pipeline.execute("CREATE TABLE public.t (who text)")
    pipeline.execute("CREATE TRIGGER fill BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.fill()")

    somebody = "Ann of the High Street"

    with pytest.raises(sa.exc.DBAPIError, match="no room") as failed, pipeline.connect() as connection:
        copy_frame(connection, "public", "t", pl.DataFrame({"who": [somebody]}))

    assert is_outage(failed.value)
    assert somebody not in "".join(traceback.format_exception(failed.value))


def test_the_whole_pipeline_works_with_a_lake_on_s3(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_LAKE_URI", f"s3://{s3.bucket}/lake")
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04", "2,,1.00,2026-03-04")
    assert pipeline.sync().is_complete
    pipeline.land_rows("b.csv", "1,ann,2.00,2026-03-05", "3,bob,1.00,2026-03-04")
    assert pipeline.sync().is_complete

    assert sum(Decimal(revenue) for revenue, _ in pipeline.revenue().values()) == Decimal("3.00")
    assert len(pipeline.rejected()) == 1
    assert pipeline.orders() == pipeline.orders("daily_orders")


def test_a_long_listing_comes_in_pages_and_goes_on_where_it_is_told(pipeline: Pipeline) -> None:
    client = boto3.client("s3", endpoint_url=s3.client().meta.endpoint_url)
    for number in range(5):
        client.put_object(Bucket=s3.bucket, Key=f"landing/{number}", Body=b"x")
    client.put_object(Bucket=s3.bucket, Key="elsewhere/0", Body=b"x")

    def keys(pages: list[list[FileVersion]]) -> list[str]:
        return [version.key for page in pages for version in page]

    assert keys(list(s3.list_pages())) == [f"landing/{number}" for number in range(5)]
    assert keys(list(s3.list_pages(start_after="landing/2"))) == ["landing/3", "landing/4"]
