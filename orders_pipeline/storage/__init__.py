"""Where bytes and rows are kept: Postgres, S3, the lake, and the embedded servers."""
