"""Which days the two chains have agreed on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconciled_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("revenue_built_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spend_built_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day"),
        schema="ledger",
    )
