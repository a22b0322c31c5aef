"""Runs of Dagster: which are in flight, when a failed one is asked for again, and where they are executed."""
