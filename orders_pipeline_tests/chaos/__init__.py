"""Faults, injected on purpose into real processes, real Postgres and a real S3 protocol."""
