"""What an asset and its materializations show of themselves in the Dagster UI."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from orders_pipeline.ledger.models import MARTS
from orders_pipeline.ledger.versions import TABLE
from orders_pipeline.schema import CLEAN_COLUMNS, KEYS, OUTCOMES, REASONS, TABLE_PREFIX, TABLES
from orders_pipeline.sources.senders import sender_of
from orders_pipeline.text import counted, cut, list_days

if TYPE_CHECKING:
    from orders_pipeline.landing.ingest import Report
    from orders_pipeline.ledger.published import Change
    from orders_pipeline.ledger.reports import Delivered
    from orders_pipeline.ledger.superseded import Superseded
    from orders_pipeline.sources.declaration import Sources
    from orders_pipeline.tables.revenue import DayRevenue

PREVIEW_ROWS: Final = 5
# Of raw rows nothing is shown: they may hold anything, also about people.
PREVIEWED: Final = {
    "cleaned_orders": ("order_id", "customer_id", "amount", "order_date"),
    "daily_orders": ("order_id", "customer_id", "amount", "order_date"),
    "daily_revenue_partitioned": ("order_date", "customer_id", "daily_spend"),
}

_LISTED_FILES: Final = 50
_LISTED_SOURCES: Final = 100
_LONGEST_REMARK: Final = 500
_LISTED_CHANGES: Final = 100
_LISTED_WINNERS: Final = 50

_TEXT_OF_REJECTS: Final = (
    "SELECT row_number, raw FROM analytics.rejected_orders WHERE source = '{}'"  # to be read, not run
)
_OF_AN_ORDER: Final = {column.name: [("raw_orders", column.name)] for column in CLEAN_COLUMNS}
_LINEAGE: Final[dict[str, dict[str, list[tuple[str, str]]]]] = {
    "cleaned_orders": _OF_AN_ORDER,
    "daily_orders": _OF_AN_ORDER,
    "daily_revenue": {
        "order_date": [("cleaned_orders", "order_date")],
        "revenue": [("cleaned_orders", "amount")],
        "order_count": [("cleaned_orders", "order_id")],
    },
    "daily_revenue_partitioned": {
        "order_date": [("daily_orders", "order_date")],
        "customer_id": [("daily_orders", "customer_id")],
        "daily_spend": [("daily_orders", "amount")],
    },
    "rejected_orders": {
        "source": [("raw_orders", "_source")],
        "row_number": [("raw_orders", "_row_number")],
        "reason": [("raw_orders", "_reason")],
        "raw": [("raw_orders", "_text")],
    },
}


def of_table(asset: str) -> dict[str, Any]:
    """Columns of a table, what holds of them, where they come from, and the table's name in Postgres.

    The webserver draws no lineage of columns, so their descriptions name it as well."""
    key, lineage_of = KEYS.get(asset, ()), _LINEAGE.get(asset, {})
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            " ".join(
                [column.description, *(f"From {table}.{name}." for table, name in lineage_of.get(column.name, []))]
            ),
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, unique=(column.name,) == key, other=list(column.rules)
            ),
        )
        for column in TABLES[asset]
    ]
    whole = dg.TableConstraints(other=[f"primary key ({', '.join(key)})"] if key else [])
    lineage = {
        name: [dg.TableColumnDep(asset_key=upstream, column_name=column) for upstream, column in sources]
        for name, sources in lineage_of.items()
    }
    described: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns, constraints=whole)}
    if lineage:
        described["dagster/column_lineage"] = dg.TableColumnLineage(lineage)
    if asset in MARTS:
        described["dagster/table_name"] = MARTS[asset].fullname
    return described


def linked_to_code(assets: Iterable[dg.AssetsDefinition | dg.AssetSpec]) -> list[Any]:
    """The same assets, each with a link to the lines that make it, if any do: the UI of `dagster dev` opens them in an
    editor.

    Where there is no source to read (only compiled code is installed), there is no link."""
    listed = list(assets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        try:
            return list(dg.with_source_code_references(listed))
        except OSError:
            return list(listed)


def of_ingest(report: "Report", sources: "Sources") -> dict[str, Any]:
    """What an ingest loaded by which source, what it could not load, and which days changed."""
    loaded = report.loaded[:_LISTED_FILES]
    files = [
        {
            "file": file.version.key,
            "rows": file.raw.rows,
            "rejected": file.raw.rejects,
            "landed": f"{file.version.last_modified:%Y-%m-%d %H:%M:%S}",
            "source": sender_of(sources, file.version.bucket, file.version.key),
            "bytes": file.version.size,
        }
        for file in loaded
        if file.version.bucket != TABLE
    ]
    days = [
        {"day": file.version.key.removeprefix(TABLE_PREFIX), "rows": file.raw.rows, "rejected": file.raw.rejects}
        for file in loaded
        if file.version.bucket == TABLE
    ]
    of_table = sum(file.version.bucket == TABLE for file in report.loaded)
    remarks = [cut(remark, _LONGEST_REMARK) for remark in report.remarks[:_LISTED_FILES]]
    more = [f"... and {len(report.remarks) - _LISTED_FILES} more"] if len(report.remarks) > _LISTED_FILES else []
    return {
        "Files loaded": len(report.loaded) - of_table,
        **({"Days of the source table loaded": of_table} if of_table else {}),
        "Rows received": sum(file.raw.rows for file in report.loaded),
        "Rows rejected": sum(file.raw.rejects for file in report.loaded),
        "Days changed": list_days(report.changed_days),
        **({"Not loaded": counted(len(report.settled), "file")} if report.settled else {}),
        **({"Remarks": "\n".join([*remarks, *more])} if remarks else {}),
        **table("Files", files),
        **table("Days of the source table", days),
    }


def of_duration(seconds: float) -> dict[str, str]:
    """How long a step took."""
    return {"Duration": f"{seconds:,.3f} seconds"}


def of_senders(senders: Mapping[str, "Delivered"]) -> dict[str, Any]:
    """What counts of each sender, when its last file landed (UTC), and what is declared of how it writes. Outcomes that
    no row has are left out."""
    outcomes = [outcome for outcome in OUTCOMES if any(sender.rows[outcome] for sender in senders.values())]
    declares = any(sender.declares for sender in senders.values())
    rows = [
        {
            "source": name,
            "files": f"{sender.files:,}" if sender.last_landed else counted(sender.files, "day"),
            **{outcome: f"{sender.rows[outcome]:,}" for outcome in outcomes},
            "last landed": f"{sender.last_landed:%Y-%m-%d %H:%M:%S}" if sender.last_landed else "",
            **({"declared": ", ".join(sender.declares)} if declares else {}),
        }
        for name, sender in senders.items()
    ]
    return table("Sources", rows[:_LISTED_SOURCES])


def of_reasons(days: Mapping[date, str]) -> str:
    """How many days were rebuilt for which reason, and which."""
    by_reason = Counter(days.values()).most_common()
    named = ((why, count, list_days(day for day, its in days.items() if its == why)) for why, count in by_reason)
    texts = (f"{counted(count, 'day')}: {why} ({which})" for why, count, which in named)
    return "; ".join(texts) or "none: no day was stale"


def in_words(found: "DayRevenue") -> str:
    """The figures of a day."""
    return f"{found.day:%a} {found.day}: {found.revenue:,.2f} in {counted(found.orders, 'order')}"


def of_changes(changes: Sequence["Change"]) -> dict[str, Any]:
    """Which days show another revenue or number of orders than before, and why; the first days, if they are many."""
    records = [
        {
            "day": change.day.isoformat(),
            "before": f"{change.before.revenue:,} ({change.before.orders:,} orders)",
            "after": f"{change.after.revenue:,} ({change.after.orders:,} orders)",
            "cause": change.cause,
        }
        for change in changes[:_LISTED_CHANGES]
    ]
    return table("Changed figures", records)


def of_superseded(found: Iterable["Superseded"]) -> dict[str, Any]:
    """How many rows other versions replaced, what those were worth, and which file replaced which, the largest
    amounts first."""
    rows: Counter[tuple[str, str]] = Counter()
    repeated: Counter[tuple[str, str]] = Counter()
    other_customer: Counter[tuple[str, str]] = Counter()
    amounts: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in found:
        keys = entry.winner, entry.loser
        rows[keys] += entry.orders
        repeated[keys] += entry.repeated
        other_customer[keys] += entry.other_customer
        amounts[keys] += entry.amount
    largest = sorted(rows, key=lambda keys: (-abs(amounts[keys]), keys))
    records = [
        {
            "winner": keys[0],
            "loser": keys[1],
            "rows": rows[keys],
            "amount": f"{amounts[keys]:,}",
            "repeated": repeated[keys],
            "other customer": other_customer[keys],
        }
        for keys in largest[:_LISTED_WINNERS]
    ]
    if not records:
        return {}
    worth = sum(amounts.values(), Decimal("0.00"))
    return {"Superseded rows": f"{rows.total():,}, worth {worth:,}", **table("Superseded by", records)}


def of_rejects(reasons: Mapping[str, int], sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many rows are rejected for which reason, in words too, and a few of them. Their text is not shown: it may
    hold anything, also about people."""
    records = [
        {"reason": code, "rows": count, "meaning": REASONS.get(code, "")}
        for code, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]
    return {
        **table("Rejects by reason", records),
        **table("Newest rejects", sample),
        **({"Their text": _TEXT_OF_REJECTS.format(str(sample[0]["file"]).replace("'", "''"))} if sample else {}),
    }


def preview(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A few rows, their values as text: an amount must not become a float on the way."""
    return table("Preview", [{name: str(value) for name, value in row.items()} for row in rows[:PREVIEW_ROWS]])


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, dg.TableMetadataValue]:
    """Rows as a table of the UI, which Dagster stores with the event: its texts are cut. Nothing, if there are none."""
    records = [
        dg.TableRecord({key: cut(value) if isinstance(value, str) else value for key, value in row.items()})
        for row in rows
    ]
    return {name: dg.MetadataValue.table(records)} if records else {}
