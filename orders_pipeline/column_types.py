"""The types of columns, in Polars and in Postgres. `schema` names them as Postgres does."""

from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from orders_pipeline.schema import TABLES

PostgresType = sa.types.TypeEngine[Any]


class _Type(NamedTuple):
    polars: pl.DataType
    postgres: PostgresType


_TYPES: Final[dict[str, _Type]] = {
    "text": _Type(pl.String(), sa.Text()),
    "bigint": _Type(pl.Int64(), sa.BigInteger()),
    "date": _Type(pl.Date(), sa.Date()),
    "timestamp": _Type(pl.Datetime("us"), sa.DateTime()),
    "timestamptz": _Type(pl.Datetime("us", "UTC"), sa.DateTime(timezone=True)),
    "decimal(18,2)": _Type(pl.Decimal(18, 2), sa.Numeric(18, 2)),
    "numeric(38,2)": _Type(pl.Decimal(38, 2), sa.Numeric(38, 2)),
}


def polars_schema(table: str) -> pl.Schema:
    """The columns of one of the six tables, with their Polars types."""
    return pl.Schema({column.name: _TYPES[column.type].polars for column in TABLES[table]})


def postgres_columns(table: str) -> list[sa.Column[Any]]:
    """The columns of one of the six tables, as SQLAlchemy defines them. Each call returns new ones."""
    return [
        sa.Column(c.name, _TYPES[c.type].postgres, nullable=c.nullable, server_default=c.default) for c in TABLES[table]
    ]


def postgres_types(frame: pl.DataFrame) -> dict[str, PostgresType]:
    """Postgres types that store the columns of any frame exactly."""
    return {name: _postgres_type(dtype) for name, dtype in frame.schema.items()}


def _postgres_type(dtype: pl.DataType) -> PostgresType:
    if isinstance(dtype, pl.Datetime):
        return sa.DateTime(timezone=dtype.time_zone is not None)
    exact: list[tuple[bool, PostgresType]] = [
        (dtype.is_integer(), sa.BigInteger()),
        (dtype.is_decimal(), sa.Numeric()),
        (dtype.is_float(), sa.Double()),
        (dtype == pl.Boolean, sa.Boolean()),
        (dtype == pl.Date, sa.Date()),
    ]
    return next((kind for fits, kind in exact if fits), sa.Text())
