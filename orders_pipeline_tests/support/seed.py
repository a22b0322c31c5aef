"""The seed of all random histories."""

from typing import Final

SEED_VARIABLE: Final = "ORDERS_SEED"
