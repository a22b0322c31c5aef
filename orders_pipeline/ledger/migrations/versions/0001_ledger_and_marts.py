"""The ledger and the marts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS analytics")
    op.create_table(
        "daily_revenue",
        sa.Column("order_date", sa.Date(), nullable=False),
        sa.Column("revenue", sa.Numeric(precision=38, scale=2), nullable=False),
        sa.Column("order_count", sa.BigInteger(), nullable=False),
        schema="analytics",
    )
    op.create_index("daily_revenue_replaced", "daily_revenue", ["order_date"], unique=False, schema="analytics")
    op.create_table(
        "daily_revenue_partitioned",
        sa.Column("order_date", sa.Date(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("daily_spend", sa.Numeric(precision=38, scale=2), nullable=False),
        schema="analytics",
    )
    op.create_index(
        "daily_revenue_partitioned_replaced",
        "daily_revenue_partitioned",
        ["order_date"],
        unique=False,
        schema="analytics",
    )
    op.create_table(
        "rejected_orders",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        schema="analytics",
    )
    op.create_index(
        "rejected_orders_replaced", "rejected_orders", ["bucket", "source"], unique=False, schema="analytics"
    )
    op.create_table(
        "built_days",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("built_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("blocked_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("asset", "day"),
        schema="ledger",
    )
    op.create_table(
        "built_files",
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("asset", "bucket", "key"),
        schema="ledger",
    )
    op.create_table(
        "landed_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("clean_rows", sa.BigInteger(), nullable=True),
        sa.Column("days", postgresql.ARRAY(sa.Date()), nullable=True),
        sa.Column("first_id", sa.Text(collation="C"), nullable=True),
        sa.Column("last_id", sa.Text(collation="C"), nullable=True),
        sa.Column("first_short_id", sa.Text(collation="C"), nullable=True),
        sa.Column("last_short_id", sa.Text(collation="C"), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("rules", sa.Integer(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bucket", "key", "etag", "size", "last_modified", name="landed_files_version"),
        schema="ledger",
    )
    op.create_index(
        "landed_files_active",
        "landed_files",
        ["bucket", "key"],
        unique=True,
        schema="ledger",
        postgresql_where=sa.text("active"),
    )
    op.create_index(
        "landed_files_days",
        "landed_files",
        ["days"],
        unique=False,
        schema="ledger",
        postgresql_using="gin",
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "order_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
        schema="ledger",
    )
    op.create_table(
        "unnamed_objects",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        schema="ledger",
    )
