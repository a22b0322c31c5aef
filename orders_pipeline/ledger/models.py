"""The tables of the schemas `ledger` and `analytics` for SQLAlchemy. Alembic's migrations create them; a test compares
the two."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from orders_pipeline.column_types import postgres_columns

LEDGER: Final = "ledger"
ANALYTICS: Final = "analytics"

metadata: Final = sa.MetaData()

_BYTEWISE: Final = sa.Text(collation="C")
_MONEY: Final = sa.Numeric(38, 2)

landed_files: Final = sa.Table(
    "landed_files",
    metadata,
    # Renewed on every attempt, so that the row with the greatest id of a key is its latest version.
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("bucket", sa.Text, nullable=False),
    sa.Column("key", _BYTEWISE, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("rows", sa.BigInteger),
    sa.Column("clean_rows", sa.BigInteger),
    sa.Column("days", ARRAY(sa.Date)),
    # Its smallest and largest order ids, by bytes and by length. The second separates files with rising numbers.
    sa.Column("first_id", _BYTEWISE),
    sa.Column("last_id", _BYTEWISE),
    sa.Column("first_short_id", _BYTEWISE),
    sa.Column("last_short_id", _BYTEWISE),
    sa.Column("path", sa.Text),
    sa.Column("rules", sa.Integer),
    sa.Column("zone", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt", sa.DateTime(timezone=True)),
    sa.Column("settled_at", sa.DateTime(timezone=True)),
    sa.Column("content_hash", sa.Text),  # of the bytes; null where an earlier release read them
    # What the file's rows rank by where they have no `updated_at`. Null: `last_modified`.
    sa.Column("ranked_at", sa.DateTime(timezone=True)),
    # The declaration by which the version was read. Null: the version was read as if nothing had been declared.
    sa.Column("bytes_hash", sa.Text),
    sa.Column("rows_hash", sa.Text),
    # `rows` = `clean_rows` + `void_rows` + `merged_rows` + `blank_rows` + rejects. The amounts that could be read are
    # likewise in one of the three sums: those of summed lines in the clean one, those of dropped lines in the void one.
    sa.Column("void_rows", sa.BigInteger),
    sa.Column("merged_rows", sa.BigInteger),
    sa.Column("blank_rows", sa.BigInteger),
    sa.Column("clean_amount", _MONEY),
    sa.Column("void_amount", _MONEY),
    sa.Column("rejected_amount", _MONEY),
    sa.Column("currencies", ARRAY(sa.Text)),
    # Clean rows with a negative amount, and those with an id that looks damaged.
    sa.Column("negative_rows", sa.BigInteger),
    sa.Column("negative_amount", _MONEY),
    sa.Column("damaged_rows", sa.BigInteger),
    sa.Column("damaged_amount", _MONEY),
    sa.Column("damaged_examples", ARRAY(sa.Text)),
    sa.UniqueConstraint("bucket", "key", "etag", "size", "last_modified", name="landed_files_version"),
    sa.Index("landed_files_active", "bucket", "key", unique=True, postgresql_where=sa.text("active")),
    sa.Index("landed_files_path", "path", postgresql_where=sa.text("active")),
    sa.Index("landed_files_days", "days", postgresql_using="gin", postgresql_where=sa.text("active")),
    schema=LEDGER,
)

# Overlaps: which active objects hold the same order. Each pair is stored in both directions.
shared_orders: Final = sa.Table(
    "shared_orders",
    metadata,
    sa.Column("path", _BYTEWISE, primary_key=True),
    sa.Column("other", _BYTEWISE, primary_key=True),
    sa.Index("shared_orders_other", "other"),
    schema=LEDGER,
)

# Hashes of the order ids of small files, by object: they tell which files hold an id without reading the objects. An
# object that is not here is read.
id_hashes: Final = sa.Table(
    "id_hashes",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),  # in the collation of `landed_files.path`, or no index joins them
    sa.Column("hashes", ARRAY(sa.BigInteger), nullable=False),
    schema=LEDGER,
)

order_days: Final = sa.Table(
    "order_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    # The last version that a person asked for, and the last one that took rows away unasked.
    sa.Column("asked_version", sa.BigInteger),
    sa.Column("taken_version", sa.BigInteger),
    schema=LEDGER,
)

built_days: Final = sa.Table(
    "built_days",
    metadata,
    sa.Column("asset", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("path", sa.Text),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("rules", sa.Integer, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("built_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    # The blocking check that failed on it: nothing is built from this day until it is rebuilt.
    sa.Column("blocked_by", sa.Text),
    # The day version that its orders are of; null if release 0.2 built it.
    sa.Column("version", sa.BigInteger),
    schema=LEDGER,
)

built_files: Final = sa.Table(
    "built_files",
    metadata,
    sa.Column("asset", sa.Text, primary_key=True),
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("key", _BYTEWISE, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("rules", sa.Integer, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    schema=LEDGER,
)

# The days on which both chains agreed, and when each had built its values. A rebuilt day is compared again.
reconciled_days: Final = sa.Table(
    "reconciled_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("revenue_built_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("spend_built_at", sa.DateTime(timezone=True), nullable=False),
    schema=LEDGER,
)

# What `orders-pipeline sources apply` was given. The newest row holds.
source_declarations: Final = sa.Table(
    "source_declarations",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("toml", sa.Text, nullable=False),
    sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("applied_by", sa.Text, nullable=False),
    schema=LEDGER,
)

# How many rows of a day were replaced by other versions of their orders, and what they were worth. Written with the
# day of `cleaned_orders`. `repeated`: those that their own file repeats with another amount. `other_customer`: those of
# the others whose winner names another customer. Keys without buckets: which bucket a version came from is unknown.
superseded: Final = sa.Table(
    "superseded",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("winner", _BYTEWISE, primary_key=True),
    sa.Column("loser", _BYTEWISE, primary_key=True),
    sa.Column("orders", sa.BigInteger, nullable=False),
    sa.Column("amount", _MONEY, nullable=False),
    sa.Column("other_customer", sa.BigInteger, nullable=False),
    sa.Column("other_customer_amount", _MONEY, nullable=False),
    sa.Column("repeated", sa.BigInteger, nullable=False),
    sa.Column("repeated_amount", _MONEY, nullable=False),
    sa.Column("repeated_other_customer", sa.BigInteger, nullable=False),
    sa.Column("repeated_other_customer_amount", _MONEY, nullable=False),
    sa.Column("unchanged", sa.BigInteger, nullable=False),
    sa.Column("unchanged_amount", _MONEY, nullable=False),
    sa.Column("smaller", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("smaller_amount", _MONEY, nullable=False, server_default="0"),
    # A few ids of repeated rows, and of others: of those that name another customer, if there are any. Null: none.
    sa.Column("repeated_ids", ARRAY(_BYTEWISE)),
    sa.Column("other_ids", ARRAY(_BYTEWISE)),
    schema=LEDGER,
)

# Every figure that `daily_revenue` has shown for a day, oldest first, and why it was built. Append-only. `asked_for`: a
# person asked for what changed since the one before.
published: Final = sa.Table(
    "published",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("revenue", _MONEY, nullable=False),
    sa.Column("orders", sa.BigInteger, nullable=False),
    sa.Column("built_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("asked_for", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Index("published_day", "day", "id"),
    schema=LEDGER,
)

# What is wrong, or may be. A finding is open until its condition is gone (settled) or a person accepts it.
findings: Final = sa.Table(
    "findings",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", _BYTEWISE, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("amount", _MONEY),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    # When the last examination that found it began, so that an older one, recorded later, does not settle it.
    sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("settled_at", sa.DateTime(timezone=True)),
    sa.Column("accepted_at", sa.DateTime(timezone=True)),
    sa.Column("accepted_by", sa.Text),
    sa.Index("findings_open", "kind", "subject", unique=True, postgresql_where=sa.text("settled_at IS NULL")),
    schema=LEDGER,
)

unnamed_objects: Final = sa.Table(
    "unnamed_objects",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    schema=LEDGER,
)


def _mart(name: str, *indexed: str) -> sa.Table:
    # An index on what one statement replaces. It is not unique: that would double the time of a bulk load, and the lock
    # on the built day already keeps two runs from writing the same day.
    return sa.Table(name, metadata, *postgres_columns(name), sa.Index(f"{name}_replaced", *indexed), schema=ANALYTICS)


daily_revenue: Final = _mart("daily_revenue", "order_date")
daily_revenue_partitioned: Final = _mart("daily_revenue_partitioned", "order_date")
rejected_orders: Final = _mart("rejected_orders", "bucket", "source")
MARTS: Final = {table.name: table for table in (daily_revenue, daily_revenue_partitioned, rejected_orders)}
