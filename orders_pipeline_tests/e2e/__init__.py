"""The make targets and a real `dagster dev`."""
