"""Orders that arrive as files on S3 and rows of a Postgres table, turned into daily revenue by Dagster."""
