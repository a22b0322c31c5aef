"""The exit statuses of `orders-pipeline`, other than 0."""

from typing import Final

INCOMPLETE: Final = 1  # the command ran, and left work or a failure behind
ERROR: Final = 2  # the command could not run
