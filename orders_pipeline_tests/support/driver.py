"""Drives a whole pipeline of its own for one test: land, change the source table, run, look at the tables."""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.cli.status import PipelineStatus, read_status
from orders_pipeline.cli.sync import Synced, sync
from orders_pipeline.definitions import defs, postgres, s3
from orders_pipeline.landing.declare import apply
from orders_pipeline.ledger import builds, staleness
from orders_pipeline.ledger.staleness import Calendar
from orders_pipeline.settings import read_settings

HEADER = "order_id,customer_id,amount,order_date"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def gzipped(content: bytes) -> bytes:
    """Compressed, to the same bytes each time: parallel workers must find tests of the same names."""
    return gzip.compress(content, mtime=0)


def put_in_parts(key: str, content: bytes) -> None:
    """Put an object, by its whole key, as a multipart upload. Its ETag is another than after a plain upload, as
    it is after a copy in place with another storage class or another key of encryption."""
    client, place = s3.client(), {"Bucket": s3.bucket, "Key": key}
    upload = client.create_multipart_upload(**place)["UploadId"]
    part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=content)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)


@dataclass
class Pipeline:
    """The pipeline that the environment of the running test describes."""

    folder: Path
    instance: dg.DagsterInstance
    said: list[str] = field(default_factory=list)

    def land(self, key: str, content: str | bytes) -> str:
        """Put an object under the landing prefix; returns its whole key."""
        path = self.folder / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        s3.upload(path, f"{s3.prefix}{key}")
        return f"{s3.prefix}{key}"

    def land_rows(self, key: str, *rows: str, header: str = HEADER) -> str:
        """Put a CSV file under the landing prefix, its rows given as lines."""
        return self.land(key, "\n".join([header, *rows]) + "\n")

    def remove(self, key: str) -> None:
        """Delete an object of the landing zone."""
        s3.client().delete_object(Bucket=s3.bucket, Key=f"{s3.prefix}{key}")

    def declare(self, toml: str) -> None:
        """Apply a declaration, as `orders-pipeline sources apply` does."""
        apply(postgres.ledger(), s3, read_settings(), toml, "a test")

    def sync(self) -> Synced:
        """What `orders-pipeline sync` does."""
        return sync(self.instance, self.said.append)

    def run(
        self,
        job: str,
        *,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        assets: Iterable[str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """A run of a job, whether it succeeds or not."""
        return defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**QUIET, **(config or {})},
            partition_key=partition,
            tags=dict(tags or {}),
            asset_selection=[dg.AssetKey(asset) for asset in assets] if assets else None,
            raise_on_error=False,
        )

    def status(self) -> PipelineStatus:
        """What `orders-pipeline status` says."""
        with self.connect() as connection:
            return read_status(connection, s3, read_settings())

    def connect(self) -> Connection:
        """A connection to the pipeline's Postgres, its schemas in place."""
        return postgres.ledger().connect()

    def execute(self, statement: str, **values: Any) -> None:
        """Run one statement in a transaction of its own."""
        with postgres.ledger().begin() as transaction:
            transaction.execute(sa.text(statement), values)

    def query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), values)]

    @contextmanager
    def failing_commits(self, table: str) -> Iterator[None]:
        """Meanwhile each transaction that has inserted into a table fails when it commits, after all its statements."""
        self.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'the connection broke'; END $$;"
            f"CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        yield
        self.execute("DROP FUNCTION refuse CASCADE")

    def revenue(self) -> dict[str, tuple[str, int]]:
        """daily_revenue as `{day: (revenue, orders)}`."""
        rows = self.query("SELECT order_date, revenue, order_count FROM analytics.daily_revenue")
        return {str(day): (str(revenue), count) for day, revenue, count in rows}

    def spend(self) -> dict[tuple[str, str], str]:
        """daily_revenue_partitioned as `{(day, customer): spend}`."""
        rows = self.query("SELECT order_date, customer_id, daily_spend FROM analytics.daily_revenue_partitioned")
        return {(str(day), customer): str(spend) for day, customer, spend in rows}

    def rejected(self) -> list[tuple[str, int, str, str]]:
        """rejected_orders as (source, row number, reason, raw), in order."""
        return self.query("SELECT source, row_number, reason, raw FROM analytics.rejected_orders ORDER BY 1, 2")  # type: ignore[return-value]

    def superseded(self) -> dict[tuple[str, str, str], tuple[int, str, int]]:
        """The ledger's record of superseded rows as `{(day, winner, loser): (rows, amount, of other customers)}`."""
        rows = self.query("SELECT day, winner, loser, orders, amount, other_customer FROM ledger.superseded")
        return {(str(day), *sources): (orders, str(amount), other) for day, *sources, orders, amount, other in rows}

    def suspected(self) -> dict[tuple[str, str], tuple[int, Decimal]]:
        """What is open of superseded rows that may be no earlier versions, as the oracle's `suspected`."""
        kinds = "kind IN ('no_order_replaces_another', 'repeated_orders_agree')"
        found = self.query(
            "SELECT kind, subject, fingerprint, amount FROM ledger.findings"
            f" WHERE settled_at IS NULL AND accepted_at IS NULL AND {kinds}"
        )
        return {
            (kind, subject.partition("/")[2]): (int(fingerprint.split()[0]), amount)
            for kind, subject, fingerprint, amount in found
        }

    def unpublished(self) -> list[tuple[Any, ...]]:
        """The days on which daily_revenue shows another figure than the last published one; both in one snapshot."""
        return self.query(
            "SELECT coalesce(day, order_date), last.revenue, last.orders, mart.revenue, mart.order_count"
            " FROM (SELECT DISTINCT ON (day) day, revenue, orders FROM ledger.published ORDER BY day, id DESC) last"
            " FULL JOIN analytics.daily_revenue mart ON day = order_date"
            " WHERE (coalesce(last.revenue, 0), coalesce(last.orders, 0))"
            " IS DISTINCT FROM (coalesce(mart.revenue, 0), coalesce(mart.order_count, 0))"
        )

    def orders(self, asset: str = "cleaned_orders") -> dict[str, tuple[str, str, str]]:
        """Clean orders as `{order_id: (customer, amount, time)}`."""
        frame = self.lake_frame(asset)
        if frame.is_empty():
            return {}
        assert frame["order_id"].is_unique().all()
        return {
            row["order_id"]: (row["customer_id"], str(row["amount"]), row["order_date"].isoformat(sep=" "))
            for row in frame.to_dicts()
        }

    def lake_frame(self, asset: str) -> pl.DataFrame:
        """All rows of a table that is kept in the lake by day."""
        with self.connect() as connection:
            built = builds.all_days(connection, asset, Calendar.of(read_settings()))
            paths = list(builds.paths(connection, asset, built).values())
        return s3.lake().scan(paths).collect() if paths else pl.DataFrame()

    def built(self, asset: str) -> dict[str, tuple[str, str]]:
        """The ledger's word on a table's days: `{day: (input, path or run)}`; equal as long as nothing is rebuilt."""
        rows = self.query("SELECT day, input, coalesce(path, run_id) FROM ledger.built_days WHERE asset = :a", a=asset)
        return {str(day): (input_, made) for day, input_, made in rows}

    def stale(self, asset: str) -> list[date]:
        """The stale days of a table."""
        with self.connect() as connection:
            return staleness.due_days(connection, asset, Calendar.of(read_settings())).stale


def check_results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The evaluations of a run's checks, by name."""
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def shown_of(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], dict[str, Any]]:
    """The metadata of a run's materializations, by asset and partition."""
    return {
        (event.asset_key.to_user_string(), event.partition): dict(event.materialization.metadata)
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }
