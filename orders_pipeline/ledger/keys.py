"""What the ledger knows of keys, whatever became of their versions."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from orders_pipeline.ledger.landed import pairs
from orders_pipeline.ledger.tables import landed_files

_t = landed_files.c


def knows_any(connection: Connection, bucket: str, prefix: str) -> bool:
    """Whether a version of any key below a prefix was ever taken or set aside."""
    found = sa.select(_t.id).where(_t.bucket == bucket, _t.key.startswith(prefix, autoescape=True)).limit(1)
    return connection.execute(found).one_or_none() is not None


def below(connection: Connection, bucket: str, prefix: str) -> list[str]:
    """All keys of a bucket that begin with a prefix, in order."""
    query = sa.select(_t.key).distinct().where(_t.bucket == bucket, _t.key.startswith(prefix, autoescape=True))
    return sorted(connection.execute(query).scalars())


def that_count(connection: Connection, bucket: str, keys: Iterable[str]) -> set[str]:
    """Those of the keys of which a version counts."""
    named = pairs((bucket, key) for key in keys)
    query = sa.select(_t.key).where(_t.active, sa.tuple_(_t.bucket, _t.key).in_(named))
    return set(connection.execute(query).scalars())


def with_side_names_that_count(connection: Connection, bucket: str) -> list[str]:
    """The keys that count and have a segment that begins with `_` or `.`, in order."""
    query = sa.select(_t.key).where(_t.active, _t.bucket == bucket, _t.key.regexp_match("(^|/)[_.]"))
    return sorted(connection.execute(query).scalars())
