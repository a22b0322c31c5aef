"""The checks of what landed: `raw_orders` and `rejected_orders`."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from orders_pipeline.assets.ingestion import raw_orders
from orders_pipeline.assets.orders import rejected_orders
from orders_pipeline.checks import overdue
from orders_pipeline.checks.results import ERROR, FULL_REFRESH, calendar, nothing_checked, recorded, result, scope_of
from orders_pipeline.landing import notices
from orders_pipeline.landing.verification import share_of, verify
from orders_pipeline.ledger import damage, findings
from orders_pipeline.ledger.findings import of_file
from orders_pipeline.quality import (
    completeness,
    currencies,
    damaged_ids,
    landing_zone,
    reject_rate,
    unloaded_files,
)
from orders_pipeline.resources import PostgresResource, S3Resource
from orders_pipeline.schema import UNREADABLE_FILE_ROWS
from orders_pipeline.settings import read_settings
from orders_pipeline.tables.missing_objects import blocked_reason
from orders_pipeline.text import counted, list_days, printable
from orders_pipeline.ui.findings import messages, rejects_by_file, set_aside_files


@dg.asset_check(asset=raw_orders)
def landed_files_are_readable(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file is quarantined, failing or archived, and no empty file has replaced one whose rows still count."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "landed_files_are_readable")
    found = unloaded_files.find(engine, read_settings().source_table)
    standing = recorded(engine, examination, found.findings())
    subjects = {one.subject for one in standing.open}
    archived = {subject: file for file in found.archived if (subject := of_file(file.bucket, file.key)) in subjects}
    sentences = []
    if set_aside := [one for one in standing.open if one.subject not in archived]:
        sentences.append(
            f"{len(set_aside)} of {found.counted} are not loaded: {messages(set_aside)}. Their orders are missing,"
            " or those of the last readable version still count. Failing files are retried automatically. For a"
            " quarantined file, upload a corrected version under the same key, or fix the cause and run"
            " `orders-pipeline retry KEY`."
        )
    if archived:
        sentences.append(notices.archived(list(archived.values())))
    return result(
        standing,
        failing=" ".join(sentences),
        passing=f"All {found.counted} that landed are loaded or ignored.",
        metadata=set_aside_files(found.set_aside),
    )


@dg.asset_check(asset=raw_orders)
def files_are_in_the_landing_zone(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file counts that is outside the landing zone, as it is configured now: its bucket or prefix may have moved."""
    engine, zone = postgres.ledger(), read_settings().landing_zone
    examination = findings.examine(engine, "files_are_in_the_landing_zone")
    standing = recorded(engine, examination, landing_zone.find(engine, zone).findings())
    return result(
        standing,
        failing=f"Files count that are not in the landing zone {printable(str(zone))}: {messages(standing.open, '; ')}."
        " No listing shows them, so no newer version replaces them. If they moved: `orders-pipeline relocate FROM TO`,"
        " with full names like s3://bucket/folder/. If they should not count: `orders-pipeline retract` also takes full"
        " names, like s3://bucket/key.",
        passing=f"Every file that counts is in the landing zone {printable(str(zone))}.",
    )


