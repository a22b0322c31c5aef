"""From the bytes of a file to rows: a library without ledger, S3 and Dagster."""
