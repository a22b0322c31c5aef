"""Runs of Dagster: which are in flight, when a failed one is requested again, and where they are executed."""
