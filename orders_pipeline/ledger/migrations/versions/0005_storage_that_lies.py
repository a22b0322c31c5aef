"""Hashes of the order ids of small files; how many replaced orders were worth more than what replaced them."""

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
    for name, kind in (("smaller", sa.BigInteger()), ("smaller_amount", sa.Numeric(38, 2))):
        op.add_column("superseded", sa.Column(name, kind, nullable=False, server_default="0"), schema="ledger")
