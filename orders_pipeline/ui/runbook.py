"""Where the runbook, docs/operations.md, says what to do about a check that fails."""

from collections.abc import Iterable
from typing import Final

PAGE: Final = "docs/operations.md"
FOR_ALL: Final = "A check failed"

# The sections that the runbook's table of checks links to.
SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "landed_files_are_readable": ("A file is quarantined", "A file is failing", "A file is archived"),
    "files_are_in_the_landing_zone": ("We moved the bucket",),
    "ids_look_intact": ("Ids look damaged",),
    "amounts_are_in_one_currency": ("Amounts are in several currencies",),
    "lake_is_intact": ("The lake misses an object",),
    "few_rows_are_rejected": ("A day is wrong",),
    "no_order_is_lost": ("A day is wrong", "The lake misses an object"),
    "no_order_replaces_another": ("An order replaced another",),
    "repeated_orders_agree": ("An order id occurs several times in a file",),
    "summed_orders_are_whole": ("A file has a part of an order",),
    "orders_not_empty": ("A day has no orders",),
    "yesterday_is_built": ("A day has no orders", "Sensors do nothing"),
    "revenue_reconciles": ("Revenue does not reconcile",),
    "revenue_is_plausible": ("Revenue is unusual or late",),
    "no_revenue_vanishes": ("A day lost its revenue",),
}


def sections(checks: Iterable[str]) -> str:
    """The page and its sections about these checks, in words: where the docs are served differs."""
    named = dict.fromkeys(title for check in checks for title in SECTIONS.get(check, (FOR_ALL,)))
    return f"{PAGE}: {', '.join(named)}"
