"""What became of every row, how each source is read, what was published, and what is wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MONEY = sa.Numeric(38, 2)
_BYTEWISE = sa.Text(collation="C")


def upgrade() -> None:
    for column in (
        sa.Column("content_hash", sa.Text),
        sa.Column("ranked_at", sa.DateTime(timezone=True)),
        sa.Column("bytes_hash", sa.Text),
        sa.Column("rows_hash", sa.Text),
        sa.Column("void_rows", sa.BigInteger),
        sa.Column("merged_rows", sa.BigInteger),
        sa.Column("blank_rows", sa.BigInteger),
        sa.Column("clean_amount", _MONEY),
        sa.Column("void_amount", _MONEY),
        sa.Column("rejected_amount", _MONEY),
        sa.Column("currencies", sa.ARRAY(sa.Text)),
        sa.Column("negative_rows", sa.BigInteger),
        sa.Column("negative_amount", _MONEY),
        sa.Column("damaged_rows", sa.BigInteger),
        sa.Column("damaged_amount", _MONEY),
        sa.Column("damaged_examples", sa.ARRAY(sa.Text)),
    ):
        op.add_column("landed_files", column, schema="ledger")
    for name in ("asked_version", "taken_version"):
        op.add_column("order_days", sa.Column(name, sa.BigInteger), schema="ledger")
    op.add_column("built_days", sa.Column("version", sa.BigInteger), schema="ledger")
    op.create_table(
        "source_declarations",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("toml", sa.Text, nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("applied_by", sa.Text, nullable=False),
        schema="ledger",
    )
    op.create_table(
        "superseded",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("winner", _BYTEWISE, nullable=False),
        sa.Column("loser", _BYTEWISE, nullable=False),
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
        sa.Column("repeated_ids", sa.ARRAY(_BYTEWISE)),
        sa.Column("other_ids", sa.ARRAY(_BYTEWISE)),
        sa.PrimaryKeyConstraint("day", "winner", "loser"),
        schema="ledger",
    )
    op.create_table(
        "published",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("revenue", _MONEY, nullable=False),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("built_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("asked_for", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("run_id", sa.Text, nullable=False),
        schema="ledger",
    )
    op.create_index("published_day", "published", ["day", "id"], schema="ledger")
    op.execute(
        """
        INSERT INTO ledger.published (day, revenue, orders, built_at, cause, run_id)
        SELECT mart.order_date, mart.revenue, mart.order_count, built.built_at, 'before this release', built.run_id
        FROM analytics.daily_revenue mart
        JOIN ledger.built_days built ON built.asset = 'daily_revenue' AND built.day = mart.order_date
        ORDER BY mart.order_date
        """
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", _BYTEWISE, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("amount", _MONEY),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.Column("accepted_by", sa.Text),
        schema="ledger",
    )
    op.create_index(
        "findings_open",
        "findings",
        ["kind", "subject"],
        unique=True,
        schema="ledger",
        postgresql_where=sa.text("settled_at IS NULL"),
    )
