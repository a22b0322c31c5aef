"""The roles in Postgres: the pipeline changes rows but no tables, and a reader reads the marts. Only the owner can
migrate. Roles have no login: an operator grants them to users (docs/security.md)."""

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

# A mart's rows are replaced, never updated. An identity column needs no right on its sequence.
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
    """Create the missing roles, and grant each its rights. Only the owner of the tables can.

    Returns:
        The roles that are still missing, because the owner may not create roles.

    Raises:
        OrdersPipelineError: the tables belong to another user.
    """
    owns = sa.text("SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = :schema")
    may_create = sa.text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    with hold_exclusive(engine, Lock.MIGRATION) as connection, connection.begin():
        # If another user grants rights, Postgres only warns that nothing was granted.
        if not connection.execute(owns, {"schema": LEDGER}).scalar_one():
            raise _to_the_owner(connection, "grant rights on the ledger and the marts")
        if connection.execute(may_create).scalar_one():
            for role in _missing(connection):
                connection.execute(sa.text(f"CREATE ROLE {role} NOLOGIN"))
        grant_rights(connection)
        return _missing(connection)


def grant_rights(connection: Connection) -> None:
    """Grant the existing roles their rights, in the caller's transaction."""
    for role in _RIGHTS.keys() - set(_missing(connection)):
        for right in _RIGHTS[role]:
            connection.execute(sa.text(f"GRANT {right} TO {role}"))


@contextmanager
def owners_right(connection: Connection, what: str) -> Iterator[None]:
    """If Postgres refuses the block for lack of rights, explain that the owner must do it.

    Raises:
        OrdersPipelineError: Postgres refused it.
    """
    try:
        yield
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != _FORBIDDEN:
            raise
        raise _to_the_owner(connection, what) from error


def _to_the_owner(connection: Connection, what: str) -> OrdersPipelineError:
    return OrdersPipelineError(
        f"The Postgres user {connection.engine.url.username!r} may not {what}. Run `orders-pipeline migrate` as the"
        " owner of the tables, with the owner's URL in ORDERS_DATABASE_URL."
    )


def _missing(connection: Connection) -> list[str]:
    found = connection.execute(sa.text("SELECT rolname FROM pg_roles")).scalars()
    return sorted(_RIGHTS.keys() - set(found))
