"""ORDERS_ALERTS chooses which alerts are posted. A name that means nothing is an error."""

import pytest

from orders_pipeline.alert_selection import Alerts
from orders_pipeline.schema import FINDING_KINDS

ALL = {"runs", "checks", "ticks", *FINDING_KINDS}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("runs", {"runs"}),
        (" runs , ticks,", {"runs", "ticks"}),
        ("findings", {*FINDING_KINDS}),
        ("-ids_look_intact", ALL - {"ids_look_intact"}),
        ("-findings", {"runs", "checks", "ticks"}),
        ("findings,-ids_look_intact", {*FINDING_KINDS} - {"ids_look_intact"}),
        ("-ids_look_intact,findings", {*FINDING_KINDS} - {"ids_look_intact"}),
        ("runs,no_order_is_lost", {"runs", "no_order_is_lost"}),
    ],
)
def test_names_choose(text: str, kinds: set[str]) -> None:
    assert Alerts.parse(text).kinds == kinds
    assert Alerts().kinds == ALL


@pytest.mark.parametrize(
    "text", ["error", "-error", "Runs", "runs;ticks", "runs,-runs", "-findings,-runs,-checks,-ticks"]
)
def test_what_chooses_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"there is no alert|no alert is left"):
        Alerts.parse(text)
