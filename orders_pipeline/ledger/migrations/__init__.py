"""Alembic migrations of the schemas `ledger` and `analytics`."""
