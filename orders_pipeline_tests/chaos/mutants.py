"""`make mutants`: break each guarantee on purpose, in a scratch copy, and see a test fail.

Each mutant is one small change to a function of the package, the guarantee of docs/reliability.md that it breaks, and
the tests that must go red. It names the function, so that code may move and be reformatted without a change here.
The table of docs/mutants.md is written by a run of all of them.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/mutants.md"
SECONDS = 400
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Mutant:
    """A change that breaks a guarantee, and the tests that see it."""

    guarantee: str
    breaks: str
    of: str  # "module:function", or "module" for its constants
    old: str  # once in there, however it is laid out
    new: str
    tests: str
    chosen: str = ""  # of these tests, by pytest's -k

    @property
    def path(self) -> Path:
        """The file to change, in the package."""
        return Path(*self.of.partition(":")[0].split(".")).with_suffix(".py")

    def changed(self, source: str) -> str:
        """A source with the change made in its one place."""
        function = self.of.partition(":")[2]
        spans = [_span(source, function)] if function else list(_outside(source))
        found = [match for span in spans for match in _any_layout(self.old).finditer(source, *span)]
        assert len(found) == 1, f"{self.of} holds {self.old!r} {len(found)} times, not once"
        start, end = found[0].span()
        line = source[source.rfind("\n", 0, start) + 1 : start]
        margin = line[: len(line) - len(line.lstrip())]
        return source[:start] + self.new.replace("\n", f"\n{margin}") + source[end:]

    def change(self, root: Path) -> None:
        """Make the change in a copy of the project."""
        path = root / "orders_pipeline" / self.path
        path.write_text(self.changed(path.read_text()))


def _any_layout(old: str) -> re.Pattern[str]:
    """A pattern of the same code in lines and with spaces of any kind, with trailing commas or without."""
    pieces = re.findall(r"\w+|[^\w\s]", old)
    pattern = r"\b" if pieces[0][0].isidentifier() else ""
    for before, piece in pairwise(["", *pieces]):
        if before and before[-1].isalnum() and piece[0].isalnum():
            pattern += r"\s+"
        elif before:
            pattern += r"\s*(?:,\s*)?" if piece in ")]}" and before != "," else r"\s*"
        pattern += re.escape(piece)
    return re.compile(pattern + (r"\b" if pieces[-1][-1].isalnum() else ""))


def _span(source: str, function: str) -> tuple[int, int]:
    """Where a function or class is, by its qualified name, decorators included."""
    node: ast.AST = ast.parse(source)
    for name in function.split("."):
        [node] = [inner for inner in _definitions(node) if inner.name == name]
    assert isinstance(node, _DEFINITIONS)
    return _place(source, node)


def _outside(source: str) -> Iterator[tuple[int, int]]:
    """What is in no function and no class."""
    end = 0
    for node in _definitions(ast.parse(source)):
        start, after = _place(source, node)
        yield end, start
        end = after
    yield end, len(source)


def _definitions(node: ast.AST) -> Iterator[_Definition]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, _DEFINITIONS):
            yield inner
        else:
            yield from _definitions(inner)


def _place(source: str, node: _Definition) -> tuple[int, int]:
    lines = source.splitlines(keepends=True)
    first = min(part.lineno for part in (node, *node.decorator_list))
    return len("".join(lines[: first - 1])), len("".join(lines[: node.end_lineno]))


MUTANTS = [
    Mutant(
        "1 complete",
        "an overwritten key counts as settled",
        of="ledger.versions:_is_pending",
        old="if entry is None or entry.version != version:",
        new="if entry is None:",
        tests="landing/test_loading.py",
        chosen="overwrite or header_alone",
    ),
    Mutant(
        "1 complete",
        "an archived file is never checked again",
        of="ledger.entries:_settled",
        old="sa.or_(latest.c.reason.is_distinct_from(ARCHIVED), latest.c.next_attempt > sa.func.now()),",
        new="",
        tests="e2e/test_archived.py",
        chosen="once_an_hour",
    ),
    Mutant(
        "1 complete",
        "sync goes by its first listing, whatever changed since",
        of="cli.sync:sync",
        old="if found.backlog and not needs_listing:",
        new="if False:",
        tests="cli/test_sync.py",
        chosen="gone_after_it_was_listed",
    ),
    Mutant(
        "2 exactly once",
        "a side file of another tool is loaded",
        of="ledger.versions:_is_pending",
        old="if version.is_side_file and not (entry and entry.counts):",
        new="if version.is_side_file and entry and not entry.counts:",
        tests="landing/test_side_files.py",
        chosen="left_out_and_counted",
    ),
    Mutant(
        "1 complete",
        "a failed listing counts as an empty one",
        of="storage.s3:outages",
        old="raise ServiceUnavailableError(answered) from error",
        new="return",
        tests="landing/test_discover.py",
        chosen="breaks_off or is_away",
    ),
    Mutant(
        "2 exactly once",
        "a file is committed in another transaction than its day versions",
        of="landing.impact:Impact.record",
        old="staleness.bump_versions(connection, self.changed_days, asked=self.asked_days, taken=self.taken_days)",
        new="connection.commit() or staleness.bump_versions(connection, self.changed_days)",
        tests="landing/test_loading.py",
        chosen="committed_together",
    ),
    Mutant(
        "2 exactly once",
        "rows of a new version are added to those of the old one",
        of="io_managers.marts:_replace_files",
        old="transaction.execute(sa.delete(table).where(sa.tuple_(table.c.bucket",
        new="(sa.delete(table).where(sa.tuple_(table.c.bucket",
        tests="checks/test_no_order_is_lost.py landing/test_loading.py",
        chosen="full_refresh or overwrite",
    ),
    Mutant(
        "2 exactly once",
        "two processes can change which files are active at the same time",
        of="ledger.locks:hold_exclusive",
        old="connection.execute(sa.select(sa.func.pg_advisory_lock(_SPACE, int(lock))))",
        new="connection.execute(sa.select(sa.func.pg_try_advisory_lock(_SPACE, int(lock))))",
        tests="landing/test_concurrency.py",
        chosen="one_process_at_a_time",
    ),
    Mutant(
        "3 confluent",
        "between rows of the same time, their order decides",
        of="transforms:_winners",
        old='order_by=["_rank", SOURCE, ROW_NUMBER]',
        new='order_by=["_rank"]',
        tests="test_transforms.py",
        chosen="update_time_decides or bytewise",
    ),
    Mutant(
        "3 confluent",
        "an older build replaces a newer one",
        of="ledger.builds:commit_build",
        old="older = sa.and_(older, versions[0] <= versions[1])",
        new="assert versions",
        tests="ledger/test_builds.py",
    ),
    Mutant(
        "4 conserved",
        "a reason for rejects is not reported",
        of="validation:rejects",
        old=".filter(~nw.col(REASON).is_null())",
        new='.filter(~nw.col("_reason").is_null(), nw.col(REASON) != "amount_missing")',
        tests="test_validation.py",
        chosen="required_value",
    ),
    Mutant(
        "4 conserved",
        "`no_order_is_lost` ignores the rank of rows",
        of="quality.completeness:of_orders",
        old='on=["order_id", *place], how="semi"',
        new='on=["order_id", *place], how="anti"',
        tests="checks/test_no_order_is_lost.py",
        chosen="lost or accounted",
    ),
    Mutant(
        "4 conserved",
        "orders count as waiting although only a superseded version is out of range",
        of="tables.out_of_range:_orders",
        old="transforms.clean(rows, calendar.zone)",
        new='rows.with_columns(amount=pl.col("_amount"), order_date=pl.col("_order_date"))',
        tests="e2e/test_waiting.py",
        chosen="current_version",
    ),
    Mutant(
        "4 conserved",
        "an order that a file holds twice counts as not superseded",
        of="transforms",
        old='ROW_NUMBER: "_winners_row",',
        new="",
        tests="test_transforms.py",
        chosen="by_who_replaced_whom",
    ),
    Mutant(
        "4 conserved",
        "superseded rows are looked for on days without any, and not on the others",
        of="io_managers.losers:find",
        old="clean_rows.get(day, 0) != orders[day]",
        new="clean_rows.get(day, 0) == orders[day]",
        tests="io_managers/test_losers.py",
        chosen="on_its_own_day",
    ),
    Mutant(
        "5 atomic",
        "superseded rows are recorded for a day that was refused",
        of="io_managers.lake:LakeIOManager.handle_output",
        old="superseded.replace(transaction, current, found)",
        new="superseded.replace(transaction, build.days, found)",
        tests="io_managers/test_losers.py",
        chosen="refused",
    ),
    Mutant(
        "5 atomic",
        "a figure is published in a transaction of its own",
        of="io_managers.marts:MartsIOManager._replace_days.replace_days",
        old="changes.extend(publish(transaction, figures, causes, asked, context.run_id))",
        new="with engine.begin() as other:\n    changes.extend(publish(other, figures, causes, asked, context.run_id))",
        tests="ledger/test_published.py",
        chosen="together",
    ),
    Mutant(
        "5 atomic",
        "rows of a day are committed in another transaction than their build",
        of="io_managers.marts:MartsIOManager._replace_days.replace_days",
        old="if current:",
        new='transaction.exec_driver_sql("COMMIT")\nif current:',
        tests="io_managers/test_lake_and_marts.py",
        chosen="appear_together",
    ),
    Mutant(
        "6 replacement",
        "the days of the replaced version are not bumped",
        of="landing.impact:on_activate",
        old="_changed_days(lake, [*fresh, *leaving],",
        new="_changed_days(lake, fresh,",
        tests="landing/test_loading.py",
        chosen="overwrite or header_alone",
    ),
    Mutant(
        "6 replacement",
        "the longest ids of a file are missing from its range of ids",
        of="landing.tally:Tally._add_ids",
        old="ids.filter(size == size.max()).max()",
        new="ids.filter(size == size.max()).min()",
        tests="landing/test_overlap.py",
        chosen="know_of_each_other",
    ),
    Mutant(
        "6 replacement",
        "a small file does not look for its orders in files whose ids the ledger does not have",
        of="ledger.active:overlapping",
        old="queries.append(sa.and_(_has_id_within(known), ~is_hashed))",
        new="pass",
        tests="landing/test_overlap.py",
        chosen="small_files_and_others",
    ),
    Mutant(
        "6 replacement",
        "the ledger has only one of the ids of a small file",
        of="landing.overlap:id_hashes",
        old="set(map(id_hash, held))",
        new="{id_hash(max(held))}",
        tests="landing/test_overlap.py",
        chosen="small_files_and_others",
    ),
    Mutant(
        "6 replacement",
        "overlaps between files that land together are not recorded",
        of="landing.overlap:pairs",
        old="_holders(pl.concat([held, known]))",
        new="_holders(pl.concat([held.unique('id'), known]))",
        tests="landing/test_overlap.py",
        chosen="order",
    ),
    Mutant(
        "6 replacement",
        "overlaps are recorded for the newer file only",
        of="landing.overlap:pairs",
        old="if one != other and not is_fresh.isdisjoint((one, other))",
        new="if one != other and one in is_fresh",
        tests="landing/test_overlap.py",
        chosen="order",
    ),
    Mutant(
        "6 replacement",
        "days of the same order in other files are not bumped",
        of="landing.impact:_changed_days",
        old="return changed_days | raw_objects.days_elsewhere(lake, changed, _beyond(changed_days, partners))",
        new="return changed_days",
        tests="landing/test_overlap.py",
        chosen="moves_to_another_day or falls_back",
    ),
    Mutant(
        "7 agreement",
        "a customer's spend leaves out an order",
        of="transforms:spend_by_customer",
        old='daily_spend=nw.col("amount").sum()',
        new='daily_spend=nw.col("amount").max()',
        tests="test_transforms.py cli/test_sync.py",
        chosen="exact_sums or all_tables",
    ),
    Mutant(
        "8 minimal",
        "equal bytes that land again rebuild their days",
        of="landing.impact:on_activate",
        old="kept = {file.raw.path for file in coming} & {file.raw.path for file in replaced}",
        new="kept = set()",
        tests="landing/test_loading.py",
        chosen="same_bytes_again",
    ),
    Mutant(
        "8 minimal",
        "equal bytes with another ETag count as others",
        of="ledger.records:ActiveFile.has_bytes_of",
        old="content_hash == self.raw.content_hash",
        new="False",
        tests="landing/test_equal_bytes.py",
        chosen="change_no_day",
    ),
    Mutant(
        "8 minimal",
        "a range rebuilds the days that are not stale",
        of="io_managers.plan:of_days",
        old="everything=_is_full_refresh(tags)",
        new="everything=True",
        tests="io_managers/test_lake_and_marts.py",
        chosen="rerunning or touches",
    ),
    Mutant(
        "9 no poison",
        "an unknown error is retried for ever",
        of="landing.ingest:Ingest._settle",
        old="status = Status.QUARANTINED if is_last_attempt else Status.FAILING",
        new="status = Status.FAILING",
        tests="landing/test_attempts.py",
        chosen="bounded",
    ),
    Mutant(
        "9 no poison",
        "the death of a process does not count as an attempt",
        of="ledger.files:claim",
        old='"attempts": attempt,',
        new="",
        tests="chaos/test_races.py",
        chosen="kills_its_reader",
    ),
    Mutant(
        "9 no poison",
        "a dictionary that only Arrow finds passes every limit",
        of="formats.parquet_limits:_Structs.read",
        old="if not 0 < number < 1 << 15:",
        new="if False:",
        tests="formats/test_parquet_limits.py",
        chosen="only_arrow",
    ),
    Mutant(
        "9 no poison",
        "a file that is too large for a batch ends the run",
        of="landing.ingest:batched",
        old="get_len=lambda version: version.size, strict=False",
        new="get_len=lambda version: version.size, strict=True",
        tests="landing/test_batching.py",
        chosen="bounded_in_bytes",
    ),
    Mutant(
        "9 no poison",
        "the failure of one file fails all",
        of="landing.ingest:Ingest._read",
        old="except Exception as error: return error",
        new="except Exception:\n    raise",
        tests="landing/test_quarantine.py",
        chosen="bad_file_blocks",
    ),
    Mutant(
        "9 no blame",
        "an outage of Postgres counts as an attempt at the claimed files",
        of="landing.outages:releasing_on_outage",
        old="_release(connection.engine, run_id, str(outage), log)",
        new="",
        tests="landing/test_service_failures.py",
        chosen="outage_at_the_commit",
    ),
    Mutant(
        "9 no blame",
        "an outage of S3 counts as an attempt",
        of="ledger.files:_refund",
        old="attempts=sa.func.greatest(_t.attempts - 1, 0)",
        new="attempts=_t.attempts",
        tests="landing/test_service_failures.py",
        chosen="outage",
    ),
    Mutant(
        "9 no lost wake-up",
        "a day bumped while it is built counts as current",
        of="ledger.staleness:_inputs",
        old="return order_days, sa.cast(order_days.c.version, sa.Text), order_days.c.day",
        new='return order_days, sa.literal("1"), order_days.c.day',
        tests="io_managers/test_lake_and_marts.py ledger/test_builds.py",
        chosen="touched",
    ),
    Mutant(
        "9 no blame",
        "a failing disk counts as an attempt",
        of="landing.ingest:Ingest._read",
        old="if error.errno is not None",
        new="if False",
        tests="landing/test_service_failures.py",
        chosen="disk_that_fails",
    ),
    Mutant(
        "9 no poison",
        "a statement that always times out counts as an outage",
        of="storage.postgres",
        old='"57P"',
        new='"57"',
        tests="landing/test_attempts.py",
        chosen="reported_for_that_file",
    ),
    Mutant(
        "9 no poison",
        "a missing object blocks every file that overlaps with it",
        of="landing.impact:_changed_days",
        old="except raw_objects.DAMAGE as error:",
        new="except KeyError as error:",
        tests="landing/test_missing_objects.py",
        chosen="blocks_no_arrival",
    ),
    Mutant(
        "9 no lost wake-up",
        "a source table that did not answer is not requested again",
        of="backlog:Backlog.everything",
        old=", *self.retry_table]",
        new="]",
        tests="landing/test_source_table.py",
        chosen="does_not_answer",
    ),
    Mutant(
        "9 no poison",
        "work that a run left undone is requested without backoff",
        of="runs.backoff:backoff_of",
        old="return Backoff(len(runs), ended + pause) if ended <= now < ended + pause else None",
        new="return None",
        tests="runs/test_backoff.py",
    ),
    Mutant(
        "9 no blame",
        "a live run is failed when it loses its lock with its Postgres session",
        of="ledger.locks:_keep",
        old="connection.execute(sa.select(1))",
        new="pass",
        tests="runs/test_lost_runs.py",
        chosen="drops_its_sessions",
    ),
    Mutant(
        "10 replay",
        "a run that has nothing to do builds everything",
        of="ledger.staleness:_due_query",
        old="(sa.literal(everything), Why.REFRESH)",
        new="(sa.true(), Why.REFRESH)",
        tests="cli/test_sync.py",
    ),
    Mutant(
        "11 exact",
        "an amount of three decimals is rounded",
        of="validation",
        old='AMOUNT_TEXT: Final = r"^[+-]?[0-9]{1,16}(?:\\.[0-9]{1,2}0*)?$"',
        new='AMOUNT_TEXT: Final = r"^[+-]?[0-9]{1,16}(?:\\.[0-9]+)?$"',
        tests="test_validation.py",
        chosen="rounded",
    ),
    Mutant(
        "11 exact",
        "a number in an id becomes another text in each format",
        of="formats.json_rows:_text",
        old="return id_number(value) if name in ID_COLUMNS else str(value)",
        new="return str(value)",
        tests="formats/test_values.py",
        chosen="json_number",
    ),
    Mutant(
        "11 exact",
        "an error value of a spreadsheet counts as an id",
        of="validation:has_no_id",
        old="return is_missing | text.str.contains(ERROR_VALUE)",
        new="return is_missing",
        tests="test_validation.py",
        chosen="programs_write",
    ),
    Mutant(
        "11 exact",
        "a misplaced quote goes to the fast CSV reader",
        of="formats.delimited_fast:Piece.stands_alone",
        old="(begins_well & ends_well & in_one_line).all()",
        new="in_one_line.all()",
        tests="formats/test_any_bytes.py",
        chosen="read_fast",
    ),
    Mutant(
        "1 complete",
        "only the first batch of days is built",
        of="io_managers.handoff:Handoff.outputs",
        old="self._current = None if together else part",
        new="self._current = None if together else 0",
        tests="cli/test_sync.py",
    ),
    Mutant(
        "6 replacement",
        "the version of an old name counts on beside the one that replaced it",
        of="ledger.relocations:Relocation._leave_names",
        old="left.values(active=False, message=new_name, **ignored)",
        new="left.values(message=new_name, **ignored)",
        tests="landing/test_relocate.py",
        chosen="still_listed",
    ),
    Mutant(
        "11 exact",
        "separators of thousands may stand anywhere",
        of="sources.amounts:_with_point",
        old="{{1,3}}(?:{separator}[0-9]{{3}})+",
        new="{{1,3}}(?:{separator}[0-9]*)+",
        tests="sources/test_values.py",
        chosen="amount",
    ),
    Mutant(
        "11 exact",
        "minor units are hundredths in every currency",
        of="sources.amounts:_in_major_units",
        old="for digits, codes in _MINOR_DIGITS.items():",
        new="for digits, codes in ():",
        tests="sources/test_values.py",
        chosen="minor",
    ),
    Mutant(
        "11 exact",
        "of two formats that a date fits, the first is taken",
        of="sources.dates:plain_times",
        old="if len(readings) > 1:",
        new="if not readings:",
        tests="sources/test_values.py",
        chosen="a_date_is",
    ),
    Mutant(
        "11 exact",
        "a date without a time is converted from its sender's time zone",
        of="times:wall_clock",
        old='has_time = nw.col(f"{name}_text").str.len_chars() > _DATE_CHARS',
        new='has_time = nw.col(f"{name}_text").str.len_chars() > 0',
        tests="sources/test_values.py",
        chosen="never_converted",
    ),
    Mutant(
        "6 replacement",
        "orders of two senders with the same ids are one, whatever their prefixes",
        of="sources.declaration:Source.prefix_of",
        old='"order_id": self.order_id_prefix',
        new='"order_id": None',
        tests="landing/test_additions.py",
        chosen="same_ids",
    ),
    Mutant(
        "12 no vacuous check",
        "a source that never sent a file is not late",
        of="quality.late_sources:_late",
        old="(landed is not None and landed > before)",
        new="(landed is None or landed > before)",
        tests="checks/test_every_source_delivered.py",
        chosen="until_it_has",
    ),
    Mutant(
        "12 no vacuous check",
        "`files_are_in_the_landing_zone` finds no place",
        of="quality.landing_zone:Outside.findings",
        old="[_finding(held) for held in self.places]",
        new="[]",
        tests="checks/test_files_are_in_the_landing_zone.py",
    ),
    Mutant(
        "12 no vacuous check",
        "a day that was never delivered passes",
        of="quality.deliveries:find",
        old="day for day in without if day < calendar.today",
        new="day for day in without if day < calendar.start",
        tests="checks/test_orders_not_empty.py",
        chosen="without_orders",
    ),
    Mutant(
        "12 no vacuous check",
        "chains that differ agree",
        of="quality.reconciliation:compare",
        old="earned != spent or",
        new="",
        tests="checks/test_revenue_reconciles.py",
        chosen="agree",
    ),
    Mutant(
        "12 no vacuous check",
        "a day that differs is compared only once",
        of="quality.reconciliation:record",
        old="if day.day not in differing",
        new="",
        tests="checks/test_revenue_reconciles.py",
        chosen="agrees",
    ),
    Mutant(
        "12 no vacuous check",
        "a rebuilt day is not compared again",
        of="quality.reconciliation",
        old="AND reconciled.revenue_built_at = revenue.built_at AND reconciled.spend_built_at = spend.built_at",
        new="",
        tests="checks/test_revenue_reconciles.py",
        chosen="since_they_agreed",
    ),
    Mutant(
        "12 no vacuous check",
        "an arrival leaves what it showed of the other chain's table as it was",
        of="jobs",
        old="selection=dg.AssetSelection.assets(*UNPARTITIONED) | _RECONCILES",
        new="selection=dg.AssetSelection.assets(*UNPARTITIONED)",
        tests="checks/test_revenue_reconciles.py",
        chosen="whichever_chain",
    ),
    Mutant(
        "12 no vacuous check",
        "a small file without any clean row passes",
        of="quality.reject_rate:above",
        old="if row.versions == 0 or is_above(*row[:4])",
        new="if row.rows >= UNREADABLE_FILE_ROWS and is_above(*row[:4])",
        tests="checks/test_few_rows_are_rejected.py",
        chosen="hardly_any",
    ),
    Mutant(
        "12 no vacuous check",
        "a warning ends in a run that does not look at its day",
        of="ledger.findings:record",
        old="if examined is not None:",
        new="if False:",
        tests="checks/test_findings.py",
        chosen="cannot_be_compared",
    ),
    Mutant(
        "12 no vacuous check",
        "an older examination settles what a newer one found",
        of="ledger.findings:record",
        old="_t.found_at < began",
        new="sa.true()",
        tests="ledger/test_findings.py",
        chosen="earlier",
    ),
    Mutant(
        "12 no vacuous check",
        "runs that record findings at once get in each other's way",
        of="ledger.findings:record",
        old="hold_until_commit(transaction, Lock.FINDINGS)",
        new="pass",
        tests="ledger/test_findings.py",
        chosen="at_once",
    ),
    Mutant(
        "12 no vacuous check",
        "an accepted finding that changes stays accepted",
        of="ledger.findings:_merge",
        old="_t.fingerprint == new.fingerprint",
        new="sa.true()",
        tests="ledger/test_findings.py",
        chosen="fingerprint",
    ),
    Mutant(
        "12 no vacuous check",
        "repeated orders are published once someone accepts them",
        of="checks.orders:order_ids_are_unique",
        old="if of_this_run and not standing.open:",
        new="if False:",
        tests="checks/test_findings.py",
        chosen="to_accept_repeated",
    ),
    Mutant(
        "14 alerts at least once",
        "an alert counts as delivered whatever the receiver answers",
        of="alerts.delivery:deliver.deliver",
        old="memory.failed(time.time()) if problem else memory.delivered(number)",
        new="memory.delivered(number)",
        tests="alerts/test_delivery.py",
        chosen="until_it_is_taken",
    ),
    Mutant(
        "14 alerts at least once",
        "a crash repeats every message of its tick",
        of="alerts.delivery:deliver.deliver",
        old="keep(instance, key, memory) return memory",
        new="return memory",
        tests="alerts/test_memory.py",
        chosen="process_that_dies or each_crash",
    ),
    Mutant(
        "14 alerts at least once",
        "each attempt at the same work is reported as a new cause",
        of="alerts.causes:run_failed",
        old="attempt: _work(run),",
        new="",
        tests="alerts/test_causes.py",
        chosen="same_work",
    ),
    Mutant(
        "14 alerts at least once",
        "a finding that is open again counts as reported",
        of="alerts.findings:judge",
        old="yield from _settled({end for end in told.values() if _is_of_findings(end)} - ends)",
        new="yield from ()",
        tests="alerts/test_findings.py",
        chosen="open_again or settled_or_accepted",
    ),
    Mutant(
        "14 alerts at least once",
        "the heart beats while a sensor fails",
        of="sensors:run_failure_sensor",
        old="if settings.heartbeat_url and not any(event.alert for event in ticks):",
        new="if settings.heartbeat_url:",
        tests="alerts/test_ticks.py",
        chosen="heart_beats",
    ),
    Mutant(
        "1 complete",
        "a recovery adopts nothing",
        of="landing.recovery:_adopt",
        old="found.changed_days = ingest.adopt(undamaged).changed_days",
        new="found.changed_days = set()",
        tests="landing/test_recovery.py",
        chosen="without_recovery",
    ),
    Mutant(
        "2 exactly once",
        "a recovery brings back what was retracted",
        of="landing.recovery:to_adopt.should_count",
        old="return latest.is_archived or latest.status in (Status.FAILING, Status.QUARANTINED)",
        new="return True",
        tests="landing/test_recovery.py landing/test_adoption.py",
        chosen="status_decides or stays_so",
    ),
    Mutant(
        "3 confluent",
        "a recovered file keeps its validation for another time zone",
        of="landing.recovery:_adopt.first_undamaged",
        old="if copy.is_current_for(ingest.zone):",
        new="if copy.path:",
        tests="landing/test_recovery.py",
        chosen="another_time_zone",
    ),
    Mutant(
        "6 replacement",
        "bytes that land again reuse a missing object",
        of="landing.ingest:Ingest._known_bytes",
        old="for version, file in known.items() if file.raw.path not in damaged}",
        new="for version, file in known.items()}",
        tests="landing/test_equal_bytes.py",
        chosen="object_that_is_gone",
    ),
    Mutant(
        "3 confluent",
        "bytes that come back after others rank as those did",
        of="ledger.records:ranked_at",
        old="if replaced is not None and replaced.has_bytes_of(version, content_hash):",
        new="if replaced is not None:",
        tests="landing/test_equal_bytes.py",
        chosen="after_others",
    ),
    Mutant(
        "3 confluent",
        "a file that is read again gets a new rank",
        of="ledger.records:ranked_at",
        old="return replaced.ranked_at",
        new="return version.last_modified",
        tests="landing/test_equal_bytes.py",
        chosen="read_again",
    ),
    Mutant(
        "3 confluent",
        "a file that is revalidated gets a new rank",
        of="landing.reprocess:_revalidated",
        old="Origin.of(file.version, ingest.zone, source, file.raw.content_hash, file.ranked_at)",
        new="Origin.of(file.version, ingest.zone, source, file.raw.content_hash, file.version.last_modified)",
        tests="landing/test_equal_bytes.py",
        chosen="revalidated",
    ),
    Mutant(
        "3 confluent",
        "a recovery leaves a version to sync, which cannot know its rank",
        of="landing.recovery:to_adopt",
        old="and found[0].origin.ranked_at == ranked_at(listed, found[0].origin.content_hash, active_file)",
        new="",
        tests="landing/test_recovery.py",
        chosen="rank",
    ),
    Mutant(
        "1 complete",
        "a recovery leaves a file as it was read before its source was declared otherwise, though the lake has both",
        of="landing.recovery:_read_later",
        old="return fitting if fitting and",
        new="return [] if fitting and",
        tests="landing/test_recovery.py",
        chosen="read_again",
    ),
    Mutant(
        "1 complete",
        "a recovery leaves a file to sync that its source ignores by now",
        of="landing.recovery:_recover",
        old="listed = {_key(one): entries.as_declared(one, sources) for",
        new="listed = {_key(one): one for",
        tests="landing/test_recovery.py",
        chosen="ignores",
    ),
    Mutant(
        "1 complete",
        "a run that names a key that never was succeeds",
        of="landing.discover:_never_there",
        old="for key in gone if key not in known",
        new="for key in gone if key in known and key not in known",
        tests="landing/test_keys.py",
        chosen="never_was",
    ),
    Mutant(
        "1 complete",
        "the source table is read after S3",
        of="assets.ingestion:raw_orders",
        old="report = receive_table(ingest, settings)",
        new="receive_files(ingest, s3, [])\nreport = receive_table(ingest, settings)",
        tests="landing/test_source_table.py",
        chosen="away",
    ),
    Mutant(
        "1 complete",
        "a change of the source table that keeps values equal is missed",
        of="landing.source_columns:SourceColumn.fingerprinted",
        old="return self.quoted if is_hashed_by_value and self.is_deterministic else _bytewise(self.text)",
        new="return self.quoted",
        tests="landing/test_source_changes.py",
        chosen="equality",
    ),
    Mutant(
        "13 no silent wrong number",
        "a day that has lost all its orders is not published",
        of="ledger.published:publish",
        old="if after != (before := last.get(day, NO_ORDERS))",
        new="if after != (before := last.get(day, NO_ORDERS)) and after.orders",
        tests="ledger/test_published.py",
        chosen="vanishes",
    ),
    Mutant(
        "13 no silent wrong number",
        "a figure is compared with the first one of its day, not with the last",
        of="ledger.published:last_figures",
        old="published.c.id.desc()",
        new="published.c.id",
        tests="ledger/test_published.py",
        chosen="one_after_the_other",
    ),
    Mutant(
        "13 no silent wrong number",
        "rows that the source table hides are retracted",
        of="landing.source_table",
        old='"row_security": "off"',
        new='"row_security": "on"',
        tests="e2e/test_source_answers.py",
        chosen="hides_rows",
    ),
    Mutant(
        "13 no silent wrong number",
        "a padded id of the source table is another id",
        of="landing.source_columns:_text",
        old='return f"{value}::text"',
        new='return f"{value}"',
        tests="landing/test_source_values.py",
        chosen="one_text",
    ),
    Mutant(
        "9 no lost wake-up",
        "a source table whose run ended too early is not requested again",
        of="landing.discover:receive_table",
        old='ingest.wait_for(source_table.WHOLE, "',
        new='print(source_table.WHOLE, "',
        tests="landing/test_source_table.py",
        chosen="before_all",
    ),
    Mutant(
        "9 no lost wake-up",
        "a file to reprocess is revalidated instead",
        of="landing.reprocess:reprocess_outdated",
        old="loaded = active.outdated(ingest.connection, ingest.zone, Status.LOADED)",
        new="loaded = active.outdated(ingest.connection, ingest.zone)",
        tests="landing/test_reprocess.py",
        chosen="outage",
    ),
    Mutant(
        "9 no lost wake-up",
        "a file to reprocess reuses its object",
        of="landing.ingest:Ingest._replaced",
        old="active.of_keys(self.connection, keys, zone=self.zone)",
        new="replaced",
        tests="landing/test_reprocess.py",
        chosen="same_bytes",
    ),
    Mutant(
        "9 no lost wake-up",
        "an unrecoverable file that is back on S3 counts as settled",
        of="ledger.versions:_is_pending",
        old="return entry.is_lost or (entry.due and (entry.status is Status.FAILING or entry.is_archived))",
        new="return entry.due and (entry.status is Status.FAILING or entry.is_archived)",
        tests="landing/test_reprocess.py",
        chosen="undeleted",
    ),
    Mutant(
        "9 no lost wake-up",
        "an interrupted attempt counts against a file that is unrecoverable later",
        of="landing.reprocess:discard_vanished",
        old="partial(_give_up, attempts=0)",
        new="_give_up",
        tests="landing/test_reprocess.py",
        chosen="cut_short",
    ),
    Mutant(
        "9 no poison",
        "an unrecoverable file that S3 has and no one can read is retried for ever",
        of="ledger.entries:_entry",
        old="is_lost = row.reason == LOST and row.attempts == 0",
        new="is_lost = row.reason == LOST",
        tests="landing/test_reprocess.py",
        chosen="tried_for_ever",
    ),
    Mutant(
        "9 no poison",
        "an unrecoverable file is waited for",
        of="landing.reprocess:discard_vanished",
        old="return _revalidate(ingest, gone, partial(_give_up, attempts=0))",
        new="return Report()",
        tests="landing/test_reprocess.py",
        chosen="unrecoverable_file_is_quarantined or leaves_s3",
    ),
    Mutant(
        "3 confluent",
        "a restored object is used before it is revalidated",
        of="ledger.staleness:due_days",
        old="if found:",
        new="if found and found[0].by is not Blocker.MISSING_OBJECT:",
        tests="landing/test_reprocess.py",
        chosen="restored",
    ),
    Mutant(
        "9 no poison",
        "an unrecoverable file blocks days that do not depend on it",
        of="ledger.overlaps:dependent_days",
        old=".join(held, sa.and_(held.c.path == dependent.c.path, held.c.active))",
        new=".join(held, held.c.active)",
        tests="landing/test_reprocess.py",
        chosen="unrecoverable_file_is_quarantined",
    ),
    Mutant(
        "9 no blame",
        "a run of your own job is failed because it holds no lock",
        of="runs.in_flight:without_process",
        old="and _takes_its_lock(run, jobs.get_job(run.job_name))",
        new="and run.asset_selection != frozenset()",
        tests="runs/test_lost_runs.py",
        chosen="may_live",
    ),
    Mutant(
        "9 no blame",
        "a run is failed on the first observation",
        of="sensors:lost_runs_sensor",
        old="[run for run in found if run.run_id in observed]",
        new="found",
        tests="runs/test_lost_runs.py",
        chosen="second_tick",
    ),
    Mutant(
        "9 no blame",
        "a run on a worker does not hold its own lock",
        of="runs.celery_launcher:RunTask.__call__",
        old="with hold_run_lock(_engine(), of_run.run_id):",
        new="if hold_run_lock:",
        tests="runs/test_celery_launcher.py",
        chosen="whatever_it_executes",
    ),
    Mutant(
        "9 no blame",
        "a disk that is full during COPY counts as an attempt",
        of="storage.postgres:_copy",
        old="except psycopg2.Error as error:",
        new="except ZeroDivisionError as error:",
        tests="test_resources.py",
        chosen="error_of_copy",
    ),
    Mutant(
        "6 replacement",
        "bytes that S3 no longer holds count, since they are known",
        of="landing.discover:_receive_named",
        old="s3.download, s3.confirm)",
        new="s3.download)",
        tests="sensors/test_listing.py",
        chosen="known or changed_since",
    ),
    Mutant(
        "9 no poison",
        "days are built from files that are to be reprocessed",
        of="ledger.staleness:_blockers",
        old="Blocker.OUTDATED_FILE: outdated.c.files",
        new="Blocker.OUTDATED_FILE: sa.null()",
        tests="landing/test_reprocess.py sensors/test_requests.py",
        chosen="reprocess",
    ),
    Mutant(
        "6 replacement",
        "a void row takes no part in which version is the latest",
        of="transforms:clean",
        old="versions = validated(raw, zone).filter(_IS_VERSION)",
        new="versions = validated(raw, zone).filter(nw.col(OUTCOME) == COUNTS)",
        tests="landing/test_declared_sources.py",
        chosen="deletes",
    ),
    Mutant(
        "6 replacement",
        "overlaps leave out void rows",
        of="landing.raw_objects:ids",
        old="rows.filter(_IS_VERSION)",
        new="rows.filter(pl.col(DAY).is_not_null())",
        tests="landing/test_declared_sources.py",
        chosen="deletes or takes_an_order_off",
    ),
    Mutant(
        "13 no silent wrong number",
        "a declaration reaches only what lands after it",
        of="ledger.declarations:is_redeclared",
        old="return sa.or_(*redeclared(version, sources))",
        new="return sa.false()",
        tests="landing/test_declared_sources.py",
        chosen="follow_a_declaration",
    ),
    Mutant(
        "13 no silent wrong number",
        "only a declared currency is noticed",
        of="sources.conditions:currency",
        old="column = usual_currency_column(source, columns)",
        new="column = None",
        tests="checks/test_amounts_are_in_one_currency.py",
        chosen="two_currencies",
    ),
    Mutant(
        "13 no silent wrong number",
        "a file with the usual currency may have others too",
        of="quality.currencies:others",
        old="if file.currencies != {usual}:",
        new="if usual not in file.currencies:",
        tests="checks/test_amounts_are_in_one_currency.py",
        chosen="two_currencies",
    ),
    Mutant(
        "13 no silent wrong number",
        "damaged ids of customers are not named",
        of="landing.suspects:find",
        old="for name in ID_COLUMNS",
        new="for name in ID_COLUMNS[:1]",
        tests="landing/test_suspects.py",
        chosen="spreadsheet",
    ),
    Mutant(
        "13 no silent wrong number",
        "once returns are accepted, all amounts may turn negative",
        of="quality.negative_amounts:NegativeAmounts.finding",
        old='"most rows" if self.negative * 2 > self.rows else "some rows"',
        new='""',
        tests="checks/test_no_negative_amounts.py",
        chosen="sign_turns",
    ),
    Mutant(
        "13 no silent wrong number",
        "bytes that are none of the declared encoding are left out of their value",
        of="formats.transcode:_not_text",
        old='return "\\udcff", error.end',
        new='return "", error.end',
        tests="formats/test_transcode.py",
        chosen="reject_their_row",
    ),
    Mutant(
        "13 no silent wrong number",
        "a file in UTF-8 is read by another encoding that its source declares",
        of="formats.transcode:_LikenessToUtf8.is_strong",
        old="return self._in_utf8 > _MOST * self._beyond",
        new="return False",
        tests="formats/test_transcode.py",
        chosen="never_read_by_another",
    ),
    Mutant(
        "13 no silent wrong number",
        "a page of JSON without the declared array is a page without orders",
        of="formats.json_elements:Elements.records",
        old="if found != 1:",
        new="if found > 1:",
        tests="formats/test_json_records.py",
        chosen="exactly_one_array",
    ),
    Mutant(
        "13 no silent wrong number",
        "a column within another wins over the one with that very name",
        of="formats.nested:ways",
        old="return whole",
        new="pass",
        tests="formats/test_nested.py",
        chosen="that_very_name",
    ),
    Mutant(
        "13 no silent wrong number",
        "what all sources declare of files is applied to copies of the table",
        of="sources.declaration:Sources.of_table",
        old="plain.get(name, value)",
        new="value",
        tests="landing/test_declared_files.py",
        chosen="concern_the_table",
    ),
    Mutant(
        "13 no silent wrong number",
        "of several patterns the least exact one holds",
        of="sources.declaration:Sources.by_keys",
        old="-patterns.literals(",
        new="patterns.literals(",
        tests="sources/test_declaration.py",
        chosen="most_literal",
    ),
    Mutant(
        "13 no silent wrong number",
        "a file that a declaration cannot read stops counting",
        of="landing.reprocess:_keep",
        old="ingest.count([kept])",
        new="ingest.retract([(file.version.bucket, file.version.key)], error.code, asked_for=False)",
        tests="landing/test_declared_sources.py",
        chosen="keeps_counting",
    ),
    Mutant(
        "13 no silent wrong number",
        "the readable lines of an order are summed without the unreadable one",
        of="lines:_summed",
        old="(is_line & (outcome == REJECTED)).any()",
        new="(is_line & (outcome == BLANK)).any()",
        tests="test_lines.py",
    ),
    Mutant(
        "13 no silent wrong number",
        "orders without any amount are left out without a reject",
        of="lines:_with_blank_rows",
        old='is_without & (~is_without).any().over("order_id")',
        new="is_without",
        tests="test_lines.py",
    ),
    Mutant(
        "13 no silent wrong number",
        "a row counts although a rejected one has its id, where that is refused",
        of="lines:_refused",
        old="(outcome != VOID).sum()",
        new="(outcome == COUNTS).sum()",
        tests="test_lines.py",
    ),
    Mutant(
        "4 conserved",
        "lines are settled only where one batch has all of an order",
        of="landing.settled_rows:_changes",
        old="rows.filter(_ID.is_in(twice.implode()))",
        new="rows.head(_ROWS_AT_ONCE).filter(_ID.is_in(twice.implode()))",
        tests="landing/test_settled_rows.py",
        chosen="across_batches",
    ),
    Mutant(
        "13 no silent wrong number",
        "a dropped line beside lines that count deletes their order",
        of="lines:_summed",
        old="pl.when(is_line & (pl.col(_PLACE) != last))",
        new="pl.when(is_clean & (pl.col(_PLACE) != last))",
        tests="test_lines.py",
    ),
    Mutant(
        "13 no silent wrong number",
        "a retraction hides what vanished in the same build",
        of="ledger.staleness:asked_for",
        old="and (row.taken_version or 0) <= before.get(row.day, 0)",
        new="",
        tests="checks/test_no_revenue_vanishes.py",
        chosen="accident",
    ),
    Mutant(
        "13 no silent wrong number",
        "what a person asks for hides what had vanished before",
        of="quality.vanished:compare",
        old="reference + min(Decimal(0), shown.revenue - last) if began else shown.revenue",
        new="shown.revenue",
        tests="quality/test_vanished.py",
    ),
    Mutant(
        "13 no silent wrong number",
        "a day that is gone from the source table was asked for",
        of="landing.discover:_retract_gone_days",
        old="asked_for=False",
        new="asked_for=True",
        tests="checks/test_no_revenue_vanishes.py",
        chosen="table_takes",
    ),
    Mutant(
        "13 no silent wrong number",
        "rows of which `updated_at` says which is later count as repeated",
        of="transforms:_is_repeated",
        old="& has_no_update",
        new="",
        tests="test_transforms.py",
        chosen="told_from_those",
    ),
    Mutant(
        "13 no silent wrong number",
        "an order that is on two days of the source table is not repeated",
        of="transforms:_is_repeated",
        old="(in_one_file | in_the_table)",
        new="in_one_file",
        tests="test_transforms.py",
        chosen="is_one_file",
    ),
    Mutant(
        "13 no silent wrong number",
        "orders of another sender are corrections",
        of="quality.order_versions:overwriting",
        old="senders[one.winner] != senders[one.loser]",
        new="False",
        tests="checks/test_order_versions.py",
        chosen="other_orders",
    ),
    Mutant(
        "13 no silent wrong number",
        "an order that moves to another customer is always a correction",
        of="quality.order_versions:Replacement.orders",
        old="else one.other_customer",
        new="else 0",
        tests="checks/test_order_versions.py",
        chosen="other_orders",
    ),
    Mutant(
        "13 no silent wrong number",
        "each day's folder is a sender of its own",
        of="sources.senders:undated_folder",
        old="_FULL_DATE.sub(_DATE, folder)",
        new="folder",
        tests="sources/test_senders.py",
        chosen="whatever_the_day",
    ),
    Mutant(
        "12 no vacuous check",
        "repeated orders are reported although their file was corrected",
        of="checks.orders:repeated_orders_agree",
        old="[file.finding() for file in found.repeating]",
        new="[file.finding() for file in found.repeating], ()",
        tests="checks/test_order_versions.py",
        chosen="repeated_orders_are_settled",
    ),
    Mutant(
        "13 no silent wrong number",
        "the version of a day is a counter, so two servers give the same",
        of="ledger.staleness:bump_versions",
        old="raised = sa.func.greatest(statement.excluded.version, t.version + step)",
        new="raised = t.version + 1",
        tests="ledger/test_builds.py",
        chosen="no_two_bumps",
    ),
    Mutant(
        "13 no silent wrong number",
        "the first version of a day repeats",
        of="ledger.staleness:bump_versions",
        old="fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) + step",
        new="fresh = 1",
        tests="ledger/test_builds.py",
        chosen="first_version",
    ),
    Mutant(
        "13 no silent wrong number",
        "a build from a version that the ledger lost is accepted",
        of="ledger.builds:_of_known_versions",
        old="if version <= present.get(day, -1)",
        new="if day in present",
        tests="ledger/test_builds.py",
        chosen="lost_is_refused",
    ),
    Mutant(
        "13 no silent wrong number",
        "what was built from a version that the ledger lost stays for ever",
        of="ledger.builds:_of_known_versions",
        old="if lost := [day for day in known if recorded.get(day, -1) > present[day]]:",
        new="if lost := []:",
        tests="ledger/test_builds.py",
        chosen="stale_and_replaced",
    ),
    Mutant(
        "13 no silent wrong number",
        "a failover between reading and recording is not noticed by the timeline",
        of="ledger.identity:require",
        old="if (now := of(transaction)) != read:",
        new="if (now := of(transaction)).system != read.system:",
        tests="ledger/test_identity.py",
        chosen="refused",
    ),
    Mutant(
        "13 no silent wrong number",
        "inspect shows the revenue of orders that the file deletes",
        of="landing.inspected_rows:_days",
        old="pl.col(OUTCOME).is_in([COUNTS, VOID])",
        new="pl.col(OUTCOME) == COUNTS",
        tests="landing/test_inspection.py",
        chosen="key_comes",
    ),
    Mutant(
        "13 no silent wrong number",
        "inspect reads a key as if nothing was declared",
        of="cli.commands.inspect:_of_key",
        old="sources.of_key(key)",
        new="sources.undeclared",
        tests="landing/test_inspection.py",
        chosen="key_comes",
    ),
    Mutant(
        "13 no silent wrong number",
        "explain takes each row of a day for one that counts, if its file has the latest version of the order",
        of="explain.shares:outcomes",
        old="pl.col(column).eq_missing(pl.col(name)) for column, name in _WINNER.items()",
        new="pl.col(column).eq_missing(pl.col(name)) for column, name in [*_WINNER.items()][:1]",
        tests="explain/test_shares.py",
        chosen="each_row",
    ),
    Mutant(
        "15 no damage counts",
        "the bytes of an object are not compared with its checksum",
        of="storage.lake:FolderLake._is_damaged",
        old="return path.stat().st_size != written.size or Checksum.of_file(path) != written",
        new="return path.stat().st_size != written.size",
        tests="landing/test_damaged_objects.py",
        chosen="read_again",
    ),
    Mutant(
        "15 no damage counts",
        "any checksum that S3 has will do",
        of="storage.lake:S3Lake._is_damaged",
        old='if head.get("ChecksumCRC32") == written.for_s3:',
        new='if head.get("ChecksumCRC32"):',
        tests="storage/test_checksum.py",
        chosen="any_other_bytes",
    ),
    Mutant(
        "15 no damage counts",
        "a damaged object fails the whole build",
        of="io_managers.intact:days_to_read",
        old="if len(intact_files(engine, lake, list(files.values()))) == len(files):",
        new="if files:",
        tests="landing/test_damaged_objects.py",
        chosen="blocks_only",
    ),
    Mutant(
        "15 no damage counts",
        "damage is mended, and no one is told",
        of="ledger.damage:report_files",
        old="findings.record(transaction, examination, found, examined=())",
        new="",
        tests="landing/test_damaged_objects.py",
        chosen="read_again",
    ),
    Mutant(
        "16 bounded",
        "a batch takes no share of the memory that all files have together",
        of="landing.raw_objects:_write",
        old="with BATCHES.share(size_of(batch)):",
        new="with BATCHES.share(0):",
        tests="landing/test_memory.py",
        chosen="takes_its_share",
    ),
    Mutant(
        "16 bounded",
        "an empty cell is taken to need no memory",
        of="formats.rows",
        old="_BATCH_CELLS: Final = 2_000_000",
        new="_BATCH_CELLS: Final = 2_000_000_000",
        tests="formats/test_limits.py",
        chosen="nulls",
    ),
    Mutant(
        "16 bounded",
        "an id may be of any length",
        of="validation:_has_long_id",
        old="nw.col(name).str.len_chars() > id_chars",
        new="nw.col(name).str.len_chars() > id_chars * 1_000",
        tests="test_validation.py",
        chosen="thousand_characters",
    ),
    Mutant(
        "16 bounded",
        "a reject beyond those that are listed is not counted",
        of="landing.raw_objects:rejects",
        old="_others(every.slice(most))",
        new="_others(every.slice(most + 1))",
        tests="landing/test_bounds.py",
        chosen="others_counted",
    ),
]


def main() -> int:
    """Try every mutant (or those whose text holds the arguments); the exit status is the number that survived."""
    wanted = [mutant for mutant in MUTANTS if all(word in str(mutant) for word in sys.argv[1:])]
    with ThreadPoolExecutor(2) as pairs:
        unchanged = pairs.map(partial(_failing_test, change=None), {(m.tests, m.chosen) for m in wanted})
        if red := list(filter(None, unchanged)):
            raise SystemExit(f"These tests fail without any mutant: {', '.join(red)}")
        caught = list(pairs.map(_is_caught, wanted))
    lines = table(wanted, caught)
    print(lines)
    if len(wanted) == len(MUTANTS):
        PAGE.write_text(
            re.sub(r"(?<=measured -->\n).*(?=\n<!-- /)", lambda _: lines, PAGE.read_text(), flags=re.DOTALL)
        )
    survived = caught.count("")
    print(f"{len(caught) - survived} of {len(caught)} mutants were caught.")
    return survived


def table(mutants: Sequence[Mutant], tests: Sequence[str]) -> str:
    """The mutants by guarantee, each with the test that saw it (empty where none did)."""
    rows = sorted(zip(mutants, tests, strict=True), key=lambda row: int(row[0].guarantee.split()[0]))
    lines = [
        f"| {mutant.guarantee} | {mutant.breaks} | {f'`{test}`' if test else 'NO TEST'} |" for mutant, test in rows
    ]
    return "\n".join(["| guarantee | what was broken | seen by |", "| --- | --- | --- |", *lines])


def _is_caught(mutant: Mutant) -> str:
    test = _failing_test((mutant.tests, mutant.chosen), mutant.change)
    print(f"{'caught' if test else 'SURVIVED'}: {mutant.breaks}", flush=True)
    return test


def _failing_test(tests: tuple[str, str], change: Callable[[Path], None] | None) -> str:
    """The first of some tests that fails in a copy of the project, changed or not; empty where none does."""
    modules, chosen = tests
    with TemporaryDirectory(prefix="orders-mutant-") as folder:
        root = Path(folder)
        for name in ("bench", "deploy", "orders_pipeline", "orders_pipeline_tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(ROOT / "pyproject.toml", root)
        if change:
            change(root)
        command = [sys.executable, "-m", "pytest", "-x", "-n0", "-m", "chaos or not chaos", "--no-header"]
        command += [
            *(["-k", chosen] if chosen else []),
            *(f"orders_pipeline_tests/{module}" for module in modules.split()),
        ]
        result = subprocess.run(
            command, cwd=root, env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True, timeout=SECONDS
        )
    if result.returncode not in (0, 1):
        raise RuntimeError(f"pytest on {tests} ended with {result.returncode}:\n{result.stdout[-3000:]}")
    failed = re.search(r"^FAILED orders_pipeline_tests/(\S+?)(?:\[| |$)", result.stdout, re.MULTILINE)
    return failed[1] if failed else ""


if __name__ == "__main__":
    sys.exit(main())
