"""Hashes of the order ids of small files."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "id_hashes",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("hashes", sa.ARRAY(sa.BigInteger), nullable=False),
        schema="ledger",
    )
