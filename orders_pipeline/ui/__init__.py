"""What the Dagster UI shows of assets and materializations."""
