"""The pipeline as people use it: the demo, a real `dagster dev`, and what the documents show."""
