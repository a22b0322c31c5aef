"""From the bytes of a file to rows: a library that knows no ledger, no S3 and no Dagster."""
