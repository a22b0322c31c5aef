"""Alembic's entry: runs the migrations on the connection that `orders_pipeline.ledger.migrate` hands in."""

from alembic import context

from orders_pipeline.ledger.models import LEDGER, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=LEDGER,
    include_schemas=True,
)
context.run_migrations()
