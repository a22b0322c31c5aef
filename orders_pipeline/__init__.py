"""Orders that arrive as files on S3 and rows of a Postgres table, turned into daily revenue by Dagster."""

from orders_pipeline.reader import read

__all__ = ["read"]
