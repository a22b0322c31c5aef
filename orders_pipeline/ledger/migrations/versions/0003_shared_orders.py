"""Which files overlap: hold the same order. For files that are already active: all whose ranges of ids overlap."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shared_orders",
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("other", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("path", "other"),
        schema="ledger",
    )
    op.create_index("shared_orders_other", "shared_orders", ["other"], schema="ledger")
    op.create_index("landed_files_path", "landed_files", ["path"], schema="ledger", postgresql_where=sa.text("active"))
    op.execute(
        """
        INSERT INTO ledger.shared_orders (path, other)
        SELECT DISTINCT one.path, other.path
        FROM ledger.landed_files one
        JOIN ledger.landed_files other ON one.path <> other.path
            AND one.first_id <= other.last_id AND one.last_id >= other.first_id
        WHERE one.active AND other.active
        """
    )
