"""ORDERS_ALERTS chooses which alerts are posted. A name that means nothing is an error."""

import pytest

from orders_pipeline.alert_selection import Alerts
from orders_pipeline.schema import FINDING_KINDS

FINDINGS = {"findings", *FINDING_KINDS}
ALL = {"runs", "checks", "ticks", *FINDINGS}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("runs", {"runs"}),
        (" runs , ticks,", {"runs", "ticks"}),
        ("findings", FINDINGS),
        ("-ids_look_intact", ALL - {"ids_look_intact"}),
        ("-findings", {"runs", "checks", "ticks"}),
        ("findings,-ids_look_intact", FINDINGS - {"ids_look_intact"}),
        ("-ids_look_intact,findings", FINDINGS - {"ids_look_intact"}),
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


def test_findings_of_checks_of_your_own_are_findings() -> None:
    assert "order_is_paid" in Alerts.parse("-runs")
    assert "order_is_paid" not in Alerts.parse("ids_look_intact")