@dg.asset_check(asset=raw_orders)
def every_source_delivered(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Each sender has sent a file by the time that it declares, or at which it did in the eight weeks before."""
    found, standing = overdue.late_senders(postgres.ledger(), read_settings(), datetime.now(UTC))
    return result(
        standing,
        failing=f"{messages(standing.open, '; ')}. Ask the sender; or correct `expected`"
        " (`orders-pipeline sources apply`).",
        passing=f"{counted(len(found.expected), 'sender')} delivered in time."
        if found.expected
        else "No source declares when it delivers (`expected`, see docs/sources.md), and none has for eight weeks.",
    )


@dg.asset_check(asset=raw_orders)
def ids_look_intact(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No id looks damaged, as by a spreadsheet (1.23457E+12, '00777), a float (1001.0) or stray white space."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "ids_look_intact")
    found = damaged_ids.find(engine)
    standing = recorded(engine, examination, [file.finding() for file in found.damaged])
    return result(
        standing,
        failing=f"Ids look damaged in {len(standing.open)} of {counted(found.files, 'file')}:"
        f" {messages(standing.open, '; ')}. They count as written, so one order may count twice, or several as one."
        " Export the ids as text, and upload the files again under the same keys.",
        passing=f"All ids in {counted(found.files, 'file')} look intact."
        if found.files
        else "No file with orders has landed yet.",
    )


@dg.asset_check(asset=raw_orders)
def amounts_are_in_one_currency(postgres: PostgresResource) -> dg.AssetCheckResult:
    """All amounts of loaded files that say their currency are in the same one. Nothing is converted: others are added
    up all the same."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "amounts_are_in_one_currency")
    found = currencies.find(engine)
    standing = recorded(engine, examination, [sender.finding() for sender in found.others])
    said = f"All amounts that say their currency are in {found.currencies[0]}." if found.currencies else ""
    return result(
        standing,
        severity=ERROR,
        failing=f"Amounts in several currencies are added up: {messages(standing.open, '; ')}. Convert them before they"
        " land, or declare currency_column and currency of the source: rows in another currency are then rejected"
        " (docs/sources.md).",
        passing=said or "No file says its currency.",
    )


@dg.asset_check(asset=raw_orders)
def lake_is_intact(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """No object of the lake was found to be missing or damaged. Each is verified before it is read. The daily job also
    reads a thirtieth of all objects, so that each is verified once a month."""
    engine = postgres.ledger()
    verified = verify(engine, s3.lake(), share_of(calendar().today)) if scope_of(context).everything else None
    with engine.connect() as connection:
        standing = findings.standing(connection, damage.KIND)
    return result(
        standing,
        failing=f"Something damages the lake: {messages(standing.open, '; ')}. The next runs read such files from S3"
        " again and rebuild such days; no_order_is_lost names files for which that is impossible. Check the storage"
        " (docs/operations.md).",
        passing="No object that was read is missing or damaged."
        if verified is None
        else f"{counted(verified.objects, 'object')}, a thirtieth of all, read from end to end: none is damaged.",
    )


@dg.asset_check(asset=rejected_orders)
def few_rows_are_rejected(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No file has a larger share of rejects than ORDERS_MAX_REJECT_SHARE, and no file has rejects only. Up to half of a
    file with fewer than 20 rows may be rejects."""
    share, engine = read_settings().max_reject_share, postgres.ledger()
    examination = findings.examine(engine, "few_rows_are_rejected")
    with engine.connect() as connection:
        compared, found = reject_rate.above(connection, share)
    standing = recorded(engine, examination, [file.finding() for file in found])
    worst_first = {file.finding().subject: number for number, file in enumerate(found)}
    named = sorted(standing.open, key=lambda one: worst_first.get(one.subject, len(found)))
    return result(
        standing,
        failing=f"Too many rows are rejected in {len(named)} of {counted(compared, 'file')}: {messages(named, '; ')}."
        " See the rows in rejected_orders, correct the files and upload them again under the same keys.",
        passing=f"None of the {counted(compared, 'file')} has too many rejects: more than {share:.2%}, or, with fewer"
        f" than {UNREADABLE_FILE_ROWS} rows, more than half.",
        metadata=rejects_by_file(found),
    )


@dg.asset_check(asset=rejected_orders)
def no_order_is_lost(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, s3: S3Resource
) -> dg.AssetCheckResult:
    """Every row of every file is clean, void, merged, blank, rejected, superseded or out of range, and so is its
    amount."""
    engine = postgres.ledger()
    examination = findings.examine(engine, "no_order_is_lost")
    found = completeness.compare(engine, s3.lake(), scope_of(context), calendar(), examination)
    standing = recorded(engine, examination, found.findings(), found.examined)
    orders, stale = found.orders, found.stale
    if not (found.days or found.rejects or standing.open):
        return nothing_checked("cleaned_orders", stale.stale)
    waiting = f" {counted(len(stale.stale), 'stale day')} not compared." if stale.stale else ""
    sentences = []
    missing = {of_file(file.version.bucket, file.version.key): file.version.key for file in found.missing}
    if wrong := [one for one in standing.open if one.subject not in missing]:
        sentences.append(f"{messages(wrong, '; ')}.{waiting} {FULL_REFRESH}")
    if keys := {missing[one.subject] for one in standing.open if one.subject in missing}:
        sentences.append(blocked_reason(found.unbuildable(keys)))
    return result(
        standing,
        severity=ERROR,
        failing=" ".join(sentences),
        passing=f"All {orders.read} orders read for {list_days(found.days)} are accounted for:"
        f" {orders.clean} clean, {orders.read - orders.clean} superseded. So are the rejects of"
        f" {counted(len(found.rejects), 'file')}.{waiting}",
    )


CHECKS: Final = [
    landed_files_are_readable,
    files_are_in_the_landing_zone,
    every_source_delivered,
    ids_look_intact,
    amounts_are_in_one_currency,
    lake_is_intact,
    few_rows_are_rejected,
    no_order_is_lost,
]
