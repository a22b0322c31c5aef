"""The exit statuses of `orders-pipeline`, other than 0."""

from typing import Final

FAILED: Final = 1  # done, but something stays to be done


WRONG: Final = 2  # could not be done
