"""Who may do what in Postgres, beside the owner, who migrates: the pipeline changes rows and no tables, a reader reads
the marts. Roles without a login, which an operator grants to users (docs/security.md)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.ledger.locks import Lock, hold_exclusive
from orders_pipeline.ledger.models import ANALYTICS, LEDGER, MARTS, metadata

PIPELINE: Final = "orders_pipeline"
READER: Final = "orders_reader"

_FORBIDDEN: Final = "42501"  # SQLSTATE insufficient_privilege

# A mart's rows are replaced, never updated. No sequence: an identity column needs no right of its own.
_LEDGER_TABLES: Final = ", ".join(table.fullname for table in metadata.sorted_tables if table.schema == LEDGER)
_MARTS: Final = ", ".join(table.fullname for table in MARTS.values())
_RIGHTS: Final = {
    PIPELINE: (
        f"USAGE ON SCHEMA {LEDGER}, {ANALYTICS}",
        f"SELECT ON {LEDGER}.alembic_version",
        f"SELECT, INSERT, UPDATE, DELETE ON {_LEDGER_TABLES}",
        f"SELECT, INSERT, DELETE ON {_MARTS}",
    ),
    READER: (f"USAGE ON SCHEMA {ANALYTICS}", f"SELECT ON {_MARTS}"),
}


def make_roles(engine: Engine) -> list[str]:
    """Make the roles that are missing, and grant each its rights. To be called by the owner of the tables.

    Returns:
        The roles that are still missing, because the owner may not create any.

    Raises:
        OrdersPipelineError: the tables are another's.
    """
    owns = sa.text("SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = :schema")
    may_create = sa.text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    with hold_exclusive(engine, Lock.MIGRATION) as connection, connection.begin():
        # Postgres itself only warns of rights that somebody else granted in vain.
        if not connection.execute(owns, {"schema": LEDGER}).scalar_one():
            raise _to_the_owner(connection, "grant rights on the ledger and the marts")
        if connection.execute(may_create).scalar_one():
            for role in _missing(connection):
                connection.execute(sa.text(f"CREATE ROLE {role} NOLOGIN"))
        grant_rights(connection)
        return _missing(connection)


def grant_rights(connection: Connection) -> None:
    """Grant the roles that exist what they may do, in the caller's transaction."""
    for role in _RIGHTS.keys() - set(_missing(connection)):
        for right in _RIGHTS[role]:
            connection.execute(sa.text(f"GRANT {right} TO {role}"))


@contextmanager
def owners_right(connection: Connection, what: str) -> Iterator[None]:
    """Say, where Postgres refuses what is done within, that it is the owner's to do.

    Raises:
        OrdersPipelineError: it was refused.
    """
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != _FORBIDDEN:
            raise
        raise _to_the_owner(connection, what) from error


def _to_the_owner(connection: Connection, what: str) -> OrdersPipelineError:
    return OrdersPipelineError(
        f"The Postgres user {connection.engine.url.username!r} may not {what}. Say `orders-pipeline migrate` as the"
        " owner of the tables: with the owner's URL in ORDERS_DATABASE_URL."
    )


def _missing(connection: Connection) -> list[str]:
    found = connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars()
    return sorted(_RIGHTS.keys() - set(found))
