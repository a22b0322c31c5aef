"""`make mutants`: break each guarantee on purpose, in a scratch copy, and see a test fail.

Each mutant is one small change to the package, the guarantee of docs/reliability.md that it breaks, and the tests that
must go red. The table of docs/mutants.md is written by a run of all of them.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/mutants.md"
SECONDS = 400


@dataclass(frozen=True)
class Mutant:
    """A change that breaks a guarantee, and the tests that see it."""

    guarantee: str
    breaks: str
    file: str
    old: str
    new: str
    tests: str
    chosen: str = ""  # of these tests, by pytest's -k

    def change(self, root: Path) -> None:
        """Make the change in a copy of the project."""
        path = root / "orders_pipeline" / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.file} holds {self.old!r} {text.count(self.old)} times, not once"
        path.write_text(text.replace(self.old, self.new))


MUTANTS = [
    Mutant(
        "1 complete",
        "an overwritten key counts as settled",
        "ledger/versions.py",
        "if entry is None or entry.version != version:",
        "if entry is None:",
        "landing/test_landing.py",
        "overwrite or header_alone",
    ),
    Mutant(
        "1 complete",
        "an archived file is never checked again",
        "ledger/files.py",
        "sa.or_(latest.c.reason.is_distinct_from(ARCHIVED), latest.c.next_attempt > sa.func.now()),",
        "",
        "e2e/test_archived.py",
        "once_an_hour",
    ),
    Mutant(
        "2 exactly once",
        "a side file of another tool is loaded",
        "ledger/versions.py",
        "if version.is_side_file and not (entry and entry.counts):",
        "if version.is_side_file and entry and not entry.counts:",
        "landing/test_side_files.py",
        "left_out_and_counted",
    ),
    Mutant(
        "1 complete",
        "a failed listing counts as an empty one",
        "storage/s3.py",
        'raise ServiceUnavailableError(f"Could not {action}: S3 answered {code}: {error}") from error',
        "return",
        "landing/test_discover.py",
        "breaks_off or is_away",
    ),
    Mutant(
        "2 exactly once",
        "a file is committed in another transaction than its day versions",
        "landing/impact.py",
        "days.bump_versions(connection, self.touched)",
        "connection.commit() or days.bump_versions(connection, self.touched)",
        "landing/test_landing.py",
        "committed_together",
    ),
    Mutant(
        "2 exactly once",
        "rows of a new version are added to those of the old one",
        "io_managers/marts.py",
        "transaction.execute(sa.delete(table).where(sa.tuple_(table.c.bucket",
        "(sa.delete(table).where(sa.tuple_(table.c.bucket",
        "test_checks.py landing/test_landing.py",
        "full_refresh or overwrite",
    ),
    Mutant(
        "2 exactly once",
        "two processes can change which files are active at the same time",
        "ledger/locks.py",
        "connection.execute(sa.select(sa.func.pg_advisory_lock(_SPACE, int(lock))))",
        "connection.execute(sa.select(sa.func.pg_try_advisory_lock(_SPACE, int(lock))))",
        "landing/test_landing.py",
        "one_process_at_a_time",
    ),
    Mutant(
        "3 confluent",
        "between rows of the same time, their order decides",
        "transforms.py",
        'order_by=["_rank", SOURCE, ROW_NUMBER]',
        'order_by=["_rank"]',
        "test_transforms.py",
        "update_time_decides or bytewise",
    ),
    Mutant(
        "3 confluent",
        "an older build replaces a newer one",
        "ledger/days.py",
        "older = sa.and_(older, versions[0] <= versions[1])",
        "assert versions",
        "ledger/test_days.py",
    ),
    Mutant(
        "4 conserved",
        "a reason for rejects is not reported",
        "validation.py",
        ".filter(~nw.col(REASON).is_null())",
        '.filter(~nw.col("_reason").is_null(), nw.col(REASON) != "amount_missing")',
        "test_validation.py",
        "required_value",
    ),
    Mutant(
        "4 conserved",
        "`no_order_is_lost` ignores the rank of rows",
        "quality/completeness.py",
        'on=["order_id", *place], how="semi"',
        'on=["order_id", *place], how="anti"',
        "test_checks.py",
        "lost or accounted",
    ),
    Mutant(
        "4 conserved",
        "orders count as waiting although only a superseded version is out of range",
        "tables/out_of_range.py",
        "transforms.clean(rows, calendar.zone)",
        'rows.with_columns(amount=pl.col("_amount"), order_date=pl.col("_order_date"))',
        "e2e/test_waiting.py",
        "current_version",
    ),
    Mutant(
        "5 atomic",
        "rows of a day are committed in another transaction than their build",
        "io_managers/marts.py",
        "                if current:\n",
        '                transaction.exec_driver_sql("COMMIT")\n                if current:\n',
        "io_managers/test_lake_and_marts.py",
        "appear_together",
    ),
    Mutant(
        "6 replacement",
        "the days of the replaced version are not bumped",
        "landing/impact.py",
        "_touched(lake, [*coming, *replaced],",
        "_touched(lake, coming,",
        "landing/test_landing.py",
        "overwrite or header_alone",
    ),
    Mutant(
        "6 replacement",
        "the longest ids of a file are missing from its range of ids",
        "landing/raw_objects.py",
        "ids.filter(size == size.max()).max()",
        "ids.filter(size == size.max()).min()",
        "landing/test_landing.py",
        "know_of_each_other",
    ),
    Mutant(
        "6 replacement",
        "overlaps between files that land together are not recorded",
        "landing/overlap.py",
        "_holders(pl.concat([held, known]))",
        "_holders(pl.concat([held.unique('id'), known]))",
        "landing/test_landing.py",
        "order",
    ),
    Mutant(
        "6 replacement",
        "overlaps are recorded for the newer file only",
        "landing/overlap.py",
        "if one != other and not is_fresh.isdisjoint((one, other))",
        "if one != other and one in is_fresh",
        "landing/test_landing.py",
        "order",
    ),
    Mutant(
        "6 replacement",
        "days of the same order in other files are not bumped",
        "landing/impact.py",
        "touched |= raw_objects.days_elsewhere(lake, differing, _beyond(touched, partners))",
        "assert partners is not None",
        "landing/test_landing.py",
        "moves_to_another_day or falls_back",
    ),
    Mutant(
        "7 agreement",
        "a customer's spend leaves out an order",
        "transforms.py",
        'daily_spend=nw.col("amount").sum()',
        'daily_spend=nw.col("amount").max()',
        "test_transforms.py cli/test_sync.py",
        "exact_sums or all_tables",
    ),
    Mutant(
        "8 minimal",
        "equal bytes that land again rebuild their days",
        "landing/impact.py",
        "differing = [file for file in changed if times[file.raw.path] == 1]",
        "differing = [file for file in changed if times]",
        "landing/test_landing.py",
        "same_bytes_again",
    ),
    Mutant(
        "8 minimal",
        "a range rebuilds the days that are not stale",
        "io_managers/plan.py",
        "everything=_is_full_refresh(tags))\n    current",
        "everything=True)\n    current",
        "io_managers/test_lake_and_marts.py",
        "rerunning or touches",
    ),
    Mutant(
        "9 no poison",
        "an unknown error is retried for ever",
        "landing/ingest.py",
        "status = Status.QUARANTINED if is_last_attempt else Status.FAILING",
        "status = Status.FAILING",
        "landing/test_landing.py",
        "bounded",
    ),
    Mutant(
        "9 no poison",
        "the death of a process does not count as an attempt",
        "ledger/files.py",
        '                "attempts": attempt,\n',
        "",
        "chaos/test_races.py",
        "kills_its_reader",
    ),
    Mutant(
        "9 no poison",
        "a dictionary that only Arrow finds passes every limit",
        "formats/parquet_limits.py",
        "if not 0 < number < 1 << 15:",
        "if False:",
        "formats/test_parquet_limits.py",
        "only_arrow",
    ),
    Mutant(
        "9 no poison",
        "a file that is too large for a batch ends the run",
        "landing/ingest.py",
        "get_len=lambda version: version.size, strict=False",
        "get_len=lambda version: version.size, strict=True",
        "landing/test_batching.py",
        "bounded_in_bytes",
    ),
    Mutant(
        "9 no poison",
        "the failure of one file fails all",
        "landing/ingest.py",
        "        except Exception as error:\n            return error\n",
        "        except Exception:\n            raise\n",
        "landing/test_landing.py",
        "bad_file_blocks",
    ),
    Mutant(
        "9 no blame",
        "an outage of Postgres counts as an attempt at the claimed files",
        "landing/outages.py",
        "        _release(connection.engine, run_id, str(outage), log)\n",
        "",
        "landing/test_landing.py",
        "outage_at_the_commit",
    ),
    Mutant(
        "9 no blame",
        "an outage of S3 counts as an attempt",
        "ledger/files.py",
        "attempts=sa.func.greatest(_t.attempts - 1, 0)",
        "attempts=_t.attempts",
        "landing/test_landing.py",
        "outage",
    ),
    Mutant(
        "9 no lost wake-up",
        "a day bumped while it is built counts as current",
        "ledger/days.py",
        "return order_days, sa.cast(order_days.c.version, sa.Text), order_days.c.day",
        'return order_days, sa.literal("1"), order_days.c.day',
        "io_managers/test_lake_and_marts.py ledger/test_days.py",
        "touched",
    ),
    Mutant(
        "9 no blame",
        "a failing disk counts as an attempt",
        "landing/ingest.py",
        'return ServiceUnavailableError(f"No place to work: {error}") if error.errno is not None else error',
        "return error",
        "landing/test_landing.py",
        "disk_that_fails",
    ),
    Mutant(
        "9 no poison",
        "a statement that always times out counts as an outage",
        "storage/postgres.py",
        '"57P"',
        '"57"',
        "landing/test_landing.py",
        "told_of_that_file",
    ),
    Mutant(
        "9 no poison",
        "a missing object blocks every file that overlaps with it",
        "landing/impact.py",
        "except (MissingInputError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:",
        "except (pl.exceptions.PanicException) as error:",
        "landing/test_landing.py",
        "holds_up_no_arrival",
    ),
    Mutant(
        "9 no lost wake-up",
        "a source table that did not answer is not requested again",
        "backlog.py",
        ", *self.ask_table]",
        "]",
        "landing/test_source_table.py",
        "does_not_answer",
    ),
    Mutant(
        "9 no poison",
        "work that a run left undone is requested without backoff",
        "runs/backoff.py",
        "return Backoff(len(runs), ended + pause) if ended <= now < ended + pause else None",
        "return None",
        "runs/test_backoff.py",
    ),
    Mutant(
        "9 no blame",
        "a live run is failed when it loses its lock with its Postgres session",
        "ledger/locks.py",
        "connection.execute(sa.select(1))  # fails if the session is lost",
        "pass",
        "runs/test_lost_runs.py",
        "drops_its_sessions",
    ),
    Mutant(
        "10 replay",
        "a run that has nothing to do builds everything",
        "ledger/days.py",
        "(sa.literal(everything), Why.REFRESH)",
        "(sa.true(), Why.REFRESH)",
        "cli/test_sync.py",
    ),
    Mutant(
        "11 exact",
        "an amount of three decimals is rounded",
        "validation.py",
        r'AMOUNT_TEXT: Final = r"^[+-]?[0-9]{1,16}(?:\.[0-9]{1,2}0*)?$"',
        r'AMOUNT_TEXT: Final = r"^[+-]?[0-9]{1,16}(?:\.[0-9]+)?$"',
        "test_validation.py",
        "rounded",
    ),
    Mutant(
        "11 exact",
        "a number in an id becomes another text in each format",
        "formats/json_rows.py",
        "return id_number(value) if name in ID_COLUMNS else str(value)",
        "return str(value)",
        "formats/test_values.py",
        "json_number",
    ),
    Mutant(
        "11 exact",
        "an error value of a spreadsheet counts as an id",
        "validation.py",
        "return is_missing | text.str.contains(ERROR_VALUE)",
        "return is_missing",
        "test_validation.py",
        "programs_write",
    ),
    Mutant(
        "11 exact",
        "a misplaced quote goes to the fast CSV reader",
        "formats/delimited_fast.py",
        "(begins_well & ends_well & in_one_line).all()",
        "in_one_line.all()",
        "formats/test_any_bytes.py",
        "read_fast",
    ),
    Mutant(
        "1 complete",
        "only the first batch of days is built",
        "io_managers/handoff.py",
        "            self._current = None if together else part\n",
        "            self._current = None if together else 0\n",
        "cli/test_sync.py",
    ),
    Mutant(
        "12 no vacuous check",
        "a day that was never delivered passes",
        "quality/deliveries.py",
        "missing=sorted(set(compared) - delivered),",
        "missing=sorted(set(compared) - delivered - set(compared)),",
        "test_checks.py",
        "without_orders",
    ),
    Mutant(
        "12 no vacuous check",
        "chains that differ agree",
        "quality/reconciliation.py",
        "earned != spent or ",
        "",
        "test_checks.py",
        "agree",
    ),
    Mutant(
        "12 no vacuous check",
        "a day that differs is compared only once",
        "quality/reconciliation.py",
        "        if day.day not in differing\n",
        "",
        "test_checks.py",
        "agrees",
    ),
    Mutant(
        "12 no vacuous check",
        "a rebuilt day is not compared again",
        "quality/reconciliation.py",
        "        AND reconciled.revenue_built_at = revenue.built_at AND reconciled.spend_built_at = spend.built_at\n",
        "",
        "test_checks.py",
        "since_they_agreed",
    ),
    Mutant(
        "12 no vacuous check",
        "the chains are compared before the second one is built",
        "checks.py",
        ", additional_deps=[daily_revenue_partitioned]",
        "",
        "test_checks.py",
        "since_they_agreed",
    ),
    Mutant(
        "12 no vacuous check",
        "a small file without any clean row passes",
        "quality/reject_rate.py",
        "AND (file.clean_rows = 0 OR",
        "AND file.rows >= :few AND (file.clean_rows = 0 OR",
        "test_checks.py",
        "hardly_any",
    ),
    Mutant(
        "14 alerts at least once",
        "an alert counts as delivered whatever the receiver answers",
        "alerts/delivery.py",
        "memory.failed(time.time()) if problem else memory.delivered(number)",
        "memory.delivered(number)",
        "alerts/test_alerts.py",
        "until_it_is_taken",
    ),
    Mutant(
        "14 alerts at least once",
        "a crash repeats every message of its tick",
        "alerts/delivery.py",
        "        keep(instance, key, memory)\n        return memory",
        "        return memory",
        "alerts/test_alerts.py",
        "process_that_dies or each_crash",
    ),
    Mutant(
        "14 alerts at least once",
        "each attempt at the same work is reported as a new cause",
        "alerts/causes.py",
        "attempt: _work(run), ",
        "",
        "alerts/test_alerts.py",
        "same_work",
    ),
    Mutant(
        "1 complete",
        "a recovery adopts nothing",
        "landing/recovery.py",
        "found.touched = ingest.adopt(undamaged).touched",
        "found.touched = set()",
        "landing/test_recovery.py",
        "without_recovery",
    ),
    Mutant(
        "2 exactly once",
        "a recovery brings back what was retracted",
        "landing/recovery.py",
        "return latest.is_archived or latest.status in (Status.FAILING, Status.QUARANTINED)",
        "return True",
        "landing/test_recovery.py",
        "status_decides or stays_so",
    ),
    Mutant(
        "3 confluent",
        "a recovered file keeps its validation for another time zone",
        "landing/recovery.py",
        "if copy.is_current_for(ingest.zone):",
        "if copy.path:",
        "landing/test_recovery.py",
        "another_time_zone",
    ),
    Mutant(
        "6 replacement",
        "bytes that land again reuse a missing object",
        "landing/ingest.py",
        "for version, made in known.items() if made.path not in gone}",
        "for version, made in known.items()}",
        "landing/test_recovery.py",
        "taken_up",
    ),
    Mutant(
        "1 complete",
        "the source table is read after S3",
        "assets/ingestion.py",
        "            report = receive_table(ingest, settings)",
        "            receive_files(ingest, s3, [])\n            report = receive_table(ingest, settings)",
        "landing/test_source_table.py",
        "away",
    ),
    Mutant(
        "1 complete",
        "a change of the source table that keeps values equal is missed",
        "landing/source_columns.py",
        "return self.quoted if is_hashed_by_value and self.is_deterministic else _bytewise(self.text)",
        "return self.quoted",
        "landing/test_source_columns.py",
        "equality",
    ),
    Mutant(
        "13 no silent wrong number",
        "rows that the source table hides are retracted",
        "landing/source_table.py",
        '"row_security": "off"',
        '"row_security": "on"',
        "e2e/test_source_answers.py",
        "hides_rows",
    ),
    Mutant(
        "13 no silent wrong number",
        "a padded id of the source table is another id",
        "landing/source_columns.py",
        '            return f"{value}::text"\n',
        '            return f"{value}"\n',
        "landing/test_source_columns.py",
        "one_text",
    ),
    Mutant(
        "9 no lost wake-up",
        "a source table whose run ended too early is not requested again",
        "landing/discover.py",
        '    ingest.wait_for(source_table.WHOLE, "The source table is being read, or its run ended early.")\n',
        "",
        "landing/test_source_table.py",
        "before_all",
    ),
    Mutant(
        "9 no lost wake-up",
        "a file to reprocess is revalidated instead",
        "landing/reprocess.py",
        "loaded = active.outdated(ingest.connection, ingest.zone, Status.LOADED)",
        "loaded = active.outdated(ingest.connection, ingest.zone)",
        "landing/test_reprocess.py",
        "outage",
    ),
    Mutant(
        "9 no lost wake-up",
        "a file to reprocess reuses the object of an earlier landing",
        "ledger/files.py",
        "_t.path == path).values(rules=0)",
        "_t.path == path, _t.active).values(rules=0)",
        "landing/test_reprocess.py",
        "same_bytes",
    ),
    Mutant(
        "9 no lost wake-up",
        "an unrecoverable file that is back on S3 counts as settled",
        "ledger/versions.py",
        "return entry.is_lost or (entry.due and (entry.status is Status.FAILING or entry.is_archived))",
        "return entry.due and (entry.status is Status.FAILING or entry.is_archived)",
        "landing/test_reprocess.py",
        "undeleted",
    ),
    Mutant(
        "9 no lost wake-up",
        "an interrupted attempt counts against a file that is unrecoverable later",
        "landing/reprocess.py",
        "partial(_give_up, attempts=0)",
        "_give_up",
        "landing/test_reprocess.py",
        "cut_short",
    ),
    Mutant(
        "9 no poison",
        "an unrecoverable file that S3 has and no one can read is retried for ever",
        "ledger/files.py",
        "is_lost = row.reason == LOST and row.attempts == 0",
        "is_lost = row.reason == LOST",
        "landing/test_reprocess.py",
        "tried_for_ever",
    ),
    Mutant(
        "9 no poison",
        "an unrecoverable file is waited for",
        "landing/reprocess.py",
        "return _revalidate(ingest, gone, partial(_give_up, attempts=0))",
        "return Report()",
        "landing/test_reprocess.py",
        "for_good or leaves_s3",
    ),
    Mutant(
        "3 confluent",
        "a restored object is used before it is revalidated",
        "ledger/days.py",
        "        if found is None:\n",
        "        if found is None or blocker is Blocker.MISSING_OBJECT:\n",
        "landing/test_reprocess.py",
        "restored",
    ),
    Mutant(
        "9 no poison",
        "an unrecoverable file blocks days that do not depend on it",
        "ledger/overlaps.py",
        ".join(held, sa.and_(held.c.path == dependent.c.path, held.c.active))",
        ".join(held, held.c.active)",
        "landing/test_reprocess.py",
        "for_good",
    ),
    Mutant(
        "9 no blame",
        "a run of your own job is failed because it holds no lock",
        "runs/in_flight.py",
        "and _takes_its_lock(run, jobs.get_job(run.job_name))",
        "and run.asset_selection != frozenset()",
        "runs/test_lost_runs.py",
        "may_live",
    ),
    Mutant(
        "9 no blame",
        "a run is failed on the first observation",
        "sensors.py",
        "[run for run in found if run.run_id in observed]",
        "found",
        "runs/test_lost_runs.py",
        "second_tick",
    ),
    Mutant(
        "9 no blame",
        "a run on a worker does not hold its own lock",
        "runs/celery_launcher.py",
        "with hold_run_lock(_engine(), of_run.run_id):",
        "if hold_run_lock:",
        "runs/test_celery_launcher.py",
        "whatever_it_executes",
    ),
    Mutant(
        "9 no blame",
        "a disk that is full during COPY counts as an attempt",
        "storage/postgres.py",
        "except psycopg2.Error as error:",
        "except ZeroDivisionError as error:",
        "test_resources.py",
        "error_of_copy",
    ),
    Mutant(
        "6 replacement",
        "bytes that S3 no longer holds count, since they are known",
        "landing/discover.py",
        "s3.download, s3.confirm)",
        "s3.download)",
        "test_sensors.py",
        "known or changed_since",
    ),
    Mutant(
        "9 no poison",
        "the partitioned chain is built before files are reprocessed",
        "backlog.py",
        "for table in tables if not self.reprocess else ():",
        "for table in tables:",
        "test_backlog.py test_sensors.py",
        "reprocessed",
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
