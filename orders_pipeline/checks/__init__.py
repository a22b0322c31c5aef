"""The asset checks: `quality` finds, these modules describe the findings and pick severities. No check passes on zero
rows where rows were due."""
