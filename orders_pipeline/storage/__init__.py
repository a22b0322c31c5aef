"""Storage: Postgres, S3, the lake, and the embedded servers."""
