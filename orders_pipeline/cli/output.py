"""How the command line words its results."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from orders_pipeline import progress as reports
from orders_pipeline.alerts.ticks import Ticking
from orders_pipeline.cli.commands.findings import money_at_stake
from orders_pipeline.cli.file_lines import below, failing, named, standing
from orders_pipeline.cli.status import FileStatus, PipelineStatus
from orders_pipeline.cli.sync import Synced
from orders_pipeline.cli.terminal import console, escape, progress, say
from orders_pipeline.errors import SourcesError
from orders_pipeline.landing.declare import Change
from orders_pipeline.landing.recovery import Recovered
from orders_pipeline.landing.relocate import Relocated
from orders_pipeline.landing.retention import Retention
from orders_pipeline.landing.side_files import SIDE_FILE
from orders_pipeline.landing.source_table import WHOLE
from orders_pipeline.ledger.declarations import Declaration
from orders_pipeline.ledger.relocations import Outcome
from orders_pipeline.ledger.versions import ARCHIVED
from orders_pipeline.s3_settings import Place
from orders_pipeline.schema import REASONS, TABLE_PREFIX
from orders_pipeline.settings import read_settings
from orders_pipeline.sources.declaration import parse
from orders_pipeline.tables.missing_objects import blocked_reason
from orders_pipeline.tables.out_of_range import Side, Waiting
from orders_pipeline.text import counted, cut, list_days, shortened

_LISTED: Final = 10  # files of a kind that `sync` names; `status` names all
_OTHER_OUTCOMES: Final = ("void", "merged", "blank")
_COUNTED_REASONS: Final = {ARCHIVED, SIDE_FILE}  # ignored files that one sentence sums up
_FEW: Final = 3
_SIDES: Final = {
    Side.BEFORE_START: "before ORDERS_START_DATE: not counted. To count them, set it to {first} or earlier.",
    Side.AFTER_TODAY: "after today: not counted yet. Each day is built once it begins.",
}
_LISTED_KEYS: Final = 20
_OUTCOMES: Final = {
    Outcome.RENAMED: "renamed: what lands under the new name is the next version",
    Outcome.REPLACED: "replaced by the version that was loaded from the new place",
    Outcome.KEPT: "renamed that counts until a newer version can be loaded: what landed in the new place is not",
    Outcome.FORGOTTEN: "forgotten: it does not count, and another version landed in the new place",
}


def uploads(keys: Mapping[Path, str], bucket: str, upload: Callable[[Path, str], None]) -> None:
    """Upload files, showing how far it is and where each went."""
    with progress():
        for done, (path, key) in enumerate(keys.items(), start=1):
            upload(path, key)
            reports.report("files", done, len(keys))
            console.print(escape(f"s3://{bucket}/{key}"))
    if read_settings().s3_bucket is None:
        say("The embedded S3 keeps objects in memory: load them (`orders-pipeline sync`) before you stop it.")


def retention(found: Retention, days: int) -> None:
    """Which landed objects could go, and what stays."""
    total = len(found.expendable) + sum(found.kept.values())
    say(
        f"{len(found.expendable):,} of {counted(total, 'landed object')} ({found.size:,} bytes) could go: they are"
        f" older than {counted(days, 'day')} and loaded, and the lake's copies were read and are intact."
    )
    if found.kept:
        say(f"The others are {', '.join(f'{why}: {number:,}' for why, number in found.kept.items())}.")
    say("What you give up without originals: docs/operations.md, 'Delete old originals'. --json lists the keys.")


def each(keys: Sequence[str], what: str) -> None:
    """What was done, for each key; of many, how many more there are."""
    for key in keys[:_LISTED_KEYS]:
        console.print(f"{escape(key)} {what}")
    if len(keys) > _LISTED_KEYS:
        console.print(f"and {len(keys) - _LISTED_KEYS} more.")


def relocated(found: Relocated, *, is_made: bool) -> None:
    """What a relocation does with files, and what you have to repeat."""
    if found.before is not None:
        console.print(f"Nothing to do, for example: {escape(found.before)} before.")
        return
    for outcome, what in _OUTCOMES.items():
        if count := found.outcomes[outcome]:
            console.print(f"  {counted(count, 'file')} {what}")
    if again := [str(Place(*move.new)) for move in found.moves if move.was_retracted]:
        console.print(
            "Retracted under the old or the new name, but copies in the new place may count. Retract again what should"
            f" not: {escape(shortened(again))}"
        )
    if is_made:
        to_be_rebuilt(found.changed_days)
    else:
        console.print(f"  to be rebuilt: {list_days(found.changed_days)}")
        console.print("Nothing was changed: this was a dry run.")


def to_be_rebuilt(days: Collection[date]) -> None:
    """Which days a change of files makes stale."""
    if days:
        console.print(f"{list_days(days)} will be rebuilt by `orders-pipeline sync` or the sensors.")


def synced(result: Synced) -> None:
    """What a sync did, and what it could not."""
    if not result.runs and result.is_complete:
        console.print("Nothing to do: every file is settled and no day is stale.")
    for table, days in result.rebuilt.items():
        if days:
            console.print(f"  {table}: {counted(len(days), 'day')} rebuilt ({list_days(days)})")
    for check, message in sorted(result.failed_checks.items()):
        console.print(f"  [yellow]check {check}[/yellow] {escape(message)}")
    _rows_left_out(result)
    for step, error in result.errors.items():
        console.print(f"  [red]failed[/red] {step}: {escape(error)}")
    for line in failing([(file.version.key, file) for file in result.failing]):
        console.print(f"  [red]failing[/red] {line}")
    warned = "\n".join(result.failed_checks.values())
    _notices([notice for notice in result.notices if notice not in warned])  # once is enough
    if result.left:
        stale = {table: list_days(days) for table, days in result.left.stale.items() if days}
        if result.left.has_unpartitioned_work or stale:
            console.print(
                f"  [red]left[/red] {counted(len(result.left.load), 'file')} pending; stale: {stale or 'nothing'}"
            )
        if result.left.unrecoverable:
            console.print(f"  [red]left[/red] {escape(blocked_reason(result.left.unrecoverable))}")
    if result.runs and result.is_complete:
        console.print(f"[green]Up to date[/green] after {counted(result.runs, 'run')}.")


def _rows_left_out(result: Synced) -> None:
    """Files that count in part or not at all, though nothing is left to do with them."""
    _first(
        [
            f"[yellow]{file.status}[/yellow] {named(file.version.key)}: {below(file.message)}{standing(file)}"
            for file in result.unloaded
        ]
    )
    if "few_rows_are_rejected" not in result.failed_checks:  # which has just named them
        _first([f"[yellow]rejected[/yellow] {escape(str(file))}" for file in result.high_reject_rate])
    _waiting(result.waiting)


def _first(lines: list[str]) -> None:
    for line in lines[:_LISTED]:
        console.print(f"  {line}")
    if len(lines) > _LISTED:
        console.print(f"    and {len(lines) - _LISTED} more: `orders-pipeline status` lists them all")


def _waiting(sides: list[Waiting]) -> None:
    """Orders of days that are not built, and what to do on each side of the calendar."""
    for its in sides:
        orders = "an unknown number of orders"
        if not its.problem:
            orders = f"{counted(its.orders or 0, 'order')} worth {its.amount:,}"
        files = f" (in {', '.join(its.files[:_FEW])}{', ...' if len(its.files) > _FEW else ''})" if its.files else ""
        where = _SIDES[its.side].format(first=min(its.days))
        console.print(
            f"  [yellow]waiting[/yellow]   {orders} on {list_days(its.days)}{escape(files)}, {where} If the dates are"
            f" wrong, correct the file and upload it again under the same key.{escape(f' {its.problem}'.rstrip())}"
        )


def recovered(found: Recovered) -> None:
    """What a recovery restored, what it could not, and what you have to repeat."""
    for declared in found.declarations:
        console.print(f"  restored from the lake: the sources applied {_when(declared)}")
    if found.verified is not None:
        read = counted(found.verified.objects, "object")
        console.print(f"{read} of the lake read: {len(found.verified.damaged) or 'none'} missing or damaged.")
    if not (found.declarations or found.adopted or found.to_reprocess or found.stale):
        console.print("Nothing to recover: every file in the lake is in the ledger, and no object is missing.")
    for version in found.adopted:
        landed = f"landed {version.last_modified:%Y-%m-%d %H:%M:%S} UTC"
        console.print(f"  adopted from the lake: {escape(version.key)} ({landed})")
    for key in found.to_reprocess:
        console.print(f"  object missing or damaged, will be read again: {escape(key)}")
    for table, days in found.stale.items():
        console.print(
            f"  {table}: {counted(len(days), 'stale day')}, since objects are missing or damaged ({list_days(days)})"
        )
    if found.changed_days:
        console.print(f"  to be rebuilt: {list_days(found.changed_days)}")
    for key in found.unrecoverable:
        console.print(
            f"  [red]lost[/red] {escape(key)}: its rows are neither in the lake nor on S3. Land it again, or run"
            " `orders-pipeline retract KEY`"
        )
    for name in found.damaged:
        console.print(f"  [red]damaged[/red] {escape(name)}: it cannot be read, or does not record its origin")
    for key in found.table_days:
        console.print(
            f"  [red]not adopted[/red] {escape(key)}: the lake and the ledger have different versions of it, and no"
            " source table is there to decide. Restore the table, or land the day as a file"
        )
    if found.adopted:
        console.print(
            "Repeat any retraction that you made after the backup (`orders-pipeline retract KEY`), and any relocation."
        )
    console.print("Next: `orders-pipeline sync`.")


def declared(change: Change, *, is_applied: bool) -> None:
    """What a declaration of sources changes, or would change."""
    named = ", ".join(source.name for source in change.sources.declared) or "none"
    console.print(f"{'Sources that hold now' if is_applied else 'Sources'}: {escape(named)}.")
    for remark in change.sources.remarks:
        console.print(f"  {escape(remark)}")
    kinds = {
        "to read again from S3": change.read_again,
        "to validate again from the lake": change.validated_again,
        "quarantined, to try again": change.tried_again,
    }
    for what, keys in kinds.items():
        if keys:
            shown = ", ".join(keys[:_FEW]) + (", ..." if len(keys) > _FEW else "")
            console.print(f"  {counted(len(keys), 'file')} {what}: {escape(shown)}")
    if not any(kinds.values()):
        console.print("  No file that has landed is affected.")
    elif is_applied:
        console.print("Next: `orders-pipeline sync`, or wait for the sensors.")
    if not is_applied:
        console.print("Nothing was changed: this was a dry run.")


def declaration(history: Sequence[Declaration]) -> None:
    """The declaration that applies, as TOML."""
    if not history:
        console.print("# No source is declared. See docs/sources.md.")
        return
    console.print(f"# Applied {_when(history[-1])}")
    console.print(escape(history[-1].toml.rstrip()))


def declarations(history: Sequence[Declaration]) -> None:
    """The declarations that were applied, the newest first."""
    for declared in reversed(history):
        console.print(f"{_when(declared)}: {escape(_names(declared))}")
    if not history:
        console.print("No declaration was ever applied.")


def _when(declared: Declaration) -> str:
    return f"{declared.applied_at:%Y-%m-%d %H:%M:%S} UTC by {escape(declared.applied_by)}"


def _names(declared: Declaration) -> str:
    try:
        return ", ".join(source.name for source in parse(declared.toml).declared) or "none"
    except SourcesError:
        return "of a newer release"


def status(found: PipelineStatus) -> None:
    """Files, days and totals for a person."""
    word = "[green]up to date[/green]" if found.is_current else "[yellow]work to do[/yellow]"
    yours = found.needs_you
    console.print(f"Orders pipeline: {word}" + (f"; [yellow]needs you[/yellow]: {', '.join(yours)}" if yours else ""))
    is_table_failing = any(file.key == WHOLE.key for file in found.failing)
    days = Counter(found.table_days) + Counter(failing=int(is_table_failing))
    files = {name: count - days[name] for name, count in found.files.items()}
    console.print("  files     " + ", ".join(f"{count:,} {name}" for name, count in files.items()))
    if found.table_days:
        listed = ", ".join(f"{count:,} {name}" for name, count in found.table_days.items())
        console.print(f"  table     {escape(read_settings().source_table)}: days {listed}")
    _unloaded("quarantined", found.quarantined)
    for line in failing([(file.key, file) for file in found.failing]):
        console.print(f"    failing: {line}")
    _unloaded("ignored", found.ignored)
    for rejected in found.high_reject_rate:
        console.print(f"    rejected: {escape(str(rejected))}")
    if found.side_files:
        left_out = counted(found.side_files, "side file")
        console.print(f"    left out: {left_out} of other tools (a part of the key begins with _ or a dot)")
    for key in found.pending[:10]:
        console.print(f"    pending: {escape(key)}")
    if found.outdated_files:
        console.print(f"    pending: {counted(found.outdated_files, 'file')} to reprocess or revalidate")
    stale = [f"{table} {list_days(days)}" for table, days in found.stale_days.items() if days]
    console.print("  stale     " + ("; ".join(stale) or "no day"))
    _waiting(found.waiting)
    totals = found.totals
    console.print(
        f"  rows      {totals['rows']:,} read = {totals['clean_orders']:,} clean + {totals['rejected_rows']:,} rejected"
        f" + {totals['superseded_or_out_of_range']:,} superseded or out of range"
        + "".join(f" + {totals[f'{name}_rows']:,} {name}" for name in _OTHER_OUTCOMES if totals[f"{name}_rows"])
    )
    for reason, count in totals["rejected_by_reason"].items():
        console.print(f"    {count:,} {reason}: {REASONS.get(reason, reason)}")
    console.print(f"  revenue   {totals['revenue']:,} on {counted(totals['days'], 'day')}")
    replaced = totals["clean_amount"] - totals["revenue"]
    elsewhere = {
        "superseded or out of range": replaced,
        "void": totals["void_amount"],
        "rejected, where readable": totals["rejected_amount"],
    }
    if named := [f"{amount:,} {what}" for what, amount in elsewhere.items() if amount]:
        console.print(f"    not in it: {', '.join(named)}")
    if found.findings:
        stake = money_at_stake(found.findings)
        worth = "" if stake is None else f", {stake:,} at stake where known"
        console.print(f"  findings  {len(found.findings)} open{worth}: `orders-pipeline findings` lists them")
        for kind, count in Counter(one.kind for one in found.findings).most_common():
            console.print(f"    {count} {kind}")
    _notices(found.notices)


def last_ticks(found: Sequence[Ticking] | None) -> None:
    """When each sensor and schedule last ticked, and why it failed if it did. None: that is not known."""
    if found is None:
        console.print("  last tick unknown: Dagster's storage did not answer")
    for one in found or ():
        if not one.ticks:
            when = "has not ticked yet"
        else:
            tick = one.ticks[0]
            when = f"{datetime.fromtimestamp(tick.began, UTC):%Y-%m-%d %H:%M:%S} UTC"
            when += f"[red], failed[/red]: {escape(cut(tick.error))}" if tick.error else ""
        console.print(f"  last tick {one.name}: {when}")


def _unloaded(status: str, files: Sequence[FileStatus]) -> None:
    for file in files:
        if file.reason not in _COUNTED_REASONS:
            size = "" if file.key.startswith(TABLE_PREFIX) else f" ({counted(file.size, 'byte')})"
            console.print(f"    {status}: {named(file.key)}{size}: {below(file.message)}{standing(file)}")


def _notices(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        console.print(f"  [yellow]note[/yellow] {escape(sentence)}")
