"""Tests: against a real Postgres and a real S3 protocol, asserting rows, sums and states."""
