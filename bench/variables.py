"""Variables of the shell that must not reach what is measured or tested."""

from typing import Final

# Variables that change what a pipeline does.
OF_THE_PIPELINE: Final = ("ORDERS_", "DAGSTER_", "AWS_")
