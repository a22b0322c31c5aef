"""Hashes of the order ids of small files; replaced orders that were worth more than what replaced them; rejects that
are counted instead of listed; a bound on order ids."""

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
    rows = sa.Column("rows", sa.BigInteger, nullable=False, server_default="1")
    op.add_column("rejected_orders", rows, schema="analytics")
    # Files with order ids that may be too long are validated again. Their ranges of ids would fill memory.
    op.execute("UPDATE ledger.landed_files SET rules = 0 WHERE active AND octet_length(last_short_id) > 1000")
