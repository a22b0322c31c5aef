"""Bring the schemas `ledger` and `analytics` up to date. Safe to start in many processes at once."""

from functools import lru_cache
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline.ledger.models import LEDGER
from orders_pipeline.ledger.roles import grant_rights, owners_right

_OLDEST_POSTGRES: Final = 140000


def migrate(engine: Engine) -> None:
    """Run the missing migrations and grant rights on the new tables, in one transaction. Other processes wait.

    If nothing is missing, a role without the right to change tables is enough.

    Raises:
        OrdersPipelineError: Postgres is older than 14, the database is not UTF-8, or the role lacks the rights.
    """
    head, known = _revisions()
    with engine.connect() as connection:
        with owners_right(connection, "see the ledger"):
            current = _revision(connection)
        if current == head or (current is not None and current not in known):
            return  # up to date, or migrated by newer code, whose tables suit older code too
    with hold_exclusive(engine, Lock.MIGRATION) as connection, connection.begin():
        if connection.dialect.server_version_info < (_OLDEST_POSTGRES // 10_000,):  # type: ignore[operator]
            raise OrdersPipelineError(f"Postgres {connection.dialect.server_version_info} is too old: use 14 or later.")
        if (encoding := connection.execute(sa.text("SHOW server_encoding")).scalar_one()) != "UTF8":
            raise OrdersPipelineError(
                f"The database of ORDERS_DATABASE_URL has the encoding {encoding}, which cannot store every character:"
                " create a database with ENCODING 'UTF8'."
            )
        if _revision(connection) != head:
            action = f"migrate the ledger from revision {current} to {head}, which this code needs"
            with owners_right(connection, action):
                _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {LEDGER}"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    grant_rights(connection)


@lru_cache(maxsize=1)
def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "orders_pipeline.ledger:migrations")
    return config


@lru_cache(maxsize=1)
def _revisions() -> tuple[str | None, frozenset[str]]:
    """The newest revision that this code knows, and all of them. Cached: every use of the ledger needs it."""
    script = ScriptDirectory.from_config(_config())
    return script.get_current_head(), frozenset(revision.revision for revision in script.walk_revisions())


def _revision(connection: Connection) -> str | None:
    table = sa.text("SELECT to_regclass('ledger.alembic_version')")
    if connection.execute(table).scalar_one() is None:
        return None
    return connection.execute(sa.text("SELECT version_num FROM ledger.alembic_version")).scalar_one_or_none()
