"""The command `orders-pipeline`."""
