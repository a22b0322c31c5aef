"""raw_orders: landed files and changed days of the source table, as immutable objects of the lake."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Self

import dagster as dg
from pydantic import Field

from orders_pipeline.assets.upstream import UPSTREAM_OF_RAW_ORDERS
from orders_pipeline.landing.discover import receive_files, receive_table
from orders_pipeline.landing.ingest import ingesting
from orders_pipeline.landing.reprocess import reprocess_outdated
from orders_pipeline.ledger import reports
from orders_pipeline.ledger.versions import FileVersion, is_side_file
from orders_pipeline.pools import UNPARTITIONED_POOL
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.settings import read_settings
from orders_pipeline.ui import log_lines, metadata
from orders_pipeline.ui.arrivals import observed
from orders_pipeline.ui.materialization import open_findings


class ListedObject(dg.Config):
    """An object as S3 listed it. `last_modified`: ISO 8601, UTC."""

    key: str
    etag: str
    size: int
    last_modified: str
    may_be_archived: bool = False

    @classmethod
    def of(cls, version: FileVersion) -> Self:
        """The config of a run for a listed version."""
        return cls(
            key=version.key,
            etag=version.etag,
            size=version.size,
            last_modified=version.last_modified.isoformat(),
            may_be_archived=version.may_be_archived,
        )

    def version(self, s3: S3Resource) -> FileVersion:
        """The version that was listed in the landing zone."""
        return FileVersion(
            s3.bucket,
            self.key,
            self.etag,
            self.size,
            datetime.fromisoformat(self.last_modified),
            is_side_file=is_side_file(self.key, s3.prefix),
            may_be_archived=self.may_be_archived,
        )


class RawOrdersConfig(dg.Config):
    """Which files a run loads."""

    s3_keys: list[str] = Field(
        default=[],
        description="Keys of the landing zone. Empty: everything that is pending, and the source table too.",
    )
    listed: list[ListedObject] = Field(
        default=[],
        description="The versions of these keys that the sensor listed. Leave it empty to look up each key on S3.",
    )

    @classmethod
    def of(cls, listed: Sequence[FileVersion]) -> Self:
        """The config of a run that loads these listed versions."""
        return cls(s3_keys=[version.key for version in listed], listed=[ListedObject.of(version) for version in listed])


@dg.asset(
    io_manager_key="lake",
    deps=UPSTREAM_OF_RAW_ORDERS,
    group_name="orders",
    kinds={"s3", "postgres", "parquet"},
    pool=UNPARTITIONED_POOL,
    owners=["team:orders"],
    tags={"domain": "orders", "layer": "raw"},
    metadata=metadata.of_table("raw_orders"),
)
def raw_orders(
    context: dg.AssetExecutionContext, config: RawOrdersConfig, postgres: PostgresResource, s3: S3Resource
) -> dg.MaterializeResult[None]:
    """Every row from landed files and the source table, as text, exactly as received, with its validation.

    A file becomes one object of the lake, and so does a day of the source table. A newer version of a file replaces the
    older one as a whole. A file that cannot be read is quarantined, with what to do; a row that cannot be used is
    rejected, with a reason. Both are kept.

    Without config, a run loads everything that is pending, and the source table too. Runs of `s3_arrival_sensor` name
    the files that landed.
    """
    started, settings, lake = time.monotonic(), read_settings(), s3.lake()
    with ingesting(postgres.ledger(), lake, settings.timezone, context.run.run_id, context.log) as ingest:
        if config.s3_keys:
            listed = [object_.version(s3) for object_ in config.listed]
            report = receive_files(ingest, s3, config.s3_keys, listed)
        else:
            report = receive_table(ingest, settings)  # first: an outage of S3 must not block it
            report.add(receive_files(ingest, s3, []))
        for observation in observed(report, settings):
            context.log_event(observation)
        if not config.s3_keys:
            report.add(reprocess_outdated(ingest))
    for line in [*report.remarks, *log_lines.of_ingest(report)]:
        context.log.info(line)
    with postgres.ledger().connect() as connection:
        senders = reports.by_sender(connection, ingest.sources)
    return dg.MaterializeResult(
        metadata={
            **open_findings(context.op_execution_context, postgres.ledger(), "raw_orders"),
            **metadata.of_ingest(report, ingest.sources),
            **metadata.of_senders(senders),
            "dagster/row_count": sum(sender.rows.total() for sender in senders.values()),
            **metadata.of_duration(time.monotonic() - started),
        }
    )
