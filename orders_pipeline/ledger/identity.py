"""Which Postgres answers. After a failover or a restore it is another one, and may lack what a step read."""

from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.errors import ServiceUnavailableError

# The timeline by which WAL is written now: that of the last checkpoint stays the old one for a while after a promotion.
# A standby writes none.
_TIMELINE: Final = "CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END"
_SYSTEM: Final = "(SELECT system_identifier FROM pg_control_system())"
# Some hosted servers refuse one of these functions, or both.
_QUERIES: Final = [
    sa.text(f"SELECT {system}, {timeline}")
    for system, timeline in ((_SYSTEM, _TIMELINE), (_SYSTEM, "NULL"), ("NULL", _TIMELINE))
]


class Identity(NamedTuple):
    """A Postgres server, as far as it says. `timeline`: of its WAL; each promotion begins a new one."""

    system: int | None
    timeline: str | None


def of(connection: Connection) -> Identity:
    """The server that answers in this transaction."""
    for query in _QUERIES:
        try:
            with connection.begin_nested():
                return Identity(*connection.execute(query).one())
        except (sa.exc.ProgrammingError, sa.exc.NotSupportedError):  # missing, forbidden or not supported
            continue
    return Identity(None, None)


def require(transaction: Connection, read: Identity, what: str) -> None:
    """Refuse to write to another ledger than the one that was read.

    Args:
        transaction: in which `what` is to be recorded.
        read: the server from which its input was read.
        what: what a step has built, as people read it.

    Raises:
        ServiceUnavailableError: another server answers. Nothing of this transaction may be committed.
    """
    if (now := of(transaction)) != read:
        raise ServiceUnavailableError(
            f"Postgres failed over or was restored while {what} was built (system and timeline were"
            f" {read.system}/{read.timeline}, and are {now.system}/{now.timeline}), so this result was not recorded:"
            " the ledger may lack what it was built from. Nothing is lost: what is still due is built by the next run,"
            " for example `orders-pipeline sync`."
        )
