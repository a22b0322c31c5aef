"""The commands of `orders-pipeline`, one module per group. Each imports what it needs when it runs, so that `--help`
answers at once."""
